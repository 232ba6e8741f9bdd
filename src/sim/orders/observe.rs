//! What a partition sees on watched roads.

use super::watch::{Observation, SeenEdge, SeenSignal, SeenVehicle, Watch};
use crate::ids::{EdgeId, SignalId};
use crate::sim::partition::Partition;
use crate::sim::vehicle::{HALTING_SPEED, flags};

impl Partition {
    /// What is seen now, between two steps, on the own ones of the watched roads and signals. Changes nothing.
    pub fn observe(&self, watch: &Watch) -> Observation {
        let network = &self.world.network;
        let lanes = watch.lanes.iter().filter(|lane| self.scope.owned[lane.index()]);
        let on_lane = lanes.flat_map(|lane| {
            self.lanes.on(*lane).iter().map(|v| SeenVehicle {
                vehicle: v.id,
                lane: *lane,
                pos_m: v.pos_m,
                speed_mps: v.speed_mps,
                waiting_ms: v.waiting_ms,
            })
        });
        let edges = watch.edges.iter().filter(|edge| self.owns_road(**edge));
        let signals = watch.signals.iter().filter(|signal| self.scope.owns_signal(network, **signal));
        let seen_signal = |signal: SignalId| {
            let state = &self.signals.states[signal.index()];
            SeenSignal {
                signal,
                program: state.program,
                phase: state.phase,
                aspects: self.signals.shown(signal).to_vec(),
                is_fixed: self.signals.fixed.contains_key(&signal),
            }
        };
        Observation {
            vehicles: on_lane.collect(),
            edges: edges.map(|edge| self.seen_edge(*edge)).collect(),
            signals: signals.map(|signal| seen_signal(*signal)).collect(),
        }
    }

    fn seen_edge(&self, edge: EdgeId) -> SeenEdge {
        let (mut vehicles, mut halting, mut speed_sum) = (0, 0, 0.0);
        for v in self.world.network.edge(edge).lanes().flat_map(|lane| self.lanes.on(lane)) {
            vehicles += 1;
            halting += u32::from(v.speed_mps < HALTING_SPEED && !v.is(flags::STOPPED));
            speed_sum += v.speed_mps;
        }
        let mean_speed_mps = (vehicles > 0).then(|| speed_sum / f64::from(vehicles));
        SeenEdge { edge, vehicles, mean_speed_mps, halting }
    }
}
