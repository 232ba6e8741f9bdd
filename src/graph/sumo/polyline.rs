//! Plane geometry of lane centre lines. Only `+ - * / sqrt`, so results are the same on every machine.

/// A centre line with the distance of each point from its start.
pub(super) struct Polyline<'a> {
    points: &'a [[f64; 2]],
    /// Distance of each point along the line.
    at: Vec<f64>,
    low: [f64; 2],
    high: [f64; 2],
}

/// Where two lines cross.
pub(super) struct Crossing {
    /// Distance along the first and along the second line.
    pub at: f64,
    pub other_at: f64,
    /// Sine of the angle between them.
    pub sine: f64,
}

impl<'a> Polyline<'a> {
    /// `points` has at least two elements.
    pub(super) fn new(points: &'a [[f64; 2]]) -> Self {
        let mut at = Vec::with_capacity(points.len());
        let (mut low, mut high) = (points[0], points[0]);
        let mut along = 0.0;
        let mut last = points[0];
        for &point in points {
            along += length(minus(point, last));
            at.push(along);
            last = point;
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        Self { points, at, low, high }
    }

    pub(super) fn length(&self) -> f64 {
        self.at[self.at.len() - 1]
    }

    /// Their bounding boxes are not farther apart than `margin` in both directions.
    pub(super) fn is_near(&self, other: &Self, margin: f64) -> bool {
        (0..2).all(|axis| self.low[axis] <= other.high[axis] + margin && other.low[axis] <= self.high[axis] + margin)
    }

    /// All crossings of the two lines, in order along this one. Parallel stretches do not count.
    pub(super) fn crossings(&self, other: &Self) -> Vec<Crossing> {
        let mut found = Vec::new();
        if !self.is_near(other, 0.0) {
            return found;
        }
        for (i, a) in self.points.windows(2).enumerate() {
            for (j, b) in other.points.windows(2).enumerate() {
                let [da, db] = [minus(a[1], a[0]), minus(b[1], b[0])];
                let lengths = length(da) * length(db);
                let turn = cross(da, db);
                // Below this sine they are parallel: the crossing point would be anywhere.
                if turn.abs() <= 1e-6 * lengths {
                    continue;
                }
                let between = minus(b[0], a[0]);
                let [s, t] = [cross(between, db) / turn, cross(between, da) / turn];
                if !(0.0..=1.0).contains(&s) || !(0.0..=1.0).contains(&t) {
                    continue;
                }
                found.push(Crossing {
                    at: self.at[i] + s * (self.at[i + 1] - self.at[i]),
                    other_at: other.at[j] + t * (other.at[j + 1] - other.at[j]),
                    sine: turn.abs() / lengths,
                });
            }
        }
        found
    }

    /// Length from the end of this line over which it stays closer than `clearance` to the other line.
    pub(super) fn stays_close(&self, other: &Self, clearance: f64) -> f64 {
        // The distance to a fixed line changes by at most one metre a metre, so a step of what is left to the
        // clearance never jumps over the place where it is reached.
        const PRECISION_M: f64 = 0.05;
        // Lines that run side by side for longer than this many steps are taken to do so to the end.
        const MAX_STEPS: usize = 10_000;
        let total = self.length();
        let mut along = 0.0;
        for _ in 0..MAX_STEPS {
            if along >= total {
                break;
            }
            let point = self.point(total - along);
            let left = clearance - other.distance(point);
            if left <= PRECISION_M {
                return along;
            }
            along += left;
        }
        total
    }

    /// Metres from the starts of both lines after which points at equal distances are farther apart than `clearance`; `None` if
    /// that does not happen before the shorter line ends.
    pub(super) fn parts_after(&self, other: &Self, clearance: f64) -> Option<f64> {
        const PRECISION_M: f64 = 0.01;
        let total = self.length().min(other.length());
        let mut along = 0.0;
        while along < total {
            // The distance of the two points changes by at most two metres a metre.
            let left = clearance - length(minus(self.point(along), other.point(along)));
            if left <= PRECISION_M {
                return Some(along);
            }
            along += left / 2.0;
        }
        None
    }

    fn point(&self, along: f64) -> [f64; 2] {
        let segment = self.at.partition_point(|&at| at <= along).clamp(1, self.points.len() - 1);
        let [a, b] = [self.points[segment - 1], self.points[segment]];
        let span = self.at[segment] - self.at[segment - 1];
        let share = if span > 0.0 { ((along - self.at[segment - 1]) / span).clamp(0.0, 1.0) } else { 0.0 };
        [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]
    }

    fn distance(&self, point: [f64; 2]) -> f64 {
        let squared = self.points.windows(2).map(|segment| {
            let [along, to] = [minus(segment[1], segment[0]), minus(point, segment[0])];
            let squared = dot(along, along);
            let share = if squared > 0.0 { (dot(to, along) / squared).clamp(0.0, 1.0) } else { 0.0 };
            let off = [to[0] - share * along[0], to[1] - share * along[1]];
            dot(off, off)
        });
        squared.fold(f64::INFINITY, f64::min).sqrt()
    }
}

fn minus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}
fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}
fn cross(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}
fn length(a: [f64; 2]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::Polyline;

    #[test]
    fn perpendicular_lines_cross_once() {
        let [a, b] = [[[0.0, 0.0], [4.0, 0.0], [10.0, 0.0]], [[6.0, -3.0], [6.0, -1.0], [6.0, 5.0]]];
        let crossings = Polyline::new(&a).crossings(&Polyline::new(&b));
        assert_eq!(crossings.len(), 1);
        assert!((crossings[0].at - 6.0).abs() < 1e-9 && (crossings[0].other_at - 3.0).abs() < 1e-9);
        assert!((crossings[0].sine - 1.0).abs() < 1e-9);
    }

    #[test]
    fn merging_lines_stay_close_up_to_the_clearance() {
        let [a, b] = [[[0.0, 0.0], [10.0, 0.0]], [[10.0, 10.0], [10.0, 0.0]]];
        let close = Polyline::new(&a).stays_close(&Polyline::new(&b), 2.0);
        assert!((close - 2.0).abs() < 0.1, "{close}");
        let whole = Polyline::new(&a).stays_close(&Polyline::new(&a), 2.0);
        assert_eq!(whole, 10.0);
    }

    #[test]
    fn lines_from_one_point_part_where_equal_distances_are_far_apart() {
        let [a, b] = [[[0.0, 0.0], [10.0, 0.0]], [[0.0, 0.0], [0.0, 8.0]]];
        let [a, b] = [Polyline::new(&a), Polyline::new(&b)];
        let along = a.parts_after(&b, 2.5).expect("they part");
        assert!((along - 2.5 / 2f64.sqrt()).abs() < 0.01, "{along}");
        assert_eq!(a.parts_after(&b, 20.0), None);
    }

    #[test]
    fn points_on_one_spot_do_no_harm() {
        let [a, b] = [[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [2.0, 2.0]]];
        let [a, b] = [Polyline::new(&a), Polyline::new(&b)];
        assert!(a.crossings(&b).is_empty());
        assert_eq!(a.stays_close(&b, 1.0), 0.0);
    }
}
