//! The partitions of one simulation, and how they exchange and step: in the caller's thread, or shared out between several.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::sim::report::StepReport;
use crate::sim::{Mirror, Order, Partition, PartitionState, ReportOptions, RouteOrders, Scope, StateError, World};

/// What one partition sends to and gets from the others.
#[derive(Debug, Default)]
struct Border {
    /// To whom, the place of the frame among the receiver's incoming ones, and what is in it.
    outgoing: Vec<(usize, usize, Mirror)>,
    /// In the order in which frames are imported.
    incoming: Vec<Mirror>,
}

/// What all partitions do in a step.
#[derive(Clone)]
pub(super) struct Plan {
    pub orders: Arc<[Order]>,
    /// In the order in which they are taken over.
    pub routes: Arc<[RouteOrders]>,
    pub options: ReportOptions,
}

/// One partition's share of a step.
struct Task {
    part: usize,
    partition: Partition,
    /// By incoming mirror.
    frames: Vec<Vec<u8>>,
    plan: Plan,
}

struct Done {
    part: usize,
    partition: Partition,
    report: StepReport,
    /// By outgoing mirror.
    frames: Vec<Vec<u8>>,
}

type Outcome = Result<Done, String>;

/// All partitions of a simulation.
pub(super) struct Engine {
    /// By number; none after a failure.
    partitions: Vec<Partition>,
    borders: Arc<[Border]>,
    /// By partition: the frames that it imports before its next step.
    frames: Vec<Vec<Vec<u8>>>,
    threads: usize,
    /// Started with the first step that is shared out.
    pool: Option<Pool>,
}

impl Engine {
    /// Partitions before the first step.
    pub fn new(world: &Arc<World>, scopes: Vec<Scope>, threads: usize) -> Self {
        let mut borders: Vec<Border> = Vec::new();
        borders.resize_with(scopes.len(), Border::default);
        for (from, sender) in scopes.iter().enumerate() {
            for (to, receiver) in scopes.iter().enumerate().filter(|(to, _)| *to != from) {
                let mirror = Mirror::between(world, sender, receiver);
                if !mirror.is_empty() {
                    let slot = borders[to].incoming.len();
                    borders[to].incoming.push(mirror.clone());
                    borders[from].outgoing.push((to, slot, mirror));
                }
            }
        }
        let partitions: Vec<_> = scopes.into_iter().map(|scope| Partition::new(Arc::clone(world), scope)).collect();
        let mut engine = Self {
            frames: borders.iter().map(|border| vec![Vec::new(); border.incoming.len()]).collect(),
            threads: threads.clamp(1, partitions.len().max(1)),
            partitions,
            borders: borders.into(),
            pool: None,
        };
        engine.exchange();
        engine
    }

    /// Takes over saved states: its own ones, or those of another cut.
    ///
    /// # Errors
    /// They are not of this world.
    pub fn restore(&mut self, states: &[PartitionState], is_own: bool) -> Result<(), StateError> {
        for (partition, own) in self.partitions.iter_mut().zip(0..) {
            match states.get(own).filter(|_| is_own) {
                Some(own) => partition.restore(own)?,
                None => partition.restore_share(states)?,
            }
        }
        self.exchange();
        Ok(())
    }

    /// Writes the frames for the next step.
    fn exchange(&mut self) {
        for (partition, border) in self.partitions.iter().zip(&*self.borders) {
            for (to, slot, mirror) in &border.outgoing {
                self.frames[*to][*slot] = partition.export(mirror);
            }
        }
    }

    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    pub fn partitions_mut(&mut self) -> &mut [Partition] {
        &mut self.partitions
    }

