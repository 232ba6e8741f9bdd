//! The master's side of control: makes instructions of commands, keeps who waits for an answer, and shows where the run
//! stands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::instruction::{Drive, Instruction, Ticket};
use super::schedule::LoggedAction;
use crate::control::command::{ClientRequest, RunCommand};
use crate::control::live::{EdgeView, Interest, LiveOut, MAX_VEHICLES, RunStatus, SignalView, VehicleView, View};
use crate::control::timed::TimedCommand;
use crate::control::{CommandError, NameResolver};
use crate::graph::EdgeKind;
use crate::ids::{EdgeId, LaneId, SignalId};
use crate::output::LaneShapes;
use crate::sim::{Observation, Watch, World};

/// The real-time factor is that of the last seconds.
const FACTOR_WINDOW: Duration = Duration::from_secs(3);
/// How often the status is told.
const STATUS_PERIOD: Duration = Duration::from_millis(100);

/// How a run can be driven and seen from outside.
pub struct RunController {
    names: NameResolver,
    live: LiveOut,
    shapes: LaneShapes,
    /// Commands that are given at their steps.
    timed: Vec<TimedCommand>,
    answers: BTreeMap<Ticket, oneshot::Sender<Result<Value, CommandError>>>,
    tickets: u64,
    /// Times at which so many ms were simulated.
    past: VecDeque<(Instant, f64)>,
    told_at: Option<Instant>,
    /// When the roads are to be looked at next.
    look_due: Option<Instant>,
    /// The roads that are watched, made once for each interest.
    watched: Option<(Arc<Interest>, Watch)>,
}

impl RunController {
    pub fn new(names: NameResolver, live: LiveOut, timed: Vec<TimedCommand>) -> Self {
        let network = &names.world().network;
        live.network.send_replace(Some(Arc::clone(network)));
        let shapes = LaneShapes::new(Arc::clone(network));
        Self {
            names,
            live,
            shapes,
            timed,
            answers: BTreeMap::new(),
            tickets: 0,
            past: VecDeque::new(),
            told_at: None,
            look_due: None,
            watched: None,
        }
    }

    /// The instruction that a request stands for; `text` is the command as it was given.
    ///
    /// # Errors
    /// A name is not known, or what it names cannot do what is asked.
    pub fn instruction(
        &mut self,
        request: ClientRequest,
        text: String,
        now_ms: i64,
    ) -> Result<Instruction, CommandError> {
        Ok(match request {
            ClientRequest::World(commands) => {
                let orders = self.names.resolve(&commands, now_ms)?;
                let parts = self.names.parts(&orders);
                Instruction::Logged { act: LoggedAction::Change(orders), parts, text, timed: None }
            }
            ClientRequest::Edit(edits) => {
                self.names.check_edits(&edits)?;
                Instruction::Logged { act: LoggedAction::Edit(edits), parts: self.names.all_parts(), text, timed: None }
            }
            ClientRequest::Run(RunCommand::Stop) => {
                Instruction::Logged { act: LoggedAction::Stop, parts: Vec::new(), text, timed: None }
            }
            ClientRequest::Run(RunCommand::Snapshot) => {
                let parts = self.names.all_parts();
                Instruction::Logged { act: LoggedAction::Snapshot, parts, text, timed: None }
            }
            ClientRequest::Run(RunCommand::Pause) => Instruction::Drive(Drive::Pause),
            ClientRequest::Run(RunCommand::Resume) => Instruction::Drive(Drive::Resume),
            ClientRequest::Run(RunCommand::Step { steps }) => Instruction::Drive(Drive::Step(steps)),
            ClientRequest::Run(RunCommand::Speed { factor }) => Instruction::Drive(Drive::Speed(factor)),
            ClientRequest::Run(RunCommand::Move { partition, worker }) => Instruction::Move { part: partition, worker },
            ClientRequest::Run(RunCommand::Start { .. }) => {
                return Err(CommandError::Conflict("the run has already started".to_owned()));
            }
            ClientRequest::Status => Instruction::Status,
        })
    }

    /// The timed command at a place of its file; `None`: it cannot be given, which is said.
    pub fn timed(&mut self, place: u32, now_ms: i64) -> Option<Instruction> {
        let TimedCommand { command, text, .. } = self.timed.get(place as usize)?.clone();
        match self.instruction(command, text.clone(), now_ms) {
            Ok(Instruction::Logged { act, parts, text, .. }) => {
                Some(Instruction::Logged { act, parts, text, timed: Some(place) })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::error!(command = text, %error, "timed command skipped");
                None
            }
        }
    }

    /// Keeps who waits for an answer.
    pub fn ticket(&mut self, reply: oneshot::Sender<Result<Value, CommandError>>) -> Ticket {
        self.tickets += 1;
        // Who does not wait any more needs no place.
        self.answers.retain(|_, reply| !reply.is_closed());
        self.answers.insert(Ticket(self.tickets), reply);
        Ticket(self.tickets)
    }

