//! The network for display, in pages.

use serde_json::{Value, json};

use crate::graph::{EdgeKind, Network};

/// Edges `page * size …` of the network with the shapes of their lanes; the first page also holds what there is few of.
pub fn page(network: &Network, page: u64, size: u64) -> Value {
    let roads: Vec<_> = network.edges.iter().filter(|edge| edge.kind == EdgeKind::Normal).collect();
    let size = size.max(1) as usize;
    let pages = roads.len().div_ceil(size).max(1);
    let from = (page as usize).saturating_mul(size).min(roads.len());
    let edges = roads[from..roads.len().min(from + size)].iter().map(|edge| {
        let lanes = edge.lanes().map(|id| {
            let lane = network.lane(id);
            json!({
                "id": format!("{}_{}", edge.name, lane.index),
                "shape": network.points[lane.shape.range()],
                "width": lane.width_m,
                "speed": lane.speed_mps,
                "length": lane.length_m,
            })
        });
        json!({
            "id": edge.name,
            "from": network.junctions[edge.from.index()].name,
            "to": network.junctions[edge.to.index()].name,
            "lanes": lanes.collect::<Vec<_>>(),
        })
    });
    let mut value = json!({
        "page": page, "pages": pages, "size": size,
        "edgeCount": roads.len(),
        "bounds": network.location.boundary,
        "edges": edges.collect::<Vec<_>>(),
    });
    if page == 0 {
        let junctions =
            network.junctions.iter().map(|junction| json!({"id": junction.name, "x": junction.x, "y": junction.y}));
        value["junctions"] = junctions.collect();
        value["signals"] = network.signals.iter().map(|signal| signal.name.to_string()).collect();
    }
    value
}
