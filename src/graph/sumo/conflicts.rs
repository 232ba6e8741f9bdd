//! Where the paths of lanes inside a junction cross or merge, from the geometry of their centre lines.

use super::builder::NetworkBuilder;
use super::polyline::{Crossing, Polyline};
use crate::graph::{Conflict, JunctionKind, Lane, Link, Network, Span};
use crate::ids::{LaneId, LinkId};

/// Width that vehicles are taken to have here; the widest class of road vehicles is not much wider.
const BODY_WIDTH_M: f64 = 1.8;
/// Vehicles on centre lines closer than this are in each other's way: a body and some room between.
const CLEARANCE_M: f64 = 2.5;
/// Paths at a sharper angle would have conflict areas longer than the junction.
const LEAST_SINE: f64 = 0.2;

/// An internal lane with what decides its conflicts.
struct Path<'a> {
    id: LaneId,
    lane: &'a Lane,
    line: Polyline<'a>,
    /// Entry link of its connection.
    entry: &'a Link,
    /// It is the first (last) internal lane of its connection.
    first: bool,
    last: bool,
}

/// An area on two lanes: begin and end on the first, begin and end on the second, in metres along the shape.
type Area = [f64; 4];

impl NetworkBuilder {
    /// Finds all conflicts; links and requests are resolved.
    pub(super) fn find_conflicts(&self, network: &mut Network) {
        let mut entries: Vec<Vec<LinkId>> = vec![Vec::new(); self.junctions.len()];
        for (at, link) in network.links.iter().enumerate() {
            if link.is_entry(network) && link.next != link.to {
                entries[link.junction.index()].push(LinkId::new(at));
            }
        }
        let mut found: Vec<(LaneId, Conflict)> = Vec::new();
        for (entries, draft) in entries.iter().zip(&self.junctions) {
            // Without regulation everybody drives as if alone, as in SUMO.
            if entries.len() < 2 || draft.junction.kind == JunctionKind::Unregulated {
                continue;
            }
            let paths: Vec<Path> = entries.iter().flat_map(|&entry| self.paths(network, entry)).collect();
            for (at, a) in paths.iter().enumerate() {
                for b in &paths[at + 1..] {
                    self.compare(a, b, &mut found);
                }
            }
        }
        // Stable: the conflicts of a lane stay in the order of the foes.
        found.sort_by_key(|(lane, _)| *lane);
        for (at, (lane, conflict)) in found.iter().enumerate() {
            let span = &mut network.lanes[lane.index()].conflicts;
            if span.is_empty() {
                *span = Span::new(at, 0);
            }
            span.len += 1;
            network.conflicts.push(*conflict);
        }
    }

    /// The internal lanes of the connection that begins with `entry`.
    fn paths<'a>(&'a self, network: &'a Network, entry: LinkId) -> Vec<Path<'a>> {
        let entry = network.link(entry);
        let mut paths = Vec::with_capacity(2);
        let mut link = entry;
        while link.next != link.to {
            let lane = network.lane(link.next);
            let line = Polyline::new(&self.points[lane.shape.range()]);
            let first = paths.is_empty();
            paths.push(Path { id: link.next, lane, line, entry, first, last: false });
            link = network.link(LinkId(lane.links.start));
        }
        if let Some(path) = paths.last_mut() {
            path.last = true;
        }
        paths
    }

    fn compare(&self, a: &Path, b: &Path, found: &mut Vec<(LaneId, Conflict)>) {
        if std::ptr::eq(a.entry, b.entry) {
            return;
        }
        let merge = a.last && b.last && a.entry.to == b.entry.to;
        let same_source = a.first && b.first && a.entry.from == b.entry.from;
        let is_foe = self.is_foe(a.entry, b.entry) || self.is_foe(b.entry, a.entry);
        if !merge && !same_source && !is_foe {
            return;
        }
        let Some(area) = meeting_of(&a.strip(), &b.strip(), merge, same_source) else { return };
        let [begin_m, end_m, foe_begin_m, foe_end_m] = area;
        let yields = self.yields(a.entry, b.entry);
        let foe_yields = self.yields(b.entry, a.entry);
        let conflict =
            Conflict { foe: b.id, begin_m, end_m, foe_begin_m, foe_end_m, merge, same_source, yields, foe_yields };
        found.push((a.id, conflict));
        let mirrored = Conflict {
            foe: a.id,
            begin_m: foe_begin_m,
            end_m: foe_end_m,
            foe_begin_m: begin_m,
            foe_end_m: end_m,
            yields: foe_yields,
            foe_yields: yields,
            ..conflict
        };
        found.push((b.id, mirrored));
    }
}

