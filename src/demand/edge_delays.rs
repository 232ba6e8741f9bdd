//! How long the traffic of the last minutes took for each edge.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::graph::Network;
use crate::ids::EdgeId;

use super::route_search::MIN_SPEED_MPS;

/// No sum of deviations grows so large; several of them can be added without overflow. µm/s.
const GREATEST_SUM: u64 = 1 << 56;

/// Moving averages of edge speeds. An edge without vehicles counts with its speed limit, so only deviations from the limit
/// have to be told and kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EdgeDelays {
    /// Samples in the averages, over all buckets.
    samples: u32,
    /// How many buckets are kept.
    window: u32,
    /// The last buckets, the oldest first: per edge the sum over samples of speed limit − mean speed, µm/s.
    buckets: VecDeque<Vec<(EdgeId, i64)>>,
    /// Sum over `buckets`, by edge.
    sums: Vec<i64>,
    /// By edge: seconds to drive over it; 0 where nothing deviated.
    seconds: Vec<f64>,
}

impl EdgeDelays {
    /// Empty roads. `window`: buckets to keep; `samples`: samples in each.
    pub fn new(edges: usize, window: u32, samples: u32) -> Self {
        Self {
            samples: samples * window,
            window,
            buckets: VecDeque::with_capacity(window as usize + 1),
            sums: vec![0; edges],
            seconds: vec![0.0; edges],
        }
    }

    /// Whether stored averages are of as many edges and samples as new ones.
    pub fn fits(&self, new: &Self) -> bool {
        let is_sum = |sum: &i64| sum.unsigned_abs() < GREATEST_SUM;
        (self.samples, self.window) == (new.samples, new.window)
            && (self.sums.len(), self.seconds.len()) == (new.sums.len(), new.seconds.len())
            && self.buckets.len() <= self.window as usize
            && self.sums.iter().chain(self.buckets.iter().flatten().map(|(_, sum)| sum)).all(is_sum)
            && self.seconds.iter().all(|seconds| seconds.is_finite() && *seconds >= 0.0)
    }

    /// There are more edges than before, all empty.
    pub fn grow(&mut self, edges: usize) {
        self.sums.resize(edges.max(self.sums.len()), 0);
        self.seconds.resize(edges.max(self.seconds.len()), 0.0);
    }

    /// Adds the newest bucket and drops the one that is too old. Edges beyond the network are ignored.
    pub fn push(&mut self, network: &Network, bucket: Vec<(EdgeId, i64)>) {
        for &(edge, deviation) in &bucket {
            if let Some(sum) = self.sums.get_mut(edge.index()) {
                *sum += deviation;
            }
        }
        self.refresh(network, &bucket);
        self.buckets.push_back(bucket);
        if self.buckets.len() > self.window as usize
            && let Some(old) = self.buckets.pop_front()
        {
            for &(edge, deviation) in &old {
                if let Some(sum) = self.sums.get_mut(edge.index()) {
                    *sum -= deviation;
                }
            }
            self.refresh(network, &old);
        }
    }

    fn refresh(&mut self, network: &Network, changed: &[(EdgeId, i64)]) {
        for &(edge, _) in changed {
            let Some(&sum) = self.sums.get(edge.index()) else { continue };
            self.seconds[edge.index()] = if sum == 0 {
                0.0
            } else {
                let lane = network.lane(network.edge(edge).first_lane);
                let deviation = sum as f64 / 1e6 / f64::from(self.samples);
                lane.length_m / (lane.speed_mps - deviation).max(MIN_SPEED_MPS)
            };
        }
    }

    /// Seconds that the traffic took for an edge; 0 where there was none.
    #[inline]
    pub fn seconds(&self, edge: EdgeId) -> f64 {
        self.seconds[edge.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sumo::NetworkBuilder;
    use crate::xml::XmlReader;

    const NET: &str = r#"<net version="1.20">
        <edge id="a" from="x" to="y"><lane id="a_0" index="0" speed="10" length="100" shape="0,0 100,0"/></edge>
        <junction id="x" type="dead_end" x="0" y="0" incLanes="" intLanes="" shape="0,0"/>
        <junction id="y" type="dead_end" x="100" y="0" incLanes="a_0" intLanes="" shape="100,0"/>
    </net>"#;

    #[test]
    fn speeds_are_averaged_over_the_window_and_then_forgotten() {
        let mut builder = NetworkBuilder::new();
        builder.read_net(&mut XmlReader::new("n", NET.as_bytes()), &mut Default::default()).expect("a network");
        let network = builder.finish(&mut Default::default()).expect("a network");
        let mut delays = EdgeDelays::new(1, 2, 10);
        let edge = EdgeId(0);
        assert_eq!(delays.seconds(edge), 0.0);
        // Standing for 10 of the 20 samples of the window: half of the limit.
        delays.push(&network, vec![(edge, 10 * 10_000_000)]);
        assert_eq!(delays.seconds(edge), 20.0);
        delays.push(&network, vec![]);
        assert_eq!(delays.seconds(edge), 20.0);
        delays.push(&network, vec![]);
        assert_eq!(delays.seconds(edge), 0.0);
    }
}
