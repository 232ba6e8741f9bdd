//! Where a vehicle meets another one on a different way through the same junction: ways that cross, join or part, put on
//! one scale, on which one can follow the other.

use crate::graph::Conflict;

use crate::sim::models::car_following::Driver;

/// A vehicle on another way: its places along its lane, metres, and how it drives.
pub(in crate::sim) struct Body {
    pub(in crate::sim) front: f64,
    pub(in crate::sim) back: f64,
    pub(in crate::sim) speed: f64,
    pub(in crate::sim) decel: f64,
}

/// Two ways of a junction that meet. All lengths are metres.
pub(in crate::sim) struct Meeting<'a> {
    pub(in crate::sim) conflict: &'a Conflict,
    /// From the vehicle's front to the start of its own way; negative when it is on it.
    pub(in crate::sim) start: f64,
    pub(in crate::sim) length_m: f64,
    pub(in crate::sim) foe_length_m: f64,
}

/// Where the vehicle meets the body.
#[derive(Debug, PartialEq)]
pub(in crate::sim) struct Place {
    /// Metres to the crossing, up to which it may drive; `None` where it has to follow instead.
    pub(in crate::sim) meet: Option<f64>,
    /// Metres to the body's back, as if both ways were one behind the meeting point.
    pub(in crate::sim) gap: f64,
    /// The body is where the ways meet already: it cannot let the vehicle go first any more.
    pub(in crate::sim) in_the_way: bool,
    /// The body's tail is on the way of the vehicle, which can follow it however near it is.
    pub(in crate::sim) on_way: bool,
}

impl Meeting<'_> {
    /// Where they meet, or `None` when one of them is past that.
    pub(in crate::sim) fn place(&self, body: &Body, driver: &Driver) -> Option<Place> {
        let c = self.conflict;
        if c.merge {
            let meet = self.start + c.begin_m;
            let foe_meet = c.foe_begin_m - body.front;
            let in_the_way = (meet > 0.0 || meet > foe_meet) && foe_meet < 0.0;
            if meet < 0.0 && !in_the_way {
                return None;
            }
            // Both ways are one at their ends.
            let rest = self.start + self.length_m;
            let gap = rest - (self.foe_length_m - body.back) - driver.min_gap_m;
            return Some(Place { meet: None, gap, in_the_way, on_way: false });
        }
        if c.same_source {
            // Both ways are one up to the end of the area, from which distances are measured on both. A vehicle beside has come from a way
            // beside, where no vehicle follows another.
            let meet = self.start + c.end_m;
            let ahead = meet - (c.foe_end_m - body.back);
            if meet < 0.0 || body.back >= c.foe_end_m || ahead < 0.0 {
                return None;
            }
            return Some(Place { meet: None, gap: ahead - driver.min_gap_m, in_the_way: false, on_way: true });
        }
        let meet = self.start + c.begin_m;
        if meet < 0.0 || body.back >= c.foe_end_m {
            return None;
        }
        let gap = meet - driver.min_gap_m - (c.foe_end_m - body.back);
        Some(Place { meet: Some(meet), gap, in_the_way: body.front > c.foe_begin_m, on_way: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::{VehicleClass, VehicleType};
    use crate::ids::LaneId;

    enum Ways {
        Cross,
        Join,
        Part,
    }

    /// Where a car of 5 m, `start` metres before its way of 20 m, meets one of 5 m whose front is at `foe` on its way of
    /// 22 m. Crossing ways share metres 8 to 12 (9 to 13 of the other), joining ones 15 to 20 (17 to 22), parting ones 0 to 6.
    fn place(ways: Ways, start: f64, foe: f64) -> Option<Place> {
        let [begin_m, end_m, foe_begin_m, foe_end_m] = match ways {
            Ways::Cross => [8.0, 12.0, 9.0, 13.0],
            Ways::Join => [15.0, 20.0, 17.0, 22.0],
            Ways::Part => [0.0, 6.0, 0.0, 6.0],
        };
        let conflict = Conflict {
            foe: LaneId(1),
            begin_m,
            end_m,
            foe_begin_m,
            foe_end_m,
            merge: matches!(ways, Ways::Join),
            same_source: matches!(ways, Ways::Part),
            yields: true,
            foe_yields: false,
        };
        let driver = Driver::new(&VehicleType::default_of("car", VehicleClass::Passenger), 1.0);
        let meeting = Meeting { conflict: &conflict, start, length_m: 20.0, foe_length_m: 22.0 };
        meeting.place(&Body { front: foe, back: foe - driver.length_m, speed: 5.0, decel: 4.5 }, &driver)
    }

    #[test]
    fn a_crossing_is_free_when_the_other_has_left_it_with_its_tail() {
        assert_eq!(place(Ways::Cross, 10.0, 18.0), None);
        let last = place(Ways::Cross, 10.0, 17.9).expect("its tail is still there");
        assert!(last.in_the_way && last.meet == Some(18.0), "{last:?}");
    }

    #[test]
    fn who_is_before_the_crossing_can_still_let_the_other_go_first() {
        let before = place(Ways::Cross, 10.0, 8.9).expect("they meet");
        assert!(!before.in_the_way, "{before:?}");
    }

    #[test]
    fn who_is_past_the_crossing_minds_nobody_there() {
        assert_eq!(place(Ways::Cross, -8.1, 8.9), None);
        assert_eq!(place(Ways::Part, -6.1, 5.0), None);
    }

    #[test]
    fn at_a_merge_distances_are_measured_to_the_common_end() {
        let place = place(Ways::Join, 4.0, 18.0).expect("they meet");
        // 24 m to the end; the other has 4 m to go, and a tail of 5 m; a minimum gap of 2.5 m is kept.
        assert!((place.gap - (24.0 - 9.0 - 2.5)).abs() < 1e-9 && place.in_the_way, "{place:?}");
    }

    #[test]
    fn who_is_in_a_merge_ahead_of_the_other_does_not_mind_it() {
        assert_eq!(place(Ways::Join, -18.0, 17.5), None);
        assert!(place(Ways::Join, -15.2, 19.0).is_some_and(|place| place.in_the_way));
    }

    #[test]
    fn on_ways_that_part_one_follows_until_the_other_has_turned_off() {
        let behind = place(Ways::Part, 3.0, 7.0).expect("its tail is still on the common part");
        assert!((behind.gap - (3.0 + 2.0 - 2.5)).abs() < 1e-9 && behind.meet.is_none(), "{behind:?}");
        assert_eq!(place(Ways::Part, 3.0, 11.0), None);
    }

    #[test]
    fn who_is_clearly_ahead_where_ways_part_minds_nobody_behind() {
        assert_eq!(place(Ways::Part, -5.9, 0.8), None);
    }

    /// It had changed lanes inside the junction, and the other halted where it was.
    #[test]
    fn where_ways_part_nobody_minds_one_beside_and_everybody_one_ahead() {
        for beside in [1.0, 5.9, 10.8] {
            assert_eq!(place(Ways::Part, -5.9, beside), None, "{beside}");
        }
        let ahead = place(Ways::Part, -5.7, 10.8).expect("its tail is ahead, if by little");
        assert!((ahead.gap - (10.8 - 5.0 - 5.7 - 2.5)).abs() < 1e-9 && ahead.on_way, "{ahead:?}");
    }
}
