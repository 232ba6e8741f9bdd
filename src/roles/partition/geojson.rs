//! A cut as GeoJSON: a line for each road.

use std::fmt::Write;

use crate::graph::partition::Cut;
use crate::graph::{EdgeKind, Network};

/// The normal edges with their partitions, in metres of the network's coordinate system: what is read as longitude and
/// latitude by default is neither, so a map program has to be told the projection (`projection`, `netOffset`).
pub fn geojson(network: &Network, cut: &Cut) -> String {
    let text = |value: &str| serde_json::to_string(value).expect("a string in memory can always be written");
    let location = &network.location;
    let [x, y] = location.net_offset;
    let mut out = format!(
        "{{\"type\":\"FeatureCollection\",\"projection\":{},\"netOffset\":[{x},{y}],\"features\":[",
        text(&location.projection)
    );
    let roads = network.edges.iter().zip(&cut.part_of_edge).filter(|(edge, _)| edge.kind == EdgeKind::Normal);
    for (at, (edge, part)) in roads.enumerate() {
        let worker = cut.workers.get(usize::from(*part)).and_then(Option::as_deref);
        let worker = worker.map(|worker| format!(",\"worker\":{}", text(worker))).unwrap_or_default();
        let _ = write!(
            out,
            "{}\n{{\"type\":\"Feature\",\"properties\":{{\"id\":{},\"partition\":{part},\"lanes\":{}{worker}}},\
             \"geometry\":{{\"type\":\"LineString\",\"coordinates\":[",
            if at > 0 { "," } else { "" },
            text(&edge.name),
            edge.lane_count
        );
        let points = &network.points[network.lane(edge.first_lane).shape.range()];
        for (at, [x, y]) in points.iter().enumerate() {
            let _ = write!(out, "{}[{x},{y}]", if at > 0 { "," } else { "" });
        }
        out += "]}}";
    }
    out += "\n]}\n";
    out
}
