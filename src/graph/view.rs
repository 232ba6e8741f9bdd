//! The road network as a petgraph graph, for algorithms that are not on the path of a step.

use petgraph::graph::DiGraph;

use super::{EdgeKind, Network};
use crate::ids::{EdgeId, JunctionId};

/// Junctions and the roads between them.
pub type JunctionGraph = DiGraph<JunctionId, EdgeId>;

/// All junctions, with the node index of each equal to its id, and all normal edges in the order of their ids.
pub fn junction_graph(network: &Network) -> JunctionGraph {
    let roads = network.edges.iter().enumerate().filter(|(_, edge)| edge.kind == EdgeKind::Normal);
    let mut graph = JunctionGraph::with_capacity(network.junctions.len(), network.edges.len());
    let nodes: Vec<_> = (0..network.junctions.len()).map(|at| graph.add_node(JunctionId::new(at))).collect();
    for (at, edge) in roads {
        graph.add_edge(nodes[edge.from.index()], nodes[edge.to.index()], EdgeId::new(at));
    }
    graph
}
