//! The road network as the kernel sees it: flat arrays, linked by ids, immutable during a run.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::signal::Signal;
use crate::graph::VehicleClass;
use crate::ids::{EdgeId, JunctionId, LaneId, LinkId, SignalId};

/// A half-open range into one of the pools of a [`Network`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    pub fn new(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }
    #[inline]
    pub fn range(self) -> Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// Set of vehicle classes, one bit per class of [`crate::graph::VehicleClass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions(pub u64);

impl Permissions {
    pub const ALL: Self = Self(u64::MAX);
    pub const NONE: Self = Self(0);
    #[inline]
    pub fn allows(self, class: VehicleClass) -> bool {
        self.0 & class.bit() == class.bit()
    }
}

/// What an edge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EdgeKind {
    /// A road.
    Normal,
    /// The way of one connection through a junction.
    Internal,
    /// Pedestrian crossing or walking area: kept for its id, never driven.
    Pedestrian,
    /// Taken out by an edit: kept for its number, never driven.
    Removed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Edge {
    /// `id` in the net file, for example `"gneE3"` or `":J1_0"`.
    pub name: Box<str>,
    pub kind: EdgeKind,
    /// Lane 0 is the rightmost; the others follow at `first_lane + 1 …`.
    pub first_lane: LaneId,
    pub lane_count: u32,
    /// For an internal edge both are the junction that it crosses.
    pub from: JunctionId,
    pub to: JunctionId,
    pub priority: i32,
    /// Metres; the longest of its lanes (in SUMO nets all are equal).
    pub length_m: f64,
    /// Is part of a `<roundabout>`.
    pub roundabout: bool,
}

impl Edge {
    pub fn lanes(&self) -> impl DoubleEndedIterator<Item = LaneId> + Clone + use<> {
        (self.first_lane.0..self.first_lane.0 + self.lane_count).map(LaneId)
    }
    pub fn is_internal(&self) -> bool {
        self.kind == EdgeKind::Internal
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lane {
    pub edge: EdgeId,
    /// 0 is the rightmost lane of the edge.
    pub index: u32,
    pub length_m: f64,
    pub speed_mps: f64,
    pub width_m: f64,
    pub allowed: Permissions,
    /// Speed limits of single classes: a place in `Network::class_limits` plus 1; 0: `speed_mps` holds for all.
    pub class_limits: u16,
    /// Classes that may change from this lane to its left (right) neighbour.
    pub change_left: Permissions,
    pub change_right: Permissions,
    pub internal: bool,
    /// Outgoing links: a span of `Network::links` (links are stored grouped by their `from` lane, in file order).
    pub links: Span,
    /// The link that leads into this lane when it is internal (there is exactly one), else NONE.
    pub entry: LinkId,
    /// Incoming links: a span of `Network::incoming`.
    pub incoming: Span,
    /// Where this internal lane meets other internal lanes: a span of `Network::conflicts`; empty for normal lanes.
    pub conflicts: Span,
    /// Centre line: a span of `Network::points`.
    pub shape: Span,
}

impl Lane {
    /// As in SUMO where nothing is said.
    pub const DEFAULT_WIDTH_M: f64 = 3.2;
    pub const DEFAULT_SPEED_MPS: f64 = 13.89;
    /// No lane is shorter, as in SUMO's own nets.
    pub const LEAST_LENGTH_M: f64 = 0.1;

    /// The only lane of a road, for everybody, without links and shape.
    pub fn new(edge: EdgeId, length_m: f64, speed_mps: f64) -> Self {
        Self {
            edge,
            index: 0,
            length_m,
            speed_mps,
            width_m: Self::DEFAULT_WIDTH_M,
            allowed: Permissions::ALL,
            class_limits: 0,
            change_left: Permissions::ALL,
            change_right: Permissions::ALL,
            internal: false,
            links: Span::default(),
            entry: LinkId::NONE,
            incoming: Span::default(),
            conflicts: Span::default(),
            shape: Span::default(),
        }
    }

    /// The one link that leaves an internal lane; NONE where the network has none.
    #[inline]
    pub fn only_link(&self) -> LinkId {
        if self.links.is_empty() { LinkId::NONE } else { LinkId(self.links.start) }
    }
}

/// `dir` of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turn {
    Straight,
    Turnaround,
    Left,
    Right,
    PartLeft,
    PartRight,
    NoDir,
}

/// Right of way of a link when no signal controls it (`state` of a connection; `o`/`O` say that a signal is off).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RightOfWay {
    /// `M`: a major link.
    Major,
    /// `m`: must yield to its foes.
    Minor,
    /// `=`: right before left.
    Equal,
    /// `s`: must stop first.
    Stop,
    /// `w`: all-way stop, first come first served.
    AllwayStop,
    /// `Z`: alternating merge.
    Zipper,
    /// `o`: blinking, to be passed like a minor link. `O` (off, no signal) reads as [`RightOfWay::Major`].
    OffBlinking,
    /// `-`: a dead end.
    DeadEnd,
}