    pub fn answer(&mut self, ticket: Ticket, outcome: Result<Value, CommandError>) {
        if let Some(reply) = self.answers.remove(&ticket) {
            // A client may go before its answer comes.
            let _ = reply.send(outcome);
        }
    }

    /// An entry went into the log.
    pub fn learn(&mut self, act: &LoggedAction) {
        if let LoggedAction::Change(orders) = act {
            self.names.learn(orders);
        }
    }

    pub fn is_status_due(&self, now: Instant) -> bool {
        self.told_at.is_none_or(|at| now - at >= STATUS_PERIOD)
    }

    pub fn tell(&mut self, mut status: RunStatus, now: Instant) {
        self.told_at = Some(now);
        self.past.push_back((now, status.time));
        while self.past.len() > 2 && self.past.get(1).is_some_and(|(at, _)| now - *at > FACTOR_WINDOW) {
            self.past.pop_front();
        }
        if let (Some((since, from)), Some((at, to))) = (self.past.front(), self.past.back())
            && at > since
        {
            status.real_time_factor = (to - from) / (*at - *since).as_secs_f64();
        }
        self.live.status.send_replace(Arc::new(status));
    }

    /// The roads that somebody wants to see now. Who is late catches nothing up.
    pub fn look(&mut self, now: Instant) -> Option<Watch> {
        let interest = Arc::clone(&self.live.interest.borrow());
        if interest.is_empty() {
            self.watched = None;
            return None;
        }
        let due = self.look_due.unwrap_or(now);
        if now < due {
            return None;
        }
        self.look_due = Some((due + Duration::from_secs_f64(1.0 / interest.rate_hz)).max(now));
        let is_known = self.watched.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, &interest));
        if !is_known {
            let watch = self.watch(&interest);
            self.watched = Some((interest, watch));
        }
        self.watched.as_ref().map(|(_, watch)| watch.clone())
    }

    fn watch(&self, interest: &Interest) -> Watch {
        let network = &self.names.world().network;
        let everywhere = interest.vehicles.contains(&None);
        let is_inside = |lane: LaneId| {
            everywhere
                || network.points[network.lane(lane).shape.range()].iter().any(|[x, y]| {
                    let (x, y) = (f64::from(*x), f64::from(*y));
                    interest.vehicles.iter().flatten().any(|area| touches(area, x, y))
                })
        };
        let lanes =
            (0..network.lanes.len()).map(LaneId::new).filter(|lane| !interest.vehicles.is_empty() && is_inside(*lane));
        let is_road = |edge: &EdgeId| network.edge(*edge).kind == EdgeKind::Normal;
        Watch {
            lanes: lanes.collect(),
            edges: (0..network.edges.len()).map(EdgeId::new).filter(|edge| interest.edges && is_road(edge)).collect(),
            signals: (0..network.signals.len()).map(SignalId::new).filter(|_| interest.signals).collect(),
        }
    }

    /// What all partitions saw at a step.
    pub fn show(&self, step: u64, time_s: f64, seen: Observation) {
        let world = self.names.world();
        let network = &world.network;
        let lane_name = |lane: LaneId| {
            let lane = network.lane(lane);
            format!("{}_{}", network.edge(lane.edge).name, lane.index)
        };
        let truncated = seen.vehicles.len() > MAX_VEHICLES;
        let vehicles = seen.vehicles.iter().take(MAX_VEHICLES).map(|vehicle| {
            let (name, length_m) = self.names.vehicle_look(vehicle.vehicle);
            let pose = self.shapes.pose(vehicle.lane, vehicle.pos_m, length_m);
            VehicleView {
                id: name,
                lane: lane_name(vehicle.lane).into(),
                pos: vehicle.pos_m as f32,
                x: pose.x_m as f32,
                y: pose.y_m as f32,
                angle: pose.bearing_deg as f32,
                speed: vehicle.speed_mps as f32,
            }
        });
        let edges = seen.edges.iter().map(|edge| EdgeView {
            id: (&*network.edge(edge.edge).name).into(),
            vehicles: edge.vehicles,
            speed: edge.mean_speed_mps.map(|speed| speed as f32),
            halting: edge.halting,
        });
        let signals = seen.signals.iter().map(|seen| {
            let signal = network.signal(seen.signal);
            SignalView {
                id: (&*signal.name).into(),
                program: signal.programs.get(seen.program as usize).map_or("", |program| &program.name).into(),
                phase: seen.phase,
                state: seen.aspects.iter().map(|aspect| aspect.letter()).collect(),
            }
        });
        let view = View {
            step,
            time: time_s,
            vehicles: vehicles.collect(),
            truncated,
            edges: edges.collect(),
            signals: signals.collect(),
        };
        self.live.view.send_replace(Arc::new(view));
    }

    pub fn world(&self) -> &Arc<World> {
        self.names.world()
    }
}

/// Whether a point is in an area, or near enough for a lane through it to have one of its points there.
fn touches([x0, y0, x1, y1]: &[f64; 4], x: f64, y: f64) -> bool {
    let margin = 500.0;
    (x0 - margin..=x1 + margin).contains(&x) && (y0 - margin..=y1 + margin).contains(&y)
}
