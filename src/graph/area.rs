//! Areas of the plane, and the roads in them.

use super::{Edge, EdgeKind, Network};
use crate::ids::EdgeId;

/// A part of the plane, in metres of the network's coordinate system.
#[derive(Clone, Debug, PartialEq)]
pub enum Area {
    /// Opposite corners.
    Box { from: [f64; 2], to: [f64; 2] },
    /// Corners in order; the last is joined to the first. Where the line crosses itself, the even-odd rule counts.
    Polygon(Vec<[f64; 2]>),
}

impl Area {
    pub fn contains(&self, [x, y]: [f64; 2]) -> bool {
        match self {
            Self::Box { from, to } => {
                let between = |value: f64, a: f64, b: f64| a.min(b) <= value && value <= a.max(b);
                between(x, from[0], to[0]) && between(y, from[1], to[1])
            }
            Self::Polygon(corners) => {
                let mut inside = false;
                for (at, [bx, by]) in corners.iter().enumerate() {
                    let [ax, ay] = corners[(at + corners.len() - 1) % corners.len()];
                    if (ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
                        inside = !inside;
                    }
                }
                inside
            }
        }
    }

    /// The normal edges whose middle is in the area, by id.
    pub fn edges(&self, network: &Network) -> Vec<EdgeId> {
        let inside = |edge: &Edge| edge.kind == EdgeKind::Normal && self.contains(middle(network, edge));
        (0..network.edges.len()).map(EdgeId::new).filter(|edge| inside(network.edge(*edge))).collect()
    }
}

/// The middle of the rightmost lane's centre line.
pub fn middle(network: &Network, edge: &Edge) -> [f64; 2] {
    let points = &network.points[network.lane(edge.first_lane).shape.range()];
    let wide = |[x, y]: [f32; 2]| [f64::from(x), f64::from(y)];
    let length = |a: [f64; 2], b: [f64; 2]| {
        let (x, y) = (a[0] - b[0], a[1] - b[1]);
        (x * x + y * y).sqrt()
    };
    let whole: f64 = points.windows(2).map(|pair| length(wide(pair[0]), wide(pair[1]))).sum();
    let mut rest = whole / 2.0;
    for pair in points.windows(2) {
        let (a, b) = (wide(pair[0]), wide(pair[1]));
        let here = length(a, b);
        if here >= rest && here > 0.0 {
            let share = rest / here;
            return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share];
        }
        rest -= here;
    }
    let end = network.junctions[edge.to.index()].clone();
    points.last().map_or([end.x, end.y], |point| wide(*point))
}

#[cfg(test)]
mod tests {
    use super::Area;

    #[test]
    fn points_are_inside_or_outside() {
        let square = Area::Box { from: [10.0, 0.0], to: [0.0, 10.0] };
        let notched = Area::Polygon(vec![[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [5.0, 5.0], [0.0, 10.0]]);
        for (point, in_square, in_notched) in [
            ([1.0, 1.0], true, true),
            ([5.0, 9.0], true, false),
            ([9.0, 8.0], true, true),
            ([11.0, 5.0], false, false),
            ([5.0, -1.0], false, false),
        ] {
            assert_eq!((square.contains(point), notched.contains(point)), (in_square, in_notched), "{point:?}");
        }
    }
}
