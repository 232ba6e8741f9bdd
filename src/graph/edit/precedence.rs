//! Right of way of a new connection against the others of its junction.
//!
//! Two connections are in conflict when they lead onto the same lane or their ways come too near to each other. Then, at junctions
//! with a rule of their own (all-way stop, alternating merge) both mind each other, and else one yields: who turns round; who comes
//! from an edge of lower priority, unless the junction is one of right before left; who turns left against oncoming traffic; who
//! has the other on the right. At signals this counts while both see a green that is not a protected one.

use std::cmp::Ordering;

use super::draft::Draft;
use super::geometry::{cross, dot, points};
use crate::graph::sumo::{Body, Parting, meeting};
use crate::graph::{Conflict, JunctionKind, RightOfWay, Turn};

/// Cosine of the angle between headings beyond which traffic counts as oncoming.
const ONCOMING_COSINE: f64 = -0.8;

impl Draft {
    /// Finds the foes of a way that was added last, and who yields.
    pub fn settle_precedence(&mut self, new: usize) {
        let Some(entry) = self.entry(new) else { return };
        let (junction, from) = (entry.link.junction, entry.from);
        let others: Vec<usize> = self.ways_at(junction).filter(|way| *way != new).collect();
        for other in others {
            let is_foe = self.find_conflicts(new, other);
            // Who comes from the same lane is settled there.
            if !is_foe || self.entry(other).is_some_and(|entry| entry.from == from) {
                continue;
            }
            let (mut yields, mut other_yields) = self.who_yields(new, other);
            if matches!(self.junctions[junction.index()].kind, JunctionKind::Unregulated) {
                (yields, other_yields) = (false, false);
            }
            self.mind(new, other, yields);
            self.mind(other, new, other_yields);
            self.note_yielding(new, other, yields, other_yields);
        }
        let right_of_way = match self.junctions[junction.index()].kind {
            JunctionKind::AllwayStop => RightOfWay::AllwayStop,
            JunctionKind::Zipper => RightOfWay::Zipper,
            JunctionKind::RightBeforeLeft => RightOfWay::Equal,
            _ if self.links[self.ways[new][0]].yields_to.is_empty() => RightOfWay::Major,
            _ => RightOfWay::Minor,
        };
        self.links[self.ways[new][0]].link.right_of_way = right_of_way;
    }

    /// Enters `foe` into the lists of a way, at its entry and where it may wait inside the junction.
    fn mind(&mut self, way: usize, foe: usize, yields: bool) {
        for at in self.ways[way].clone() {
            let draft = &mut self.links[at];
            if draft.link.exit || draft.link.request == u32::MAX {
                continue;
            }
            draft.foes.push(foe);
            if yields {
                // A signal says by itself who yields.
                if draft.yields_to.is_empty()
                    && draft.link.right_of_way == RightOfWay::Major
                    && draft.link.signal.is_none()
                {
                    (draft.link.right_of_way, draft.link.lowered) = (RightOfWay::Minor, true);
                }
                draft.yields_to.push(foe);
            }
        }
    }

    /// A way is gone: nobody minds it any more, and who had lost priority to it has it again.
    pub fn forget_foe(&mut self, way: usize) {
        for draft in &mut self.links {
            draft.foes.retain(|foe| *foe != way);
            draft.yields_to.retain(|foe| *foe != way);
            if draft.link.lowered && draft.yields_to.is_empty() {
                (draft.link.right_of_way, draft.link.lowered) = (RightOfWay::Major, false);
            }
        }
    }

