//! Connections: ways through junctions.

use super::change::{LaneLook, NewConnection};
use super::draft::{Draft, EdgeDraft, LaneDraft, LinkDraft};
use super::error::EditError;
use super::geometry::{self, Heading, points, stored};
use crate::graph::{Edge, EdgeKind, JunctionKind, Lane, Link, RightOfWay, Span, Turn};
use crate::ids::{EdgeId, JunctionId, LaneId, SignalId};

/// From how far before the stop line a driver sees the foes, as in the reader.
const VISIBILITY_M: f64 = 4.5;
const ZIPPER_VISIBILITY_M: f64 = 100.0;

impl Draft {
    pub fn add_connection(&mut self, new: &NewConnection) -> Result<(), EditError> {
        let (from, to) = (self.edge(&new.from)?, self.edge(&new.to)?);
        let (ends, begins) = (self.at(from).edge.to, self.at(to).edge.from);
        if ends != begins {
            let name = |junction: JunctionId| self.junctions[junction.index()].name.to_string();
            let (from, to) = (new.from.clone(), new.to.clone());
            return Err(EditError::Apart { from, to, ends: name(ends), begins: name(begins) });
        }
        let (counts, turn) = ([from, to].map(|edge| self.at(edge).lanes.len() as u32), self.turn(from, to));
        let turn = new.turn.unwrap_or(turn);
        // Right turns keep right, left turns left, and who goes straight on stays on the lane.
        let usual = match turn {
            Turn::Left | Turn::PartLeft | Turn::Turnaround => [counts[0] - 1, counts[1] - 1],
            _ => [0, 0],
        };
        let (from_lane, to_lane) = match (new.from_lane, new.to_lane) {
            (Some(from), Some(to)) => (from, to),
            (Some(from), None) if usual[1] == 0 => (from, from.min(counts[1] - 1)),
            (from, to) => (from.unwrap_or(usual[0]), to.unwrap_or(usual[1])),
        };
        let keys = [self.lane_of(from, from_lane)?, self.lane_of(to, to_lane)?];
        let signal = match &new.signal {
            None => None,
            Some((name, index)) => {
                let at = self.signals.iter().position(|signal| *signal.name == **name);
                let at = at.ok_or_else(|| EditError::no_such("signal", name))?;
                let shown = self.shown(SignalId::new(at));
                if *index as usize >= shown {
                    return Err(EditError::LinkIndex { signal: name.clone(), index: *index, shown });
                }
                Some((SignalId::new(at), *index))
            }
        };
        self.connect(keys[0], keys[1], Some(turn), signal)
    }

    /// Letters of the states of a signal, in the shortest of its programs that show something.
    fn shown(&self, signal: SignalId) -> usize {
        let programs = self.signals[signal.index()].programs.iter();
        let widths = programs.filter_map(|program| Some(program.phases.first()?.aspects.len()));
        widths.min().unwrap_or(usize::MAX)
    }

    /// A way from one lane to another at the same junction; at a junction with a signal that of the movement that is most
    /// like it.
    pub fn connect(
        &mut self,
        from: usize,
        to: usize,
        turn: Option<Turn>,
        signal: Option<(SignalId, u32)>,
    ) -> Result<(), EditError> {
        if !self.ways_between(|entry| entry.from == from && entry.to == to).is_empty() {
            return Err(EditError::Connected { from: self.lane_name(from), to: self.lane_name(to) });
        }
        let allowed = self.common(from, to);
        if allowed.0 == 0 {
            return Err(EditError::NobodyMay { from: self.lane_name(from), to: self.lane_name(to) });
        }
        let junction = self.at(self.lanes[from].edge).edge.to;
        let turn = turn.unwrap_or_else(|| self.turn(self.lanes[from].edge, self.lanes[to].edge));
        let signal = match signal {
            Some(signal) => Some(signal),
            None => self.movement_like(junction, from, to, turn)?,
        };
        let via = if self.has_internal { Some(self.inner_lane(junction, from, to)) } else { None };
        let link = Link {
            from: LaneId::NONE,
            next: LaneId::NONE,
            to: LaneId::NONE,
            junction,
            request: self.next_request(junction),
            signal: signal.map_or(SignalId::NONE, |(signal, _)| signal),
            signal_index: signal.map_or(u32::MAX, |(_, index)| index),
            turn,
            right_of_way: RightOfWay::Major,
            keep_clear: true,
            cont: false,
            exit: false,
            lowered: false,
            via_length_m: via.map_or(0.0, |via| self.lanes[via].lane.length_m),
            yields_to: Span::default(),
            foes: Span::default(),
            watched: false,
            visibility_m: match self.junctions[junction.index()].kind {
                JunctionKind::Zipper => ZIPPER_VISIBILITY_M,
                _ => VISIBILITY_M,
            },
        };
        let step = |link: Link, from: usize, next: usize| LinkDraft {
            link,
            from,
            next,
            to,
            yields_to: Vec::new(),
            foes: Vec::new(),
            removed: false,
        };
        let way = self.links.len();
        self.links.push(step(link.clone(), from, via.unwrap_or(to)));
        self.ways.push(vec![way]);
        if let Some(via) = via {
            let exit = Link {
                exit: true,
                request: u32::MAX,
                signal: SignalId::NONE,
                signal_index: u32::MAX,
                via_length_m: 0.0,
                ..link
            };
            self.links.push(step(exit, via, to));
            let number = self.ways.len() - 1;
            self.ways[number].push(way + 1);
        }
        self.settle_precedence(self.ways.len() - 1);
        Ok(())
    }

    fn next_request(&self, junction: JunctionId) -> u32 {
        let used = self.ways_at(junction).filter_map(|way| self.entry(way)).map(|entry| entry.link.request);
        used.filter(|request| *request != u32::MAX).max().map_or(0, |last| last + 1)
    }

