//! Where on the map a vehicle on a lane is.

use std::sync::Arc;

use super::bearing::bearing_deg;
use crate::graph::{Lane, Network};
use crate::ids::LaneId;

/// How far back a vehicle is followed: bounds the search in networks with lanes of no length.
const LANES_UNDER_A_VEHICLE: usize = 8;

/// Place of a vehicle in the coordinates of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// The middle of the front, metres.
    pub x_m: f64,
    pub y_m: f64,
    /// Degrees clockwise from north.
    pub bearing_deg: f64,
}

/// The centre lines of all lanes, measured out.
pub struct LaneShapes {
    network: Arc<Network>,
    /// Distance of each point of the network from the first point of its lane, metres.
    along_m: Vec<f64>,
}

impl LaneShapes {
    pub fn new(network: Arc<Network>) -> Self {
        let mut along_m = vec![0.0; network.points.len()];
        for lane in &network.lanes {
            let mut length_m = 0.0;
            for i in lane.shape.range().skip(1) {
                let [dx, dy] = between(network.points[i - 1], network.points[i]);
                length_m += (dx * dx + dy * dy).sqrt();
                along_m[i] = length_m;
            }
        }
        Self { network, along_m }
    }

    /// Where a vehicle of `length_m` is whose front is at `pos_m` of a lane. It points from its back to its front.
    ///
    /// A back that has not yet reached the lane is on the lane before it where there is only one, as for the lanes within
    /// a junction. Elsewhere the way by which the vehicle came is not known here, and the lane is taken to go straight on
    /// backwards: most lanes begin in the direction in which the ones before them end.
    pub fn pose(&self, lane: LaneId, pos_m: f64, length_m: f64) -> Pose {
        let front = self.at(self.network.lane(lane), pos_m);
        let mut back_lane = self.network.lane(lane);
        let mut back_m = pos_m - length_m;
        for _ in 0..LANES_UNDER_A_VEHICLE {
            let before = if back_m < 0.0 { self.only_lane_before(back_lane) } else { None };
            let Some(before) = before else { break };
            back_lane = before;
            back_m += before.length_m;
        }
        let back = self.at(back_lane, back_m);
        Pose { x_m: front[0], y_m: front[1], bearing_deg: bearing_deg(front[0] - back[0], front[1] - back[1]) }
    }

    fn only_lane_before(&self, lane: &Lane) -> Option<&Lane> {
        let link = match &self.network.incoming[lane.incoming.range()] {
            _ if lane.entry.is_some() => lane.entry,
            [link] => *link,
            _ => return None,
        };
        Some(self.network.lane(self.network.link(link).from))
    }

    /// The point at `pos_m` of a lane; on the line of its first segment before the start, and its last one after the end.
    fn at(&self, lane: &Lane, pos_m: f64) -> [f64; 2] {
        let span = lane.shape.range();
        let points = &self.network.points[span.clone()];
        let along = &self.along_m[span];
        let (Some(first), Some(shape_length_m)) = (points.first(), along.last()) else { return [0.0; 2] };
        if *shape_length_m <= 0.0 {
            return first.map(f64::from);
        }
        // A lane's length may differ from that of its drawing; positions are stretched along (SUMO does the same).
        let target = if lane.length_m > 0.0 { pos_m * (shape_length_m / lane.length_m) } else { pos_m };
        let mut segment = along.partition_point(|&a| a <= target).clamp(1, along.len() - 1);
        // Double points have no direction; the first and the last segment must have one.
        while segment + 1 < along.len() && along[segment] <= along[segment - 1] {
            segment += 1;
        }
        while segment > 1 && along[segment] <= along[segment - 1] {
            segment -= 1;
        }
        let length_m = along[segment] - along[segment - 1];
        let share = if length_m > 0.0 { (target - along[segment - 1]) / length_m } else { 0.0 };
        let [dx, dy] = between(points[segment - 1], points[segment]);
        let [x, y] = points[segment - 1].map(f64::from);
        [x + share * dx, y + share * dy]
    }
}

fn between(a: [f32; 2], b: [f32; 2]) -> [f64; 2] {
    [f64::from(b[0]) - f64::from(a[0]), f64::from(b[1]) - f64::from(a[1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::network;

    fn check(lane: u32, pos_m: f64, length_m: f64, x: f64, y: f64, bearing: f64) {
        let pose = LaneShapes::new(Arc::new(network())).pose(LaneId(lane), pos_m, length_m);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-3;
        assert!(close(pose.x_m, x) && close(pose.y_m, y) && close(pose.bearing_deg, bearing), "{pose:?}");
    }

    #[test]
    fn a_vehicle_on_a_straight_lane_points_along_it() {
        check(0, 10.0, 5.0, 10.0, 0.0, 90.0);
        check(2, 10.0, 5.0, 26.36, 14.0, 0.0);
    }

    #[test]
    fn a_vehicle_that_just_entered_a_lane_points_along_its_start() {
        check(0, 0.0, 5.0, 0.0, 0.0, 90.0);
        check(2, 0.0, 5.0, 26.36, 4.0, 0.0);
    }

    #[test]
    fn a_vehicle_within_a_junction_points_from_the_lane_it_came_from() {
        // 1 m into the turn, of which the first half is drawn over 3 m; the back is 4 m before the end of the road.
        check(1, 1.0, 5.0, 23.56, 0.4, 85.601);
    }

    #[test]
    fn positions_are_stretched_over_the_drawn_line() {
        // The quarter turn is drawn 6.32 m long, but counts 5 m; half of it is its middle point.
        check(1, 2.5, 2.5, 25.36, 1.0, 71.565);
        check(1, 5.0, 5.0, 26.36, 4.0, 45.0);
    }

    #[test]
    fn a_lane_without_extent_has_a_place_and_no_direction() {
        let mut net = network();
        net.points[1] = net.points[0];
        let pose = LaneShapes::new(Arc::new(net)).pose(LaneId(0), 3.0, 5.0);
        assert_eq!(pose, Pose { x_m: 0.0, y_m: 0.0, bearing_deg: 0.0 });
    }
}
