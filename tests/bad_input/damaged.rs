//! Damaged networks and demand: whatever a value is changed to, the run is refused or finished.

use proptest::prelude::*;

use super::NET;
use tessds::diagnostics::Warnings;
use tessds::roles::standalone::{Division, RunError, run};
use tessds::scenario::cut_scenario;
use tessds::scenario::{OutputPaths, RunConfig, load};

const ROUTES: &str = r#"<routes><vType id="bus" vClass="bus" length="12" minGap="2.5" accel="1.2" decel="4" emergencyDecel="9"/>
    <vType id="car" speedFactor="normc(1,0.1,0.2,2)" tau="1.2" sigma="0.5" maxSpeed="50" lcStrategic="1" lcAssertive="1.5"/>
    <vType id="idm" carFollowModel="IDM" delta="4" tau="1" lcKeepRight="0" lcSpeedGain="2" impatience="0.5"/>
    <flow id="c" type="car" from="a" to="d" begin="5" end="60" vehsPerHour="900" departPos="-20" departSpeed="7" arrivalPos="50"/>
    <flow id="i" type="idm" from="a" to="b" begin="0" end="60" probability="0.2" departLane="0" departSpeed="max">
        <stop lane="b_1" startPos="20" endPos="80" duration="15" until="90"/></flow>
    <flow id="f" from="a" to="d" begin="0" end="60" period="2" departLane="best" departPos="random_free"/>
    <flow id="n" from="a" via="n" to="d" begin="0" end="60" period="3"/>
    <flow id="b" type="bus" from="a" to="n" begin="0" end="60" period="9"/></routes>"#;

/// Loads and runs a network with demand: whether it was run to its end, or else refused; `Err` when a run fails.
fn simulate(net: &str, routes: &str) -> Result<bool, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (net_path, routes_path) = (path("n.net.xml"), path("r.rou.xml"));
    std::fs::write(&net_path, net).expect("writing");
    std::fs::write(&routes_path, routes).expect("writing");
    let options =
        [("net-file", &*net_path), ("route-files", &*routes_path), ("end", "200"), ("ignore-route-errors", "true")];
    let mut warnings = Warnings::default();
    let loaded = RunConfig::from_command_line(None, options, &mut warnings).and_then(|c| load(&c, &mut warnings));
    let Ok(scenario) = loaded else { return Ok(false) };
    let cut = cut_scenario(&scenario, 2).or_else(|_| cut_scenario(&scenario, 1));
    let Ok(cut) = cut else { return Ok(false) };
    match run(scenario, &OutputPaths::default(), Division { cut, threads: 1, quiet: true }) {
        Err(RunError::Failed(reason)) => Err(reason),
        Ok(_) => Ok(true),
        Err(RunError::Input(_)) => Ok(false),
    }
}

/// Replaces digits and letters within the values of attributes after `start`, so that the file stays well-formed.
fn damage(text: &str, start: &str, edits: &[(prop::sample::Index, char)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let start = text.find(start).expect("the start");
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

fn edits(characters: &str) -> impl Strategy<Value = Vec<(prop::sample::Index, char)>> + use<> {
    let character = prop::sample::select(characters.chars().collect::<Vec<_>>());
    prop::collection::vec((any::<prop::sample::Index>(), character), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_networks_are_run_or_refused(edits in edits("0123456789.-aJEMmorGs ")) {
        simulate(&damage(NET, "<edge ", &edits), ROUTES).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn damaged_demand_is_run_or_refused(edits in edits("0123456789.-eabcdn ")) {
        simulate(NET, &damage(ROUTES, "<vType ", &edits)).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn the_undamaged_network_is_run() {
    assert_eq!(simulate(NET, ROUTES), Ok(true));
    assert_eq!(damage(NET, "<edge ", &[]), NET);
}
