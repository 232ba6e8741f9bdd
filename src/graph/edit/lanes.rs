//! Lanes.

use super::change::LaneLook;
use super::draft::{Draft, LaneDraft};
use super::edges::in_range;
use super::error::EditError;
use super::geometry::{beside, points, stored};
use crate::graph::{Lane, Permissions};
use crate::ids::EdgeId;

const SPEEDS_MPS: [f64; 2] = [0.1, 100.0];
const WIDTHS_M: [f64; 2] = [0.5, 20.0];

impl LaneLook {
    pub(super) fn check(&self, object: &str) -> Result<(), EditError> {
        if let Some(speed) = self.speed_mps {
            in_range(object, "a speed", speed, SPEEDS_MPS[0], SPEEDS_MPS[1])?;
        }
        if let Some(width) = self.width_m {
            in_range(object, "a width", width, WIDTHS_M[0], WIDTHS_M[1])?;
        }
        Ok(())
    }
}

impl Draft {
    /// Enters a lane that is yet to be put into its edge; its key.
    pub fn new_lane(&mut self, edge: EdgeId, length_m: f64, look: &LaneLook, shape: Vec<[f32; 2]>) -> usize {
        let lane = Lane {
            width_m: look.width_m.unwrap_or(Lane::DEFAULT_WIDTH_M),
            allowed: look.allowed.unwrap_or(Permissions::ALL),
            ..Lane::new(edge, length_m, look.speed_mps.unwrap_or(Lane::DEFAULT_SPEED_MPS))
        };
        self.lanes.push(LaneDraft { lane, edge, shape, conflicts: Vec::new() });
        self.lanes.len() - 1
    }

    pub fn add_lane(
        &mut self,
        edge: EdgeId,
        index: Option<u32>,
        look: &LaneLook,
        connect: bool,
    ) -> Result<(), EditError> {
        self.check_room(edge)?;
        look.check(&format!("a lane of edge '{}'", self.name(edge)))?;
        let count = self.at(edge).lanes.len() as u32;
        let index = index.unwrap_or(count);
        if index > count {
            return Err(EditError::NoSuchLane { edge: self.name(edge), lane: index, count });
        }
        let beside_it = self.lane_of(edge, index.saturating_sub(1))?;
        let model = self.lanes[beside_it].clone();
        let look = LaneLook {
            speed_mps: look.speed_mps.or(Some(model.lane.speed_mps)),
            width_m: look.width_m.or(Some(model.lane.width_m)),
            allowed: look.allowed.or(Some(model.lane.allowed)),
        };
        let apart_m = (model.lane.width_m + look.width_m.unwrap_or(Lane::DEFAULT_WIDTH_M)) / 2.0;
        let left_m = if index == 0 { -apart_m } else { apart_m };
        let shape = stored(&beside(&points(&model.shape), left_m));
        let key = self.new_lane(edge, model.lane.length_m, &look, shape);
        self.edges[edge.index()].lanes.insert(index as usize, key);
        if connect { self.connect_beside(key, beside_it) } else { Ok(()) }
    }

    pub fn remove_lane(&mut self, edge: EdgeId, index: u32) -> Result<(), EditError> {
        let key = self.lane_of(edge, index)?;
        if self.at(edge).lanes.len() == 1 {
            return Err(EditError::OnlyLane(self.lane_name(key)));
        }
        for way in self.ways_between(|entry| entry.from == key || entry.to == key) {
            self.remove_way(way);
        }
        self.edges[edge.index()].lanes.remove(index as usize);
        Ok(())
    }

    pub fn change_lane(&mut self, key: usize, look: &LaneLook) -> Result<(), EditError> {
        look.check(&format!("lane '{}'", self.lane_name(key)))?;
        let lane = &mut self.lanes[key].lane;
        if let Some(speed_mps) = look.speed_mps {
            // The new limit is that of every class.
            (lane.speed_mps, lane.class_limits) = (speed_mps, 0);
        }
        lane.width_m = look.width_m.unwrap_or(lane.width_m);
        let Some(allowed) = look.allowed else { return Ok(()) };
        lane.allowed = allowed;
        for way in self.ways_between(|entry| entry.from == key || entry.to == key) {
            let Some(allowed) = self.entry(way).map(|entry| self.common(entry.from, entry.to)) else { continue };
            for inner in self.inside(way).collect::<Vec<_>>() {
                self.lanes[inner].lane.allowed = allowed;
            }
        }
        Ok(())
    }

    /// Who may use both lanes.
    pub fn common(&self, from: usize, to: usize) -> Permissions {
        Permissions(self.lanes[from].lane.allowed.0 & self.lanes[to].lane.allowed.0)
    }
}
