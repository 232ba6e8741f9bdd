//! Where things of a network are on a sheet.

use crate::graph::{Edge, Network};

/// Maps metres of the network onto a sheet, north up.
#[derive(Clone, Copy, Debug)]
pub struct Sheet {
    west_m: f64,
    north_m: f64,
    /// Units of the sheet per metre.
    scale: f64,
    pub width: f64,
    pub height: f64,
}

impl Sheet {
    /// A sheet on which the network is at most `size` long either way, with a margin around.
    pub fn of(network: &Network, size: f64, margin: f64) -> Self {
        let mut bounds = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        for [x, y] in &network.points {
            let (x, y) = (f64::from(*x), f64::from(*y));
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
        }
        let [west, south, east, north] = if network.points.is_empty() { [0.0; 4] } else { bounds };
        let scale = size / (east - west).max(north - south).max(1.0);
        Self {
            west_m: west - margin / scale,
            north_m: north + margin / scale,
            scale,
            width: (east - west) * scale + 2.0 * margin,
            height: (north - south) * scale + 2.0 * margin,
        }
    }

    /// Units of the sheet for so many metres.
    pub fn units(&self, metres: f64) -> f64 {
        metres * self.scale
    }

    /// The centre line of an edge, in tenths of units; points that are hardly apart are left out.
    pub fn line(&self, network: &Network, edge: &Edge) -> Vec<[i64; 2]> {
        const APART: i64 = 6;
        let lane = edge.lanes().nth(edge.lane_count as usize / 2).unwrap_or(edge.first_lane);
        let points = &network.points[network.lane(lane).shape.range()];
        let mut line: Vec<[i64; 2]> = Vec::with_capacity(points.len());
        for (at, [x, y]) in points.iter().enumerate() {
            let tenths = |value: f64| (value * self.scale * 10.0).round() as i64;
            let point = [tenths(f64::from(*x) - self.west_m), tenths(self.north_m - f64::from(*y))];
            let near = line.last().is_some_and(|[x, y]| (x - point[0]).abs().max((y - point[1]).abs()) < APART);
            if !near || at + 1 == points.len() {
                line.push(point);
            }
        }
        line
    }
}

/// A colour for each partition, far from those of the numbers next to it: hues by the golden angle, lightness in turn.
pub fn colour(partition: usize) -> String {
    const GOLDEN_ANGLE_DEG: f64 = 137.508;
    let hue = (partition as f64 * GOLDEN_ANGLE_DEG + 210.0) % 360.0;
    let lightness: f64 = [0.58, 0.72, 0.46][partition / 8 % 3];
    // Not hsl(): many who draw an SVG do not know it, and draw black.
    let spread = 0.62 * lightness.min(1.0 - lightness);
    let channel = |offset: f64| {
        let turn = (offset + hue / 30.0) % 12.0;
        let value = lightness - spread * (turn - 3.0).min(9.0 - turn).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", channel(0.0), channel(8.0), channel(4.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_next_to_each_other_have_other_colours() {
        // hsl(210, 62 %, 58 %), hsl(347.5, 62 %, 58 %)
        assert_eq!([colour(0), colour(1)], ["#5194d6", "#d6516d"]);
        let colours: std::collections::BTreeSet<String> = (0..24).map(colour).collect();
        assert_eq!(colours.len(), 24);
    }
}
