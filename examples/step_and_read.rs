//! Steps a SUMO scenario and reads vehicles and roads. The argument is a configuration; without, it is the bundled example.

use tessds::{Simulation, SimulationError};

pub fn main() -> Result<(), SimulationError> {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
    let sumocfg =
        std::env::args().nth(1).filter(|path| path.ends_with(".sumocfg")).unwrap_or_else(|| example.to_owned());
    let mut simulation = Simulation::from_sumocfg(sumocfg)?.partitions(2).build()?;
    for _ in 0..120 {
        let step = simulation.step()?;
        for trip in &step.arrivals {
            println!("vehicle {} arrived after {:.0} m", trip.vehicle.0, trip.route_length_m);
        }
    }

    let busiest = simulation.edges().max_by_key(|edge| edge.vehicle_count());
    if let Some(edge) = busiest {
        let speed_mps = edge.mean_speed_mps().unwrap_or(0.0);
        println!("{} holds {} vehicles, which drive {speed_mps:.1} m/s on average", edge.name(), edge.vehicle_count());
        for vehicle in edge.vehicles() {
            let pose = simulation.pose(&vehicle);
            println!("  {} at {:.1} m, map ({:.0}, {:.0})", vehicle.name(), vehicle.position_m(), pose.x_m, pose.y_m);
        }
    }
    let counts = simulation.counts();
    println!("{} vehicles run, {} wait, {} have arrived", counts.running, counts.waiting, counts.arrived);
    assert_eq!(counts.loaded, counts.waiting + counts.running + counts.arrived + counts.discarded);
    Ok(())
}
