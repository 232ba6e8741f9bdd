//! Plane geometry of new lanes and ways. Only `+ - * / sqrt`, so results are the same on every machine.

use crate::graph::Turn;

/// Points of the way of a connection.
const WAY_POINTS: usize = 9;
/// Share of the air line by which a way goes on in the direction of the lanes at its ends.
const HANDLE: f64 = 0.4;
/// Cosine of the angle up to which a way counts as going straight on: 45 degrees, as netconvert takes about that.
const STRAIGHT_COSINE: f64 = 0.707;
/// Cosine of the angle beyond which it turns round.
const ROUND_COSINE: f64 = -0.94;
/// Greatest sideways acceleration that sets the speed in a turn, m/s² (netconvert's `junctions.limit-turn-speed`).
const SIDEWAYS_MPS2: f64 = 5.5;
const SLOWEST_TURN_MPS: f64 = 2.0;

pub(super) type Point = [f64; 2];

/// A place and the direction of driving there, of length 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heading {
    pub at: Point,
    pub along: Point,
}

pub(super) fn points(shape: &[[f32; 2]]) -> Vec<Point> {
    shape.iter().map(|&[x, y]| [f64::from(x), f64::from(y)]).collect()
}

pub(super) fn stored(shape: &[Point]) -> Vec<[f32; 2]> {
    shape.iter().map(|&[x, y]| [x as f32, y as f32]).collect()
}

pub(super) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}
fn plus(a: Point, b: Point, times: f64) -> Point {
    [a[0] + times * b[0], a[1] + times * b[1]]
}
pub(super) fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}
pub(super) fn cross(a: Point, b: Point) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}
pub(super) fn norm(a: Point) -> f64 {
    dot(a, a).sqrt()
}

fn unit(a: Point) -> Option<Point> {
    let length = norm(a);
    (length > 1e-3).then(|| [a[0] / length, a[1] / length])
}

/// Where a line ends, and where it leads.
pub(super) fn end(shape: &[Point]) -> Heading {
    let along = shape.windows(2).rev().find_map(|pair| unit(minus(pair[1], pair[0])));
    Heading { at: shape[shape.len() - 1], along: along.unwrap_or([1.0, 0.0]) }
}

/// Where a line begins.
pub(super) fn start(shape: &[Point]) -> Heading {
    let along = shape.windows(2).find_map(|pair| unit(minus(pair[1], pair[0])));
    Heading { at: shape[0], along: along.unwrap_or([1.0, 0.0]) }
}

pub(super) fn length_m(shape: &[Point]) -> f64 {
    shape.windows(2).map(|pair| norm(minus(pair[1], pair[0]))).sum()
}

/// A line at a distance to the left (negative: right) of another one.
pub(super) fn beside(shape: &[Point], left_m: f64) -> Vec<Point> {
    let sides: Vec<Option<Point>> = shape.windows(2).map(|pair| unit(minus(pair[1], pair[0]))).collect();
    let normal = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| sides[at]);
        let here = [before, sides.get(at).copied().flatten()];
        let sum = here.into_iter().flatten().fold([0.0, 0.0], |sum, side| plus(sum, side, 1.0));
        let along = unit(sum).unwrap_or([1.0, 0.0]);
        [-along[1], along[0]]
    };
    shape.iter().enumerate().map(|(at, point)| plus(*point, normal(at), left_m)).collect()
}

/// A line without so much of it at its start and at its end; at least a third stays.
pub(super) fn trimmed(shape: &[Point], from_m: f64, until_m: f64) -> Vec<Point> {
    let whole = length_m(shape);
    let scale = if from_m + until_m > whole * 2.0 / 3.0 { whole * 2.0 / 3.0 / (from_m + until_m) } else { 1.0 };
    let (begin, end) = (from_m * scale, whole - until_m * scale);
    let mut kept = vec![at(shape, begin)];
    let mut along = 0.0;
    for pair in shape.windows(2) {
        along += norm(minus(pair[1], pair[0]));
        if along > begin && along < end {
            kept.push(pair[1]);
        }
    }
    kept.push(at(shape, end));
    kept
}

fn at(shape: &[Point], along_m: f64) -> Point {
    let mut left = along_m;
    for pair in shape.windows(2) {
        let length = norm(minus(pair[1], pair[0]));
        if left <= length && length > 0.0 {
            return plus(pair[0], minus(pair[1], pair[0]), left / length);
        }
        left -= length;
    }
    shape[shape.len() - 1]
}

