//! One junction by hand: a road with priority and a side road, and who waits for whom.

use tessds::{Demand, DepartSpeed, Edit, Network, NewEdge, NewJunction, Simulation, VehicleClass, VehicleType};

pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let junction = |id: &str, x: f64, y: f64| Edit::AddJunction(NewJunction::new(id, x, y));
    let edge = |id: &str, from: &str, to: &str, priority: i32| {
        Edit::AddEdge(Box::new(NewEdge { priority, ..NewEdge::new(id, from, to) }))
    };
    let network = Network::made_of(&[
        junction("west", -300.0, 0.0),
        junction("south", 0.0, -300.0),
        junction("middle", 0.0, 0.0),
        junction("east", 300.0, 0.0),
        edge("main", "west", "middle", 2),
        edge("side", "south", "middle", 1),
        edge("out", "middle", "east", 2),
    ])?;
    let named = |name: &str| {
        let index = network.edges.iter().position(|edge| &*edge.name == name);
        tessds::EdgeId::new(index.expect("an edge that was just added"))
    };
    let (main, side, out) = (named("main"), named("side"), named("out"));

    let mut demand = Demand::default();
    let car = demand.add_type(VehicleType::default_of("car", VehicleClass::Passenger));
    for i in 0..20 {
        demand.add_vehicle(&format!("main {i}"), car, &[main, out], i * 3_000).depart_speed = DepartSpeed::Max;
        demand.add_vehicle(&format!("side {i}"), car, &[side, out], i * 3_000).depart_speed = DepartSpeed::Max;
    }

    let mut simulation = Simulation::from_parts(network, demand).seed(3).build()?;
    let mut halted_s = [0, 0];
    while !simulation.is_over() {
        simulation.step()?;
        for (sum_s, edge) in halted_s.iter_mut().zip([main, side]) {
            *sum_s += simulation.edge(edge).map_or(0, |edge| edge.halting_count());
        }
    }
    println!("vehicles stood {} s on the main road, {} s on the side road", halted_s[0], halted_s[1]);
    assert_eq!(simulation.counts().arrived, 40);
    assert!(halted_s[1] > halted_s[0]);
    Ok(())
}
