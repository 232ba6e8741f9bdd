//! Partitions that exchange their roads in one thread, in buffers that stay.

use std::sync::Arc;

use tessds::graph::join_actuated_signals;
use tessds::graph::partition::Cut;
use tessds::sim::report::StepReport;
use tessds::sim::{Mirror, Partition, ReportOptions, Scope, World};

/// Roads of partition `from` that partition `to` mirrors.
pub struct Exchange {
    pub from: usize,
    pub to: usize,
    pub roads: Mirror,
    /// The frame of the present step.
    pub bytes: Vec<u8>,
}

/// All partitions of one cut.
pub struct Exchanging {
    pub partitions: Vec<Partition>,
    pub exchanges: Vec<Exchange>,
    /// Of the last step, by partition.
    pub reports: Vec<StepReport>,
}

impl Exchanging {
    pub fn new(world: &Arc<World>, cut: &Cut) -> Self {
        let mut cut = cut.clone();
        join_actuated_signals(&world.network, &mut cut);
        let partition = |part| Partition::new(Arc::clone(world), Scope::new(world, part, &cut.part_of_edge));
        let partitions: Vec<Partition> = (0..cut.parts as u16).map(partition).collect();
        let mut exchanges = Vec::new();
        for (from, sender) in partitions.iter().enumerate() {
            for (to, receiver) in partitions.iter().enumerate().filter(|(to, _)| *to != from) {
                exchanges.push(Exchange { from, to, roads: sender.mirror_for(receiver.scope()), bytes: Vec::new() });
            }
        }
        let reports = partitions.iter().map(|_| StepReport::default()).collect();
        Self { partitions, exchanges, reports }
    }

    /// Writes the frames of the present step.
    pub fn export(&mut self) {
        for Exchange { from, roads, bytes, .. } in &mut self.exchanges {
            self.partitions[*from].export_into(roads, bytes);
        }
    }

    pub fn step(&mut self) {
        self.export();
        for Exchange { to, roads, bytes, .. } in &self.exchanges {
            self.partitions[*to].import(roads, bytes).expect("an export of the same mirror");
        }
        let options = ReportOptions { fcd: true, digest: true, unfinished: false };
        for (partition, report) in self.partitions.iter_mut().zip(&mut self.reports) {
            partition.step_into(options, report);
        }
    }
}