/// One step of a way from lane to lane. A connection through a junction is a chain of links:
/// *entry* (from the incoming lane onto the first internal lane; here right of way is decided), perhaps *internal*
/// (from an internal lane over an internal junction, where left turners wait, onto the next internal lane; here it is
/// decided again) and *exit* (onto the outgoing lane; always free). In a net without internal lanes there is only the entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Link {
    pub from: LaneId,
    /// The lane that a vehicle is on after passing this link: internal for entry links, else `to`.
    pub next: LaneId,
    /// The normal lane where the whole connection ends.
    pub to: LaneId,
    pub junction: JunctionId,
    /// Index into the requests of the junction; `u32::MAX` for exit links.
    pub request: u32,
    /// The signal that controls it, or NONE.
    pub signal: SignalId,
    /// `linkIndex`: position in the state strings of the signal.
    pub signal_index: u32,
    pub turn: Turn,
    pub right_of_way: RightOfWay,
    /// Do not enter the junction without room behind it.
    pub keep_clear: bool,
    /// `cont`: may enter the junction and wait at an internal junction inside it.
    pub cont: bool,
    /// Leads out of the junction; never yields.
    pub exit: bool,
    /// An edit took its priority: it has it again when what it yields to is gone.
    pub lowered: bool,
    /// Metres over the internal lanes from here to `to`; 0 without internal lanes.
    pub via_length_m: f64,
    /// Links to which this link yields (`response`), a span of `Network::foe_links`. For an internal link (from an
    /// internal lane) the links that its internal junction (`incLanes`) yields to.
    pub yields_to: Span,
    /// All links in conflict (`foes`), a span of `Network::foe_links`.
    pub foes: Span,
    /// Some other link yields to this one, so vehicles that approach it must be known to others.
    pub watched: bool,
    /// Metres before the stop line from where a driver sees the foes (SUMO: 4.5 by default, `visibility`).
    pub visibility_m: f64,
}

impl Link {
    pub fn is_entry(&self, network: &Network) -> bool {
        !network.lanes[self.from.index()].internal
    }
}

/// A place where the paths of two internal lanes of a junction cross or merge. Distances are measured along the centre
/// lines from the start of the lane, in metres.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Conflict {
    /// The other lane.
    pub foe: LaneId,
    /// Where this lane's conflict area begins and ends (for a merge: ends at the lane's end).
    pub begin_m: f64,
    pub end_m: f64,
    /// The same on the other lane.
    pub foe_begin_m: f64,
    pub foe_end_m: f64,
    /// Both lanes lead to the same lane.
    pub merge: bool,
    /// Both lanes come from the same lane (they diverge; only relevant while bodies overlap).
    pub same_source: bool,
    /// This lane's connection yields to the other's (from `response`).
    pub yields: bool,
    /// The other lane's connection yields to this one's.
    pub foe_yields: bool,
}

