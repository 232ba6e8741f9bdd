use super::*;
use crate::graph::{Edge, Junction, JunctionKind, Lane};
use crate::ids::{EdgeId, JunctionId, LaneId};

/// Streets of 100 m both ways between neighbours of a grid.
fn grid(columns: usize, rows: usize) -> Network {
    let mut network = Network::default();
    for at in 0..columns * rows {
        let name = format!("J{at}").into();
        network.junctions.push(Junction { name, kind: JunctionKind::Priority, x: 0.0, y: 0.0 });
    }
    for at in 0..columns * rows {
        let right = (at % columns + 1 < columns).then_some(at + 1);
        let below = (at / columns + 1 < rows).then_some(at + columns);
        for other in right.into_iter().chain(below) {
            add_edge(&mut network, at, other);
            add_edge(&mut network, other, at);
        }
    }
    network
}

fn add_edge(network: &mut Network, from: usize, to: usize) {
    let [edge, lane] = [network.edges.len(), network.lanes.len()];
    network.lanes.push(Lane::new(EdgeId::new(edge), 100.0, Lane::DEFAULT_SPEED_MPS));
    network.edges.push(Edge {
        name: format!("e{edge}").into(),
        kind: EdgeKind::Normal,
        first_lane: LaneId::new(lane),
        lane_count: 1,
        from: JunctionId::new(from),
        to: JunctionId::new(to),
        priority: 1,
        length_m: 100.0,
        roundabout: false,
    });
}

/// What holds for every cut.
fn check_invariants(network: &Network, cut: &Cut) {
    assert_eq!(cut.part_of_edge.len(), network.edges.len());
    let mut part_of_junction = vec![None; network.junctions.len()];
    let mut owned = vec![0; cut.parts as usize];
    for (edge, &part) in network.edges.iter().zip(&cut.part_of_edge) {
        owned[usize::from(part)] += 1;
        assert_eq!(*part_of_junction[edge.to.index()].get_or_insert(part), part, "a junction is in one partition");
    }
    assert!(owned.iter().all(|&count| count > 0), "every partition owns a road: {owned:?}");
}

#[test]
fn every_partition_owns_roads_and_junctions_are_whole() {
    for (columns, rows) in [(2, 1), (3, 2), (5, 4), (12, 9)] {
        let network = grid(columns, rows);
        let weights = CutWeights::of_network(&network);
        for parts in 1..=(columns * rows).min(20) as u32 {
            check_invariants(&network, &cut(&network, &weights, parts, 7).unwrap());
            check_invariants(&network, &random_cut(&network, parts, 7).unwrap());
        }
    }
}

#[test]
fn equal_arguments_give_equal_cuts_also_in_parallel() {
    let network = grid(30, 30);
    let weights = CutWeights::of_network(&network);
    let first = cut(&network, &weights, 6, 42).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(cut(&network, &weights, 6, 42).unwrap(), first));
        }
    });
    assert_eq!(random_cut(&network, 3, 1), random_cut(&network, 3, 1));
    assert_ne!(random_cut(&network, 3, 1), random_cut(&network, 3, 2));
}

#[test]
fn cuts_of_a_grid_are_balanced_and_short() {
    let network = grid(40, 40);
    let weights = CutWeights::of_network(&network);
    let report = cut(&network, &weights, 4, 1).unwrap().report(&network, &weights);
    assert!(report.balance < 1.06, "{report}");
    // Two straight lines across the grid cut 160 of its 6,240 roads.
    assert!((100..240).contains(&report.cut_roads), "{report}");
    let random = random_cut(&network, 4, 1).unwrap().report(&network, &weights);
    assert!(random.cut_roads > 10 * report.cut_roads, "{random}");
}

#[test]
fn expected_traffic_moves_the_cut() {
    let network = grid(40, 10);
    // Nobody drives in the right half, so the left half is shared out.
    let column = |junction: JunctionId| junction.index() % 40;
    let vehicles: Vec<u32> = network.edges.iter().map(|edge| if column(edge.to) < 20 { 1000 } else { 0 }).collect();
    let weights = CutWeights::of_usage(&network, &vehicles);
    let report = cut(&network, &weights, 2, 1).unwrap().report(&network, &weights);
    assert!(report.balance < 1.06, "{report}");
    let blind = cut(&network, &CutWeights::of_network(&network), 2, 1).unwrap().report(&network, &weights);
    assert!(blind.balance > 1.5, "{blind}");
}

#[test]
fn impossible_numbers_of_partitions_are_errors() {
    let network = grid(2, 2);
    let weights = CutWeights::of_network(&network);
    assert_eq!(cut(&network, &weights, 0, 1), Err(CutError::NoParts));
    let too_many = CutError::TooManyParts { parts: 5, most: 4 };
    assert_eq!(cut(&network, &weights, 5, 1), Err(too_many.clone()));
    assert_eq!(random_cut(&network, 5, 1), Err(too_many));
    let nothing = Network::default();
    assert_eq!(cut(&nothing, &CutWeights::of_network(&nothing), 1, 1).unwrap().parts, 1);
}
