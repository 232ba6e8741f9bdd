//! How much slower than allowed the own edges of a partition are driven.

use serde::{Deserialize, Serialize};

use crate::ids::{EdgeId, LaneId};

use super::lanes::Lanes;
use super::report::micro;
use super::world::World;

/// Sums of samples since the last snapshot. All integers: the same whoever sums them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeSpeeds {
    /// By edge with vehicles: sum over samples of speed limit − mean speed, µm/s, where an empty lane counts as one vehicle at its
    /// limit. Empty until the first sample.
    sums: Vec<i64>,
}

impl EdgeSpeeds {
    /// Adds the state of now. The lanes of an edge follow each other in `own_lanes`.
    pub fn sample(&mut self, world: &World, lanes: &Lanes, own_lanes: &[LaneId]) {
        self.sums.resize(world.network.edges.len(), 0);
        let mut at = 0;
        while at < own_lanes.len() {
            let edge_id = world.network.lane(own_lanes[at]).edge;
            let edge = world.network.edge(edge_id);
            if edge.lanes().any(|lane| !lanes.on(lane).is_empty()) {
                // Speeds of a network that makes no sense must not end a partition.
                let (mut count, mut sum) = (0, 0i64);
                for lane in edge.lanes() {
                    let vehicles = lanes.on(lane);
                    // As in SUMO: who may choose finds the queue of one lane only half as bad.
                    let empty = if vehicles.is_empty() { micro(world.network.lane(lane).speed_mps) } else { 0 };
                    count += vehicles.len().max(1) as i64;
                    sum = vehicles
                        .iter()
                        .fold(sum.saturating_add(empty), |sum, v| sum.saturating_add(micro(v.speed_mps)));
                }
                let limit = micro(world.network.lane(edge.first_lane).speed_mps);
                let lag = &mut self.sums[edge_id.index()];
                *lag = lag.saturating_add(limit.saturating_sub(sum / count));
            }
            at += edge.lane_count.max(1) as usize;
        }
    }

    /// How many edges have a sum.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Adds the sums of the edges that are wanted.
    pub fn add(&mut self, other: &Self, wants: impl Fn(EdgeId) -> bool) {
        self.sums.resize(self.sums.len().max(other.sums.len()), 0);
        for (i, sum) in other.sums.iter().enumerate().filter(|(i, _)| wants(EdgeId::new(*i))) {
            self.sums[i] = self.sums[i].saturating_add(*sum);
        }
    }

    /// Ends the interval: edges with a deviation, by id.
    pub fn take(&mut self) -> Vec<(EdgeId, i64)> {
        let sums = self.sums.iter_mut().enumerate();
        sums.filter(|(_, sum)| **sum != 0).map(|(i, sum)| (EdgeId::new(i), std::mem::take(sum))).collect()
    }
}