impl Conflict {
    /// The same place as the other lane has it; `lane` is the one that this conflict is of.
    pub fn mirrored(&self, lane: LaneId) -> Self {
        Self {
            foe: lane,
            begin_m: self.foe_begin_m,
            end_m: self.foe_end_m,
            foe_begin_m: self.begin_m,
            foe_end_m: self.end_m,
            yields: self.foe_yields,
            foe_yields: self.yields,
            ..*self
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JunctionKind {
    Priority,
    RightBeforeLeft,
    TrafficLight,
    TrafficLightRightOnRed,
    AllwayStop,
    Zipper,
    Unregulated,
    DeadEnd,
    RailCrossing,
    Other,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Junction {
    pub name: Box<str>,
    pub kind: JunctionKind,
    /// Position in metres of the network's coordinate system.
    pub x: f64,
    pub y: f64,
}

/// Speed limits of single vehicle classes (`<type>` with `<restriction vClass="…" speed="…"/>`). In place of the limit of the
/// lane, also where they are higher, as in SUMO.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassLimits {
    pub mps: Vec<(VehicleClass, f64)>,
}

impl ClassLimits {
    pub fn of(&self, class: VehicleClass) -> Option<f64> {
        self.mps.iter().find(|(limited, _)| *limited == class).map(|(_, mps)| *mps)
    }
}

/// How network coordinates relate to the world (`<location>`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Location {
    pub net_offset: [f64; 2],
    pub boundary: [f64; 4],
    pub projection: Box<str>,
}

/// The immutable road network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Network {
    pub edges: Vec<Edge>,
    pub lanes: Vec<Lane>,
    pub links: Vec<Link>,
    pub junctions: Vec<Junction>,
    pub signals: Vec<Signal>,
    /// Pool of `Link::yields_to` and `Link::foes`.
    pub foe_links: Vec<LinkId>,
    /// Pool of `Lane::incoming`.
    pub incoming: Vec<LinkId>,
    /// Pool of `Lane::conflicts`.
    pub conflicts: Vec<Conflict>,
    /// Pool of `Lane::shape`.
    pub points: Vec<[f32; 2]>,
    pub location: Location,
    /// See [`Lane::class_limits`].
    pub class_limits: Vec<ClassLimits>,
    /// Lane 0 is the leftmost one. The file is mirrored, so nothing else differs.
    pub lefthand: bool,
}

impl Network {
    #[inline]
    pub fn edge(&self, id: EdgeId) -> &Edge {
        &self.edges[id.index()]
    }
    #[inline]
    pub fn signal(&self, id: SignalId) -> &Signal {
        &self.signals[id.index()]
    }
    #[inline]
    pub fn lane(&self, id: LaneId) -> &Lane {
        &self.lanes[id.index()]
    }
    #[inline]
    pub fn link(&self, id: LinkId) -> &Link {
        &self.links[id.index()]
    }
    /// The lane before an internal one; `NONE` where an edit has taken the connection between them.
    #[inline]
    pub fn lane_before(&self, internal: &Lane) -> LaneId {
        if internal.entry.is_none() { LaneId::NONE } else { self.link(internal.entry).from }
    }
    /// Ids of the links that leave a lane.
    #[inline]
    pub fn links_of(&self, lane: LaneId) -> impl Iterator<Item = LinkId> + use<> {
        let span = self.lanes[lane.index()].links;
        (span.start..span.start + span.len).map(LinkId)
    }
    /// Whether the way of a link through its junction is over an internal lane.
    pub fn leads_through(&self, link: LinkId, lane: LaneId) -> bool {
        let onward = |at: &LaneId| {
            let link = self.lane(*at).only_link();
            let next = (self.lane(*at).internal && link.is_some()).then(|| self.link(link).next)?;
            self.lane(next).internal.then_some(next)
        };
        std::iter::successors(Some(self.link(link).next), onward).any(|at| at == lane)
    }
    #[inline]
    pub fn edge_of(&self, lane: LaneId) -> &Edge {
        &self.edges[self.lanes[lane.index()].edge.index()]
    }
    /// Speed limit of a lane for a class, m/s.
    #[inline]
    pub fn limit_mps(&self, lane: &Lane, class: VehicleClass) -> f64 {
        if lane.class_limits == 0 { lane.speed_mps } else { self.class_limit_mps(lane, class) }
    }

    #[cold]
    fn class_limit_mps(&self, lane: &Lane, class: VehicleClass) -> f64 {
        let limits = self.class_limits.get(usize::from(lane.class_limits) - 1);
        limits.and_then(|limits| limits.of(class)).unwrap_or(lane.speed_mps)
    }

    /// The highest limit of a lane for any class, m/s.
    pub fn highest_limit_mps(&self) -> f64 {
        let of_classes = self.class_limits.iter().flat_map(|limits| limits.mps.iter().map(|(_, mps)| *mps));
        self.lanes.iter().map(|lane| lane.speed_mps).chain(of_classes).fold(0.0, f64::max)
    }

    /// `edge_index`, SUMO's lane id.
    pub fn lane_name(&self, lane: LaneId) -> String {
        let l = self.lane(lane);
        format!("{}_{}", self.edge(l.edge).name, l.index)
    }
}
