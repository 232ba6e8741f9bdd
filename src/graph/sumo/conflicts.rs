//! Where the paths of lanes inside a junction cross or merge, from the geometry of their centre lines.

use super::builder::NetworkBuilder;
use super::polyline::{Crossing, Polyline};
use crate::graph::{Conflict, JunctionKind, Lane, Link, Network, Span};
use crate::ids::{LaneId, LinkId};

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
    /// Metres from the start of its connection to its own.
    offset_m: f64,
    /// It is the last internal lane of its connection.
    last: bool,
}

/// An area on two lanes: begin and end on the first, begin and end on the second, metres.
pub(in crate::graph) type Area = [f64; 4];

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
            let ways: Vec<Vec<Path>> = entries.iter().map(|&entry| self.paths(network, entry)).collect();
            for (at, way) in ways.iter().enumerate() {
                for other in &ways[at + 1..] {
                    self.compare_ways(way, other, &mut found);
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
            let offset_m = paths.last().map_or(0.0, |before: &Path| before.offset_m + before.lane.length_m);
            paths.push(Path { id: link.next, lane, line, entry, offset_m, last: false });
            link = network.link(LinkId(lane.links.start));
        }
        if let Some(path) = paths.last_mut() {
            path.last = true;
        }
        paths
    }

    fn compare_ways(&self, way: &[Path], other: &[Path], found: &mut Vec<(LaneId, Conflict)>) {
        let (Some(first), Some(other_first)) = (way.first(), other.first()) else { return };
        let parting =
            (first.entry.from == other_first.entry.from).then(|| Parting::of(&first.strip(), &other_first.strip()));
        for a in way {
            for b in other {
                self.compare(a, b, parting.as_ref(), found);
            }
        }
    }

    /// `parting`: where the ways part when both come from one lane.
    fn compare(&self, a: &Path, b: &Path, parting: Option<&Parting>, found: &mut Vec<(LaneId, Conflict)>) {
        let merge = a.last && b.last && a.entry.to == b.entry.to;
        let is_foe = self.is_foe(a.entry, b.entry) || self.is_foe(b.entry, a.entry);
        if !merge && !is_foe && parting.is_none() {
            return;
        }
        let shared = parting.and_then(|parting| parting.shared(a.place(), b.place()));
        let same_source = shared.is_some();
        if !merge && !is_foe && !same_source {
            return;
        }
        let Some(area) = meeting_of(&a.strip(), &b.strip(), merge, shared) else { return };
        let [begin_m, end_m, foe_begin_m, foe_end_m] = area;
        let yields = self.yields(a.entry, b.entry);
        let foe_yields = self.yields(b.entry, a.entry);
        let conflict =
            Conflict { foe: b.id, begin_m, end_m, foe_begin_m, foe_end_m, merge, same_source, yields, foe_yields };
        found.push((a.id, conflict));
        found.push((b.id, conflict.mirrored(a.id)));
    }
}

/// A lane as far as it can be in the way of others.
struct Strip<'a> {
    line: &'a Polyline<'a>,
    width_m: f64,
    length_m: f64,
}

impl<'a> Path<'a> {
    /// Start and end on its connection, metres.
    fn place(&self) -> [f64; 2] {
        [self.offset_m, self.offset_m + self.lane.length_m]
    }

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

impl Body<'_> {
    fn strip<'a>(&self, line: &'a Polyline<'a>) -> Strip<'a> {
        Strip { line, width_m: self.width_m, length_m: self.length_m }
    }
}

/// Where two ways through a junction that come from one lane part. A vehicle follows another one up to there.
pub(in crate::graph) enum Parting {
    /// On their first lanes: the area on both, metres along the lanes.
    First(Area),
    /// Not on the shorter one of their first lanes. Until one of the ways ends they are taken to be one, as in SUMO, where a
    /// vehicle waits for the tail of a left-turner for that long.
    Never,
}

impl Parting {
    fn of(a: &Strip, b: &Strip) -> Self {
        match a.line.parts_after(b.line, clearance_m(a, b)) {
            Some(along) => Self::First(on_lanes(a, b, [0.0, along, 0.0, along])),
            None => Self::Never,
        }
    }