    /// Whether the first way yields to the second, and the second to the first.
    fn who_yields(&self, way: usize, other: usize) -> (bool, bool) {
        let (Some(a), Some(b)) = (self.entry(way), self.entry(other)) else { return (false, false) };
        let kind = self.junctions[a.link.junction.index()].kind;
        if matches!(kind, JunctionKind::AllwayStop | JunctionKind::Zipper) {
            return (true, true);
        }
        let priority = |from: usize| self.at(self.lanes[from].edge).edge.priority;
        let by_priority = match kind {
            JunctionKind::RightBeforeLeft => Ordering::Equal,
            _ => priority(a.from).cmp(&priority(b.from)),
        };
        let rounds = [a, b].map(|entry| entry.link.turn == Turn::Turnaround);
        let lefts = [a, b].map(|entry| matches!(entry.link.turn, Turn::Left | Turn::PartLeft));
        let [from_a, _] = self.headings(a.from, a.to);
        let [from_b, _] = self.headings(b.from, b.to);
        let is_oncoming = dot(from_a.along, from_b.along) < ONCOMING_COSINE;
        let yields = if rounds[0] != rounds[1] {
            rounds[0]
        } else if by_priority != Ordering::Equal {
            by_priority == Ordering::Less
        } else if is_oncoming && lefts[0] != lefts[1] {
            lefts[0]
        } else {
            let side = cross(from_a.along, from_b.along);
            // Side by side the right one goes first, which is the one that was there where even that does not tell.
            if is_oncoming || side.abs() < 0.1 { way > other } else { side > 0.0 }
        };
        (yields, !yields)
    }

    /// Lists where the lanes of two ways cross or merge. Returns whether they do.
    fn find_conflicts(&mut self, way: usize, other: usize) -> bool {
        let (Some(a), Some(b)) = (self.entry(way), self.entry(other)) else { return false };
        let (same_target, same_from) = (a.to == b.to, a.from == b.from);
        let inner = [way, other].map(|way| self.inside(way).collect::<Vec<_>>());
        if inner.iter().any(Vec::is_empty) {
            // Without lanes inside the junction the air lines tell.
            let lines = [a, b].map(|entry| self.headings(entry.from, entry.to).map(|heading| heading.at));
            let [first, second] = [&lines[0], &lines[1]].map(|line| Body { line, width_m: 0.0, length_m: 1.0 });
            return same_target || !same_from && meeting(first, second, false, None).is_some();
        }
        let lines =
            inner.each_ref().map(|way| way.iter().map(|key| points(&self.lanes[*key].shape)).collect::<Vec<_>>());
        let body = |at: usize, part: usize| {
            let lane = &self.lanes[inner[at][part]].lane;
            Body { line: &lines[at][part], width_m: lane.width_m, length_m: lane.length_m }
        };
        let parting = same_from.then(|| Parting::of_lanes(body(0, 0), body(1, 0)));
        // Where a lane begins and ends on its way.
        let place = |at: usize, part: usize| {
            let begin: f64 = (0..part).map(|before| body(at, before).length_m).sum();
            [begin, begin + body(at, part).length_m]
        };
        let mut found = Vec::new();
        for (i, &x) in inner[0].iter().enumerate() {
            for (j, &y) in inner[1].iter().enumerate() {
                let merge = same_target && i + 1 == inner[0].len() && j + 1 == inner[1].len();
                let shared = parting.as_ref().and_then(|parting| parting.shared(place(0, i), place(1, j)));
                let same_source = shared.is_some();
                let Some(area) = meeting(body(0, i), body(1, j), merge, shared) else { continue };
                let [begin_m, end_m, foe_begin_m, foe_end_m] = area;
                found.push((
                    x,
                    y,
                    Conflict {
                        foe: crate::ids::LaneId::NONE,
                        begin_m,
                        end_m,
                        foe_begin_m,
                        foe_end_m,
                        merge,
                        same_source,
                        yields: false,
                        foe_yields: false,
                    },
                ));
            }
        }
        let mut is_foe = same_target;
        for (x, y, conflict) in found {
            is_foe |= !conflict.same_source;
            self.lanes[x].conflicts.push((y, conflict));
            self.lanes[y].conflicts.push((x, conflict.mirrored(conflict.foe)));
        }
        is_foe
    }

    fn note_yielding(&mut self, way: usize, other: usize, yields: bool, other_yields: bool) {
        let inner = [way, other].map(|way| self.inside(way).collect::<Vec<_>>());
        for (own, foes, yields, foe_yields) in
            [(&inner[0], &inner[1], yields, other_yields), (&inner[1], &inner[0], other_yields, yields)]
        {
            for key in own {
                let between = self.lanes[*key].conflicts.iter_mut().filter(|(foe, _)| foes.contains(foe));
                for (_, conflict) in between {
                    (conflict.yields, conflict.foe_yields) = (yields, foe_yields);
                }
            }
        }
    }
}
