//! The small protocols that recovery rests on, model-checked: every order of events within the bounds is tried. Where there
//! is pure code for it in the program, the model drives that code. `docs/simulation.md` has the bounds and what was counted.

mod commit;
mod handshake;
mod lease;

use std::hash::Hash;

use stateright::{Checker, Expectation, Model};

/// What a check has shown.
struct Explored {
    /// Things that should be possible, and never happened.
    missing: Vec<&'static str>,
    /// Properties that do not hold.
    broken: Vec<&'static str>,
    /// How they are broken.
    paths: String,
}

/// Tries all orders of events.
fn explore<M>(name: &str, model: M) -> Explored
where
    M: Model + Send + Sync + 'static,
    M::State: Hash + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static,
    M::Action: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static,
{
    let expected = model.properties();
    let started = std::time::Instant::now();
    let checker = model.checker().spawn_bfs().join();
    println!(
        "{name}: {} states, {} of them different, depth {}, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        started.elapsed().as_secs_f64()
    );
    let discoveries = checker.discoveries();
    let (mut missing, mut broken, mut paths) = (Vec::new(), Vec::new(), String::new());
    for property in expected {
        match (property.expectation, discoveries.get(property.name)) {
            (Expectation::Sometimes, None) => missing.push(property.name),
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                broken.push(property.name);
                paths += &format!("{}: {:#?}\n", property.name, path.clone().into_actions());
            }
            _ => {}
        }
    }
    Explored { missing, broken, paths }
}
