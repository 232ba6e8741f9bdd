//! Loading whole scenarios from files: a small network with a bus lane (`tests/data/loading/small.net.xml`), and demand and
//! additional elements written next to it.
//!
//! ```text
//!        N ----n----.
//!        |           \
//!        c            \        busway: F → N, only for buses
//!        |             \       b: the right lane only for buses and bicycles
//! W --a--J------b-------E--d--F        P --x-- Q
//! ```

mod acting;
mod as_sumo;
mod bad_input;
mod command_lines;
mod coverage;
mod demand;
mod mutations;
mod outputs;
mod requests;

use std::fs;

use tessds::diagnostics::Warnings;
use tessds::scenario::{RunConfig, Scenario, load};

const NET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/loading/small.net.xml");

/// What is loaded, and how.
#[derive(Default)]
struct Input<'a> {
    additional: &'a str,
    routes: &'a str,
    /// Options by SUMO's long names.
    options: &'a [(&'a str, &'a str)],
}

struct Loaded {
    scenario: Result<Scenario, String>,
    /// `kind [place]: message`, file names without their directory.
    warnings: Vec<String>,
}

impl Input<'_> {
    fn load(&self) -> Loaded {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (additional, routes) = (path("a.add.xml"), path("r.rou.xml"));
        fs::write(&additional, format!("<additional>\n{}</additional>", self.additional)).expect("writing");
        fs::write(&routes, format!("<routes>\n{}</routes>", self.routes)).expect("writing");
        let mut warnings = Warnings::default();
        let files = [("net-file", NET), ("additional-files", &additional), ("route-files", &routes)];
        let options = files.into_iter().chain(self.options.iter().copied());
        let scenario =
            RunConfig::from_command_line(None, options, &mut warnings).and_then(|config| load(&config, &mut warnings));
        let shorten = |text: String| text.replace(&format!("{}/", directory.path().display()), "");
        Loaded {
            scenario: scenario.map_err(|error| shorten(error.to_string())),
            warnings: warnings
                .iter()
                .map(|(kind, at, message, _)| shorten(format!("{kind} [{at}]: {message}")))
                .collect(),
        }
    }
}

/// Loads routes that must be good.
fn good(routes: &str) -> Scenario {
    good_with(Input { routes, ..Input::default() })
}

fn good_with(input: Input<'_>) -> Scenario {
    let loaded = input.load();
    loaded.scenario.unwrap_or_else(|error| panic!("{error}"))
}

/// `name@seconds` of all departures.
fn departures(scenario: &Scenario) -> Vec<String> {
    let at = |ms: i64| ms as f64 / 1000.0;
    scenario.demand.departures.iter().map(|d| format!("{}@{}", d.name, at(d.depart_ms))).collect()
}

/// Names of the edges that the `n`-th vehicle to depart drives.
fn route(scenario: &Scenario, n: usize) -> String {
    let edges = scenario.demand.route(scenario.demand.departures[n].route);
    edges.iter().map(|edge| &*scenario.network.edge(*edge).name).collect::<Vec<_>>().join(" ")
}
