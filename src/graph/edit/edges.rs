//! Edges and junctions.

use super::change::{LaneLook, NewEdge, NewJunction};
use super::draft::{Draft, EdgeDraft};
use super::error::EditError;
use super::geometry::{self, Point, minus, norm, points};
use crate::graph::{Edge, EdgeKind, Junction, Lane, Permissions};
use crate::ids::{EdgeId, JunctionId, LaneId};

/// Lanes that an edge has at most.
const MAX_LANES: u32 = 64;
/// Coordinates and lengths beyond this are refused, metres.
const MAX_M: f64 = 1e7;

impl Draft {
    pub fn add_junction(&mut self, new: &NewJunction) -> Result<(), EditError> {
        if self.junction(&new.id).is_ok() {
            return Err(EditError::Exists { kind: "junction", name: new.id.clone() });
        }
        check_name("junction", &new.id)?;
        for value in [new.x, new.y] {
            in_range(&format!("junction '{}'", new.id), "a coordinate", value.abs(), 0.0, MAX_M)?;
        }
        self.junctions.push(Junction { name: (*new.id).into(), kind: new.kind, x: new.x, y: new.y });
        Ok(())
    }

    pub fn add_edge(&mut self, new: &NewEdge) -> Result<(), EditError> {
        let object = format!("edge '{}'", new.id);
        if self.edge(&new.id).is_ok() {
            return Err(EditError::Exists { kind: "edge", name: new.id.clone() });
        }
        check_name("edge", &new.id)?;
        let (from, to) = (self.junction(&new.from)?, self.junction(&new.to)?);
        if !(1..=MAX_LANES).contains(&new.lanes) {
            return Err(EditError::value(object, format!("an edge has 1 to {MAX_LANES} lanes, not {}", new.lanes)));
        }
        new.look.check(&object)?;
        let width_m = new.look.width_m.unwrap_or(Lane::DEFAULT_WIDTH_M);
        let line = self.centre_line(new, from, to, f64::from(new.lanes) * width_m)?;
        let drawn_m = geometry::length_m(&line);
        let length_m = new.length_m.unwrap_or(drawn_m);
        in_range(&object, "its length", length_m, Lane::LEAST_LENGTH_M, MAX_M)?;
        let id = EdgeId::new(self.edges.len());
        let mut lanes = Vec::with_capacity(new.lanes as usize);
        for index in 0..new.lanes {
            // Two-way roads drive on the right: the left border of the edge is its centre line.
            let left_m = -(f64::from(new.lanes - index) - 0.5) * width_m;
            let shape = geometry::stored(&geometry::beside(&line, left_m));
            let look = LaneLook { speed_mps: new.look.speed_mps.or(Some(Lane::DEFAULT_SPEED_MPS)), ..new.look };
            lanes.push(self.new_lane(id, length_m, &look, shape));
        }
        self.edges.push(EdgeDraft {
            edge: Edge {
                name: (*new.id).into(),
                kind: EdgeKind::Normal,
                first_lane: LaneId::NONE,
                lane_count: new.lanes,
                from,
                to,
                priority: new.priority,
                length_m,
                roundabout: false,
            },
            lanes,
            connects: new.connect,
        });
        Ok(())
    }

    /// From the border of one junction to that of the other.
    fn centre_line(
        &self,
        new: &NewEdge,
        from: JunctionId,
        to: JunctionId,
        width_m: f64,
    ) -> Result<Vec<Point>, EditError> {
        let object = || format!("edge '{}'", new.id);
        if let Some(shape) = &new.shape {
            let is_good = |point: &Point| point.iter().all(|value| value.abs() <= MAX_M);
            if shape.len() < 2 || !shape.iter().all(is_good) {
                return Err(EditError::value(object(), format!("a shape has two points or more within {MAX_M} m")));
            }
            return Ok(shape.clone());
        }
        let at = |junction: JunctionId| [self.junctions[junction.index()].x, self.junctions[junction.index()].y];
        let line = [at(from), at(to)];
        if norm(minus(line[1], line[0])) < 1.0 {
            let message = "its junctions are at one place; give a shape and a length";
            return Err(EditError::value(object(), message));
        }
        Ok(geometry::trimmed(&line, self.border_m(from).max(width_m), self.border_m(to).max(width_m)))
    }