    /// Of the first lanes of two ways.
    pub(in crate::graph) fn of_lanes(a: Body<'_>, b: Body<'_>) -> Self {
        let lines = [Polyline::new(a.line), Polyline::new(b.line)];
        Self::of(&a.strip(&lines[0]), &b.strip(&lines[1]))
    }

    /// The area that two lanes share which begin and end at these distances along their ways, metres; `None` if they do not.
    pub(in crate::graph) fn shared(&self, [begin, end]: [f64; 2], [other_begin, other_end]: [f64; 2]) -> Option<Area> {
        match self {
            Self::First(area) => (begin == 0.0 && other_begin == 0.0).then_some(*area),
            Self::Never => {
                let (from, to) = (begin.max(other_begin), end.min(other_end));
                (from < to).then_some([from - begin, to - begin, from - other_begin, to - other_begin])
            }
        }
    }
}

/// Where two lanes of a junction are in each other's way: begin and end on the first, begin and end on the second, in metres
/// along the lanes. `merge`: they lead to the same lane; `shared`: what they share because their ways come from one lane.
pub(in crate::graph) fn meeting(a: Body<'_>, b: Body<'_>, merge: bool, shared: Option<Area>) -> Option<Area> {
    let lines = [Polyline::new(a.line), Polyline::new(b.line)];
    meeting_of(&a.strip(&lines[0]), &b.strip(&lines[1]), merge, shared)
}

fn meeting_of(a: &Strip, b: &Strip, merge: bool, shared: Option<Area>) -> Option<Area> {
    if shared.is_some() {
        return shared;
    }
    Some(on_lanes(a, b, conflict_area(a, b, merge)?))
}

/// Vehicles on centre lines closer than this are in each other's way, metres.
fn clearance_m(a: &Strip, b: &Strip) -> f64 {
    CLEARANCE_M.min((a.width_m + b.width_m) / 2.0)
}

/// The smallest area that holds everything where the two lanes are in each other's way, or `None`.
fn conflict_area(a: &Strip, b: &Strip, merge: bool) -> Option<Area> {
    let mut area = None;
    let clearance_m = clearance_m(a, b);
    if merge {
        let close = [(a, b), (b, a)].map(|(x, y)| x.line.length() - x.line.stays_close(y.line, clearance_m));
        area = Some([close[0], a.line.length(), close[1], b.line.length()]);
    }
    for crossing in a.line.crossings(b.line) {
        // Lines that meet touch at their ends; that is covered above.
        let at_end = merge && a.line.length() - crossing.at < clearance_m;
        if at_end {
            continue;
        }
        let half_a = half_extent(&crossing, b.width_m);
        let half_b = half_extent(&crossing, a.width_m);
        let (at, other_at) = (crossing.at, crossing.other_at);
        area = Some(join(area, [at - half_a, at + half_a, other_at - half_b, other_at + half_b]));
    }
    area
}

/// Half of the length of a crossing on one line, where the other lane is `foe_width_m` wide (as vehicles halt before crossings in
/// SUMO 1.28, at 30 crossings of 26° to 90°).
fn half_extent(crossing: &Crossing, foe_width_m: f64) -> f64 {
    foe_width_m / crossing.sine.max(LEAST_SINE) - foe_width_m / 2.0
}

fn join(area: Option<Area>, other: Area) -> Area {
    let Some(area) = area else { return other };
    [area[0].min(other[0]), area[1].max(other[1]), area[2].min(other[2]), area[3].max(other[3])]
}

/// Scales an area along the shapes to the stated lengths of the lanes and clamps it to them.
fn on_lanes(a: &Strip, b: &Strip, area: Area) -> Area {
    let on = |strip: &Strip, at: f64| {
        let drawn = strip.line.length();
        let scale = if drawn > 0.0 { strip.length_m / drawn } else { 1.0 };
        (at * scale).clamp(0.0, strip.length_m)
    };
    [on(a, area[0]), on(a, area[1]), on(b, area[2]), on(b, area[3])]
}
