//! Writes the files that SUMO's tools read, and sums up over steps in a sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tessds::{MergedStep, OutputPaths, Simulation};

pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sumocfg = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
    let folder = std::env::temp_dir().join(format!("tessds-outputs-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let paths = OutputPaths {
        tripinfo: Some(folder.join("tripinfo.xml")),
        summary: Some(folder.join("summary.xml.gz")),
        edgedata: Some(folder.join("edgedata.csv")),
        ..OutputPaths::default()
    };
    let mut simulation = Simulation::from_sumocfg(sumocfg)?.end_ms(Some(300_000)).outputs(paths).build()?;
    let departures = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&departures);
    simulation.add_sink(move |step: &MergedStep| {
        counted.fetch_add(step.departed.len(), Ordering::Relaxed);
    });
    simulation.run_to_end()?;
    let finished = simulation.finish()?;

    let departed = departures.load(Ordering::Relaxed);
    println!("{} steps, {departed} departures, digest {:032x}", finished.steps, finished.digest);
    let tripinfo = std::fs::read_to_string(folder.join("tripinfo.xml"))?;
    assert_eq!(tripinfo.matches("<tripinfo ").count() as u64, finished.counts.arrived);
    assert_eq!(departed as u64, finished.counts.inserted);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
