//! Junctions that a cut must not separate.

use super::partition::Cut;
use super::{Network, loops_of, signal_approaches};
use crate::ids::JunctionId;

/// Brings all junctions that an actuated signal controls, and those before which its loops lie, into one partition: the
/// signal's state depends on the vehicles before all of them, and a partition has to own that state. A partition may lose all
/// its roads by this. All other edges stay where the cut has them.
pub fn join_actuated_signals(network: &Network, cut: &mut Cut) {
    let mut groups = Groups { leader: (0..network.junctions.len()).collect() };
    let mut actuated = Vec::new();
    if !network.signals.iter().any(|signal| signal.is_actuated()) {
        return;
    }
    for (signal, approaches) in network.signals.iter().zip(signal_approaches(network)) {
        if !signal.is_actuated() {
            continue;
        }
        // Where loops lie does not depend on the jam threshold.
        let loops = signal.programs.iter().flat_map(|program| loops_of(network, &approaches, program, None));
        let lanes = approaches.iter().map(|(_, lane)| *lane).chain(loops.map(|l| l.lane));
        let mut junctions = lanes.map(|lane| network.edge_of(lane).to);
        if let Some(first) = junctions.next() {
            actuated.push(first);
            junctions.for_each(|other| groups.join(first, other));
        }
    }
    let mut is_group = vec![false; network.junctions.len()];
    actuated.into_iter().for_each(|junction| is_group[groups.of(junction)] = true);
    let mut part_of_group: Vec<Option<u16>> = vec![None; network.junctions.len()];
    for (edge, part) in network.edges.iter().zip(&mut cut.part_of_edge) {
        let group = groups.of(edge.to);
        if is_group[group] {
            *part = *part_of_group[group].get_or_insert(*part);
        }
    }
}

/// Disjoint sets of junctions.
struct Groups {
    leader: Vec<usize>,
}

impl Groups {
    fn of(&mut self, junction: JunctionId) -> usize {
        let mut at = junction.index();
        while self.leader[at] != at {
            self.leader[at] = self.leader[self.leader[at]];
            at = self.leader[at];
        }
        at
    }

    fn join(&mut self, a: JunctionId, b: JunctionId) {
        let (a, b) = (self.of(a), self.of(b));
        self.leader[a.max(b)] = a.min(b);
    }
}