    /// One step of all partitions; their reports, by number.
    ///
    /// # Errors
    /// The kernel panicked. All state is lost.
    pub fn step(&mut self, plan: &Plan) -> Result<Vec<StepReport>, String> {
        let count = self.partitions.len();
        let frames = std::mem::take(&mut self.frames);
        let partitions = std::mem::take(&mut self.partitions);
        let tasks = partitions.into_iter().zip(frames).enumerate();
        let tasks = tasks.map(|(part, (partition, frames))| Task { part, partition, frames, plan: plan.clone() });
        let outcomes: Vec<Outcome> = if self.threads == 1 {
            tasks.map(|task| run(task, &self.borders)).collect()
        } else {
            let (threads, borders) = (self.threads, &self.borders);
            self.pool.get_or_insert_with(|| Pool::new(threads - 1, borders)).run(tasks, borders)
        };
        let mut done = outcomes.into_iter().collect::<Result<Vec<Done>, String>>()?;
        done.sort_unstable_by_key(|done| done.part);
        self.frames = self.borders.iter().map(|border| vec![Vec::new(); border.incoming.len()]).collect();
        let mut reports = Vec::with_capacity(count);
        for (Done { partition, report, frames, .. }, border) in done.into_iter().zip(&*self.borders) {
            for ((to, slot, _), frame) in border.outgoing.iter().zip(frames) {
                self.frames[*to][*slot] = frame;
            }
            self.partitions.push(partition);
            reports.push(report);
        }
        Ok(reports)
    }
}

/// A partition's share of a step. A panic of the kernel ends here.
fn run(task: Task, borders: &[Border]) -> Outcome {
    let part = task.part;
    catch_unwind(AssertUnwindSafe(|| work(task, borders))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("partition {part} panicked: {}", text.unwrap_or("without a message")))
    })
}

fn work(task: Task, borders: &[Border]) -> Outcome {
    let Task { part, mut partition, mut frames, plan } = task;
    let border = &borders[part];
    for (mirror, frame) in border.incoming.iter().zip(&frames) {
        partition.import(mirror, frame).map_err(|error| format!("partition {part}: {error}"))?;
    }
    if !plan.orders.is_empty() {
        partition.apply_orders(&plan.orders);
    }
    for routes in &*plan.routes {
        partition.apply_routes(&routes.updates);
    }
    let report = partition.step(plan.options);
    // What came in is read: its memory is used for what goes out.
    frames.resize_with(border.outgoing.len(), Vec::new);
    for ((_, _, mirror), frame) in border.outgoing.iter().zip(&mut frames) {
        partition.export_into(mirror, frame);
    }
    Ok(Done { part, partition, report, frames })
}

/// Threads that step partitions, beside that of the caller. They end with it.
struct Pool {
    /// By thread.
    tasks: Vec<Sender<Task>>,
    outcomes: Receiver<Outcome>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    fn new(threads: usize, borders: &Arc<[Border]>) -> Self {
        let (sender, outcomes) = channel();
        let (mut tasks, mut handles) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (give, take) = channel::<Task>();
            let (sender, borders) = (sender.clone(), Arc::clone(borders));
            tasks.push(give);
            handles.push(std::thread::spawn(move || {
                while let Ok(task) = take.recv() {
                    if sender.send(run(task, &borders)).is_err() {
                        return;
                    }
                }
            }));
        }
        Self { tasks, outcomes, threads: handles }
    }

    /// Shares the tasks out by their numbers and does the caller's share.
    fn run(&self, tasks: impl Iterator<Item = Task>, borders: &[Border]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut own = Vec::new();
        let mut given = 0;
        for task in tasks {
            // The caller's thread is the last one: the others begin while it still gives out tasks.
            match self.tasks.get(task.part % (self.tasks.len() + 1)) {
                Some(thread) => match thread.send(task) {
                    Ok(()) => given += 1,
                    Err(_) => outcomes.push(ended()),
                },
                None => own.push(task),
            }
        }
        outcomes.extend(own.into_iter().map(|task| run(task, borders)));
        outcomes.extend((0..given).map(|_| self.outcomes.recv().unwrap_or_else(|_| ended())));
        outcomes
    }
}

fn ended() -> Outcome {
    Err("a thread of the simulation has ended".to_owned())
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.tasks.clear();
        for thread in self.threads.drain(..) {
            // Panics of tasks are caught; there is nobody left to tell.
            drop(thread.join());
        }
    }
}