    /// A lane through the junction, with an edge of its own.
    fn inner_lane(&mut self, junction: JunctionId, from: usize, to: usize) -> usize {
        let [first, second] = self.headings(from, to);
        let shape = geometry::way(first, second);
        let length_m = geometry::length_m(&shape).max(Lane::LEAST_LENGTH_M);
        let mean_mps = (self.lanes[from].lane.speed_mps + self.lanes[to].lane.speed_mps) / 2.0;
        let look = LaneLook {
            speed_mps: Some(geometry::way_speed(first, second, mean_mps)),
            width_m: Some(self.lanes[to].lane.width_m),
            allowed: Some(self.common(from, to)),
        };
        let edge = EdgeId::new(self.edges.len());
        let key = self.new_lane(edge, length_m, &look, stored(&shape));
        self.lanes[key].lane.internal = true;
        let prefix = format!(":{}_", self.junctions[junction.index()].name);
        let number = |draft: &EdgeDraft| draft.edge.name.strip_prefix(&*prefix)?.parse::<u32>().ok();
        let last = self.edges.iter().filter_map(number).max();
        self.edges.push(EdgeDraft {
            edge: Edge {
                name: format!("{prefix}{}", last.map_or(0, |last| last + 1)).into(),
                kind: EdgeKind::Internal,
                first_lane: LaneId::NONE,
                lane_count: 1,
                from: junction,
                to: junction,
                priority: -1,
                length_m,
                roundabout: false,
            },
            lanes: vec![key],
            connects: false,
        });
        key
    }

    /// Where one lane ends and where another begins.
    pub fn headings(&self, from: usize, to: usize) -> [Heading; 2] {
        let shape = |lane: &LaneDraft| points(&lane.shape);
        [geometry::end(&shape(&self.lanes[from])), geometry::start(&shape(&self.lanes[to]))]
    }

    /// By the angle between two edges, at their rightmost lanes.
    pub fn turn(&self, from: EdgeId, to: EdgeId) -> Turn {
        let [first, second] = self.headings(self.at(from).lanes[0], self.at(to).lanes[0]);
        geometry::turn(first.along, second.along)
    }

    /// Signal and link index of the movement at the junction that a new one goes with: one from the same edge, best with the
    /// same turn, else one with the same turn from the direction that is nearest to being parallel.
    fn movement_like(
        &self,
        junction: JunctionId,
        from: usize,
        to: usize,
        turn: Turn,
    ) -> Result<Option<(SignalId, u32)>, EditError> {
        let [heading, _] = self.headings(from, to);
        let edge = self.lanes[from].edge;
        let mut best: Option<([f64; 3], (SignalId, u32))> = None;
        for entry in self.ways_at(junction).filter_map(|way| self.entry(way)) {
            if entry.link.signal.is_none() {
                continue;
            }
            let [other, _] = self.headings(entry.from, entry.to);
            let parallel = geometry::dot(heading.along, other.along).abs();
            let is_same_edge = f64::from(u8::from(self.lanes[entry.from].edge == edge));
            let rank = [is_same_edge, f64::from(u8::from(entry.link.turn == turn)), parallel];
            if best.is_none_or(|(best, _)| rank > best) {
                best = Some((rank, (entry.link.signal, entry.link.signal_index)));
            }
        }
        let is_signalled = matches!(
            self.junctions[junction.index()].kind,
            JunctionKind::TrafficLight | JunctionKind::TrafficLightRightOnRed
        );
        match best {
            Some((_, movement)) => Ok(Some(movement)),
            None if is_signalled && self.ways_at(junction).next().is_some() => {
                Err(EditError::Movement(self.junctions[junction.index()].name.to_string()))
            }
            None => Ok(None),
        }
    }

    pub fn remove_connection(
        &mut self,
        from: &str,
        to: &str,
        from_lane: Option<u32>,
        to_lane: Option<u32>,
    ) -> Result<(), EditError> {
        let lanes = |edge: &str, index: Option<u32>| -> Result<Vec<usize>, EditError> {
            let edge = self.edge(edge)?;
            match index {
                Some(index) => Ok(vec![self.lane_of(edge, index)?]),
                None => Ok(self.at(edge).lanes.clone()),
            }
        };
        let (from_lanes, to_lanes) = (lanes(from, from_lane)?, lanes(to, to_lane)?);
        let found = self.ways_between(|entry| from_lanes.contains(&entry.from) && to_lanes.contains(&entry.to));
        if found.is_empty() {
            let name = |edge: &str, lane: Option<u32>| match lane {
                Some(lane) => format!("lane '{edge}_{lane}'"),
                None => format!("edge '{edge}'"),
            };
            return Err(EditError::NoConnection { from: name(from, from_lane), to: name(to, to_lane) });
        }
        found.into_iter().for_each(|way| self.remove_way(way));
        Ok(())
    }

    /// Takes a connection out, with all that others mind of it.
    pub fn remove_way(&mut self, way: usize) {
        let inner: Vec<usize> = self.inside(way).collect();
        for key in &inner {
            for (foe, _) in std::mem::take(&mut self.lanes[*key].conflicts) {
                self.lanes[foe].conflicts.retain(|(other, _)| other != key);
            }
        }
        for link in self.ways[way].clone() {
            self.links[link].removed = true;
        }
        self.forget_foe(way);
        for key in inner {
            let edge = self.lanes[key].edge;
            self.lanes[key].lane.allowed = crate::graph::Permissions::NONE;
            let is_used = |lane: &usize| self.links.iter().any(|link| !link.removed && link.next == *lane);
            if !self.at(edge).lanes.iter().any(is_used) {
                self.bury(edge);
            }
        }
    }
}