    /// How far from a junction the lanes end (or begin) that are there, metres.
    fn border_m(&self, junction: JunctionId) -> f64 {
        let centre = [self.junctions[junction.index()].x, self.junctions[junction.index()].y];
        let mut border_m: f64 = 0.0;
        for edge in self.roads(|edge| edge.from == junction || edge.to == junction) {
            let draft = self.at(edge);
            for &key in &draft.lanes {
                let shape = points(&self.lanes[key].shape);
                let near = if draft.edge.to == junction { geometry::end(&shape) } else { geometry::start(&shape) };
                border_m = border_m.max(norm(minus(near.at, centre)));
            }
        }
        border_m
    }

    pub fn remove_edge(&mut self, name: &str) -> Result<(), EditError> {
        let edge = self.edge(name)?;
        let own = self.at(edge).lanes.clone();
        for way in self.ways_between(|entry| own.contains(&entry.from) || own.contains(&entry.to)) {
            self.remove_way(way);
        }
        self.bury(edge);
        Ok(())
    }

    /// Keeps an edge for its number alone.
    pub fn bury(&mut self, edge: EdgeId) {
        let draft = &mut self.edges[edge.index()];
        (draft.edge.kind, draft.connects, draft.edge.roundabout) = (EdgeKind::Removed, false, false);
        for key in draft.lanes.clone() {
            let lane = &mut self.lanes[key].lane;
            // Nobody drives here, so nobody drives fast here either.
            (lane.allowed, lane.internal, lane.speed_mps) = (Permissions::NONE, false, Lane::DEFAULT_SPEED_MPS);
        }
    }

    pub fn change_edge(
        &mut self,
        name: &str,
        priority: Option<i32>,
        lanes: Option<u32>,
        look: &LaneLook,
    ) -> Result<(), EditError> {
        let edge = self.edge(name)?;
        look.check(&format!("edge '{name}'"))?;
        if let Some(priority) = priority {
            self.edges[edge.index()].edge.priority = priority;
        }
        if let Some(lanes) = lanes {
            if !(1..=MAX_LANES).contains(&lanes) {
                let message = format!("an edge has 1 to {MAX_LANES} lanes, not {lanes}");
                return Err(EditError::value(format!("edge '{name}'"), message));
            }
            while self.at(edge).lanes.len() > lanes as usize {
                self.remove_lane(edge, self.at(edge).lanes.len() as u32 - 1)?;
            }
            while self.at(edge).lanes.len() < lanes as usize {
                self.add_lane(edge, None, &LaneLook::default(), true)?;
            }
        }
        for key in self.at(edge).lanes.clone() {
            self.change_lane(key, look)?;
        }
        Ok(())
    }

    /// Whether an edge may have another lane.
    pub fn check_room(&self, edge: EdgeId) -> Result<(), EditError> {
        if self.at(edge).lanes.len() < MAX_LANES as usize {
            return Ok(());
        }
        Err(EditError::value(format!("edge '{}'", self.name(edge)), format!("it has {MAX_LANES} lanes already")))
    }
}

/// Names stand in lists and before `_INDEX` in names of lanes; those with a colon are ways through junctions.
fn check_name(kind: &str, name: &str) -> Result<(), EditError> {
    let is_good = |c: char| !c.is_whitespace() && !c.is_control() && !",;:|\\'\"<>&".contains(c);
    if !name.is_empty() && name.len() <= 256 && (name.chars().all(is_good)) {
        return Ok(());
    }
    let message = "an id has 1 to 256 characters without blanks, commas, colons and quotes";
    Err(EditError::value(format!("{kind} '{}'", name.chars().take(64).collect::<String>()), message))
}

pub(super) fn in_range(object: &str, what: &str, value: f64, least: f64, most: f64) -> Result<(), EditError> {
    // A NaN is in no range.
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(EditError::value(object, format!("{what} of {value} is out of range; give {least} to {most}")))
}