/// A lane as far as it can be in the way of others.
struct Strip<'a> {
    line: &'a Polyline<'a>,
    width_m: f64,
    length_m: f64,
}

impl<'a> Path<'a> {
    fn strip(&'a self) -> Strip<'a> {
        Strip { line: &self.line, width_m: self.lane.width_m, length_m: self.lane.length_m }
    }
}

/// A lane through a junction, of which a network knows nothing yet.
#[derive(Clone, Copy, Debug)]
pub(in crate::graph) struct Body<'a> {
    /// Centre line: two points or more.
    pub line: &'a [[f64; 2]],
    pub width_m: f64,
    /// As it is stated; the line may be drawn longer or shorter.
    pub length_m: f64,
}

/// Where two lanes of a junction are in each other's way: begin and end on the first, begin and end on the second, in metres
/// along the lanes. `merge`: they lead to the same lane; `same_source`: they come from the same one.
pub(in crate::graph) fn meeting(a: Body<'_>, b: Body<'_>, merge: bool, same_source: bool) -> Option<Area> {
    let lines = [Polyline::new(a.line), Polyline::new(b.line)];
    let strip = |at: usize, body: &Body| Strip { line: &lines[at], width_m: body.width_m, length_m: body.length_m };
    meeting_of(&strip(0, &a), &strip(1, &b), merge, same_source)
}

fn meeting_of(a: &Strip, b: &Strip, merge: bool, same_source: bool) -> Option<Area> {
    let area = conflict_area(a, b, merge, same_source)?;
    let ([begin_m, end_m], [foe_begin_m, foe_end_m]) = (on_lane(a, area[0], area[1]), on_lane(b, area[2], area[3]));
    Some([begin_m, end_m, foe_begin_m, foe_end_m])
}

/// The smallest area that holds everything where the two lanes are in each other's way, or `None`.
fn conflict_area(a: &Strip, b: &Strip, merge: bool, same_source: bool) -> Option<Area> {
    let mut area = None;
    let clearance_m = CLEARANCE_M.min((a.width_m + b.width_m) / 2.0);
    if merge {
        let close = [(a, b), (b, a)].map(|(x, y)| x.line.length() - x.line.stays_close(y.line, clearance_m, true));
        area = Some([close[0], a.line.length(), close[1], b.line.length()]);
    }
    if same_source {
        let close = [(a, b), (b, a)].map(|(x, y)| x.line.stays_close(y.line, clearance_m, false));
        area = Some(join(area, [0.0, close[0], 0.0, close[1]]));
    }
    for crossing in a.line.crossings(b.line) {
        // Lines that part or meet touch at their ends; that is covered above.
        let at_start = same_source && crossing.at < clearance_m;
        let at_end = merge && a.line.length() - crossing.at < clearance_m;
        if at_start || at_end {
            continue;
        }
        let half_a = half_extent(&crossing, b.width_m);
        let half_b = half_extent(&crossing, a.width_m);
        let (at, other_at) = (crossing.at, crossing.other_at);
        area = Some(join(area, [at - half_a, at + half_a, other_at - half_b, other_at + half_b]));
    }
    area
}

/// Half of the length over which a body on one line touches the strip of the other, which is `strip_m` wide.
fn half_extent(crossing: &Crossing, strip_m: f64) -> f64 {
    (strip_m + BODY_WIDTH_M * crossing.cosine) / 2.0 / crossing.sine.max(LEAST_SINE)
}

fn join(area: Option<Area>, other: Area) -> Area {
    let Some(area) = area else { return other };
    [area[0].min(other[0]), area[1].max(other[1]), area[2].min(other[2]), area[3].max(other[3])]
}

/// Scales distances along the shape to the stated length of the lane and clamps them to it.
fn on_lane(strip: &Strip, begin: f64, end: f64) -> [f64; 2] {
    let drawn = strip.line.length();
    let scale = if drawn > 0.0 { strip.length_m / drawn } else { 1.0 };
    [begin, end].map(|at| (at * scale).clamp(0.0, strip.length_m))
}
