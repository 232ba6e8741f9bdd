//! A signal control loop: every ten seconds each signal shows the phase with the longest queue before its green links.

use tessds::{Order, Simulation, SimulationError};

/// How long a phase is held before the queues are looked at again, ms.
const HOLD_MS: i64 = 10_000;

pub fn main() -> Result<(), SimulationError> {
    let sumocfg = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
    let mut simulation = Simulation::from_sumocfg(sumocfg)?.build()?;
    for _ in 0..30 {
        let orders: Vec<Order> = simulation
            .signals()
            .filter_map(|signal| {
                let (program, _) = signal.program_and_phase();
                let phases = &signal.signal().programs[program as usize].phases;
                let queue = |phase: &tessds::SignalPhase| -> usize {
                    let green =
                        phase.aspects.iter().zip(&signal.signal().lanes).filter(|(aspect, _)| aspect.is_green());
                    let lanes = green.filter_map(|(_, lane)| simulation.lane(*lane));
                    lanes.map(|lane| lane.halting_count()).sum()
                };
                let (phase, _) = phases.iter().enumerate().max_by_key(|(_, phase)| queue(phase))?;
                Some(Order::ShowPhase { signal: signal.id(), phase: phase as u32, hold_ms: Some(HOLD_MS) })
            })
            .collect();
        for order in orders {
            simulation.order(order)?;
        }
        simulation.run_until(simulation.now_ms() + HOLD_MS)?;
    }
    println!("{} vehicles have arrived, {} stand", simulation.counts().arrived, simulation.counts().halting);
    Ok(())
}