/// The way from the end of one lane to the start of another: a cubic Bézier curve that begins and ends in their directions.
pub(super) fn way(from: Heading, to: Heading) -> Vec<Point> {
    let air_m = norm(minus(to.at, from.at));
    if air_m < 1.0 {
        return vec![from.at, to.at];
    }
    let controls = [from.at, plus(from.at, from.along, HANDLE * air_m), plus(to.at, to.along, -HANDLE * air_m), to.at];
    let point = |i: usize| {
        let t = i as f64 / (WAY_POINTS - 1) as f64;
        let s = 1.0 - t;
        let weights = [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t];
        weights.iter().zip(controls).fold([0.0, 0.0], |sum, (weight, control)| plus(sum, control, *weight))
    };
    (0..WAY_POINTS).map(point).collect()
}

/// Speed that a way allows, for lanes with this mean speed limit, m/s: that of an arc between the two headings.
pub(super) fn way_speed(from: Heading, to: Heading, mean_mps: f64) -> f64 {
    let bend = norm(minus(to.along, from.along));
    if bend < 0.05 {
        return mean_mps;
    }
    let radius_m = norm(minus(to.at, from.at)) / bend;
    mean_mps.min((SIDEWAYS_MPS2 * radius_m).sqrt().max(SLOWEST_TURN_MPS))
}

pub(super) fn turn(from: Point, to: Point) -> Turn {
    let (cosine, sine) = (dot(from, to), cross(from, to));
    if cosine < ROUND_COSINE {
        Turn::Turnaround
    } else if cosine > STRAIGHT_COSINE {
        Turn::Straight
    } else if sine > 0.0 {
        Turn::Left
    } else {
        Turn::Right
    }
}

/// Grows with the angle from one direction to another, from right (−2) over straight on (0) to left (2).
pub(super) fn bearing(from: Point, to: Point) -> f64 {
    let (cosine, sine) = (dot(from, to), cross(from, to));
    if cosine >= 0.0 {
        sine
    } else if sine >= 0.0 {
        2.0 - sine
    } else {
        -2.0 - sine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_and_bearings_follow_the_angle() {
        let north = [0.0, 1.0];
        let directions = [[0.6, -0.8], [1.0, 0.0], [0.6, 0.8], north, [-0.6, 0.8], [-1.0, 0.0], [-0.6, -0.8]];
        let bearings: Vec<f64> = directions.iter().map(|to| bearing(north, *to)).collect();
        assert!(bearings.is_sorted(), "{bearings:?}");
        let turns = [[1.0, 0.0], north, [-1.0, 0.0], [0.0, -1.0]].map(|to| turn(north, to));
        assert_eq!(turns, [Turn::Right, Turn::Straight, Turn::Left, Turn::Turnaround]);
    }

    #[test]
    fn a_way_begins_and_ends_as_the_lanes_lead() {
        let from = Heading { at: [0.0, 0.0], along: [1.0, 0.0] };
        let to = Heading { at: [10.0, 10.0], along: [0.0, 1.0] };
        let shape = way(from, to);
        let heading = end(&shape);
        assert!(norm(minus(heading.along, to.along)) < 0.2 && norm(minus(start(&shape).along, from.along)) < 0.2);
        let length = length_m(&shape);
        assert!((14.2..20.0).contains(&length), "{length}");
        let speed = way_speed(from, to, 13.9);
        assert!((7.0..8.5).contains(&speed), "{speed} m/s with a radius of 10 m");
        assert_eq!(way_speed(from, Heading { at: [9.0, 0.0], ..from }, 13.9), 13.9);
    }

    #[test]
    fn lines_are_trimmed_and_moved_aside() {
        let shape = [[0.0, 0.0], [60.0, 0.0], [60.0, 30.0]];
        let kept = trimmed(&shape, 10.0, 5.0);
        assert_eq!(kept, [[10.0, 0.0], [60.0, 0.0], [60.0, 25.0]]);
        assert!((length_m(&trimmed(&shape, 900.0, 900.0)) - 30.0).abs() < 1e-9);
        let left = beside(&shape, 2.0);
        assert_eq!((left[0], left[2]), ([0.0, 2.0], [58.0, 30.0]));
    }
}
