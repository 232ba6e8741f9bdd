//! Damaged networks: whatever a byte is changed to, the run is refused or finished.

use proptest::prelude::*;

use super::NET;
use tessds::diagnostics::Warnings;
use tessds::roles::standalone::{Division, RunError, cut_scenario, run};
use tessds::scenario::{OutputPaths, RunConfig, load};

const ROUTES: &str = r#"<routes><vType id="bus" vClass="bus" length="12"/>
    <flow id="f" from="a" to="d" begin="0" end="60" period="2" departLane="best" departPos="random_free"/>
    <flow id="n" from="a" via="n" to="d" begin="0" end="60" period="3"/>
    <flow id="b" type="bus" from="a" to="n" begin="0" end="60" period="9"/></routes>"#;

/// Loads and runs the small network as `net`; `Err` with what a sound network would not say.
fn simulate(net: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (net_path, routes_path) = (path("n.net.xml"), path("r.rou.xml"));
    std::fs::write(&net_path, net).expect("writing");
    std::fs::write(&routes_path, ROUTES).expect("writing");
    let options =
        [("net-file", &*net_path), ("route-files", &*routes_path), ("end", "200"), ("ignore-route-errors", "true")];
    let mut warnings = Warnings::default();
    let loaded = RunConfig::from_command_line(None, options, &mut warnings).and_then(|c| load(&c, &mut warnings));
    let Ok(scenario) = loaded else { return Ok(()) };
    let cut = cut_scenario(&scenario, 2).or_else(|_| cut_scenario(&scenario, 1));
    let Ok(cut) = cut else { return Ok(()) };
    match run(scenario, &OutputPaths::default(), Division { cut, threads: 1, quiet: true }) {
        Err(RunError::Failed(reason)) => Err(reason),
        Ok(_) | Err(RunError::Input(_)) => Ok(()),
    }
}

/// Replaces digits and letters within the values of attributes, so that the file stays well-formed.
fn damage(edits: &[(prop::sample::Index, char)]) -> String {
    let mut bytes = NET.as_bytes().to_vec();
    let start = NET.find("<edge ").expect("an edge");
    let in_values: Vec<usize> = {
        let mut quoted = false;
        let is_value = |&(_, byte): &(usize, &u8)| {
            quoted ^= *byte == b'"';
            quoted && byte.is_ascii_alphanumeric()
        };
        bytes.iter().enumerate().filter(is_value).map(|(at, _)| at).filter(|at| *at > start).collect()
    };
    for (place, character) in edits {
        bytes[in_values[place.index(in_values.len())]] = *character as u8;
    }
    String::from_utf8(bytes).expect("only ASCII was put in")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_networks_are_run_or_refused(
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select("0123456789.-aJEMmorGs ".chars().collect::<Vec<_>>())),
            1..4,
        ),
    ) {
        simulate(&damage(&edits)).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn the_undamaged_network_is_run() {
    assert_eq!(simulate(NET), Ok(()));
    assert_eq!(damage(&[]), NET);
}
