//! What if: the same morning once more, with a road closed.

use tessds::{Order, Simulation, SimulationError};

pub fn main() -> Result<(), SimulationError> {
    let sumocfg = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
    let mut plain = Simulation::from_sumocfg(sumocfg)?.seed(7).build()?;
    plain.run_until(120_000)?;

    let mut closed = plain.fork()?;
    let busiest = closed.edges().filter(|edge| !edge.name().starts_with(':')).max_by_key(|edge| edge.vehicle_count());
    let lanes = busiest.map(|edge| edge.lanes().map(|lane| lane.id()).collect()).unwrap_or_default();
    closed.order(Order::Close { lanes })?;

    for simulation in [&mut plain, &mut closed] {
        simulation.run_until(240_000)?;
    }
    let mean_s = |simulation: &Simulation| simulation.trips().mean_duration_ms() as f64 / 1e3;
    println!("open: {} trips of {:.0} s on average", plain.counts().arrived, mean_s(&plain));
    println!("closed: {} trips of {:.0} s on average", closed.counts().arrived, mean_s(&closed));

    // The first one is as it would be without the fork, and a snapshot goes through bytes.
    let snapshot = tessds::Snapshot::from_bytes(&plain.save().to_bytes())?;
    let again = Simulation::from_sumocfg(sumocfg)?.seed(7).partitions(2).restore(&snapshot)?;
    assert_eq!(again.digest(), plain.digest());
    assert_ne!(closed.digest(), plain.digest());
    Ok(())
}
