//! Output files of a whole run: the same for every cut, in the formats that their names ask for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tessds::diagnostics::{Location, Warnings};
use tessds::graph::partition::random_cut;
use tessds::roles::standalone::{Division, run};
use tessds::scenario::{RunConfig, load};

const NET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/nets/lights.net.xml.gz");

const ROUTES: &str = r#"<routes>
    <vType id="car" sigma="0.5"/>
    <vType id="bike" vClass="bicycle"/>
    <flow id="f" type="car" begin="0" end="120" period="3" from="left0A0" to="A3A2" departLane="best" departSpeed="max"/>
    <flow id="g" type="car" begin="0" end="120" period="4" from="left1A1" to="B1C1" departLane="random"/>
    <flow id="k" type="bike" begin="0" end="90" period="30" from="A0A1" to="B1C1"/>
    <vehicle id="s" type="car" depart="5"><route edges="A0A1 A1B1 B1C1"/><stop lane="A1B1_0" endPos="40" duration="30"/></vehicle>
</routes>"#;

const ADDITIONAL: &str = r#"<additional>
    <inductionLoop id="loop" lane="A1B1_0" pos="67" period="60" file="e1.xml"/>
    <instantInductionLoop id="instant" lane="A1B1_0" pos="30" file="instant.csv"/>
    <laneAreaDetector id="short" lane="A1B1_0" pos="10" endPos="60" period="60" file="e2.xml"/>
    <laneAreaDetector id="long" lanes="A1B1_0 B1C1_0" pos="10" endPos="-10" file="e2.xml"/>
    <entryExitDetector id="gate" period="100" file="e3.xml">
        <detEntry lane="A1B1_0" pos="5"/>
        <detEntry lane="A1B1_1" pos="5"/>
        <detExit lane="B1C1_0" pos="-5"/>
        <detExit lane="B1C1_1" pos="-5"/>
    </entryExitDetector>
    <timedEvent type="SaveTLSStates" source="B1" dest="states.xml"/>
    <timedEvent type="SaveTLSSwitchTimes" source="B1" dest="times.xml"/>
    <timedEvent type="SaveTLSSwitchStates" source="B1" dest="switches.xml"/>
    <timedEvent type="SaveTLSProgram" source="B1" dest="program.xml"/>
</additional>"#;

const OPTIONS: [(&str, &str); 17] = [
    ("end", "200"),
    ("device.rerouting.probability", "1"),
    ("device.rerouting.period", "30"),
    ("tripinfo-output", "tripinfo.csv"),
    ("summary-output", "summary.csv.gz"),
    ("statistic-output", "statistic.xml"),
    ("fcd-output", "fcd.csv"),
    ("edgedata-output", "edges.csv"),
    ("vehroute-output", "vehroute.xml"),
    ("vehroute-output.exit-times", "true"),
    ("vehroute-output.write-unfinished", "true"),
    ("lanechange-output", "changes.xml"),
    ("queue-output", "queues.xml"),
    ("netstate-dump", "state.xml"),
    ("collision-output", "collisions.xml"),
    ("precision", "3"),
    ("human-readable-time", "false"),
];

/// All files of a run that is cut into so many parts.
fn files(parts: u32) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("writing");
        name.to_owned()
    };
    let (routes, additional) = (write("r.rou.xml", ROUTES), write("a.add.xml", ADDITIONAL));
    let mut config = RunConfig { net: Some(NET.into()), ..RunConfig::default() };
    let mut warnings = Warnings::default();
    let inputs = [("route-files", routes.as_str()), ("additional-files", additional.as_str())];
    for (option, value) in inputs.into_iter().chain(OPTIONS) {
        config.set(option, value, folder.path(), Location::default(), &mut warnings).expect("a good option");
    }
    let scenario = load(&config, &mut warnings).expect("a good scenario");
    let cut = random_cut(&scenario.network, parts, 7).expect("a cut");
    run(scenario, &config.outputs, Division { cut, threads: 1, quiet: true }).expect("a run");
    read_all(folder.path())
}

fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    entries.map(|path| (name(&path), fs::read(&path).expect("a file"))).collect()
}

#[test]
fn files_do_not_depend_on_the_cut_and_hold_what_happened() {
    let whole = files(1);
    let parts = files(3);
    for (name, bytes) in &whole {
        assert!(parts.get(name) == Some(bytes), "{name} depends on the cut");
    }
    let text = |name: &str| String::from_utf8_lossy(&whole[name]).into_owned();
    for (name, part) in [
        ("e1.xml", "id=\"loop\""),
        ("instant.csv", "instantOut_id;instantOut_time"),
        ("instant.csv", ";leave;"),
        ("e2.xml", "id=\"long\""),
        ("e3.xml", "id=\"gate\""),
        ("states.xml", "<tlsState time=\"0.000\" id=\"B1\" programID=\"0\" phase=\"0\""),
        ("times.xml", "<tlsSwitch id=\"B1\""),
        ("switches.xml", "<tlsState time=\"0.000\""),
        ("program.xml", "<phase duration="),
        ("tripinfo.csv", "tripinfo_id;tripinfo_depart;tripinfo_departLane"),
        ("fcd.csv", "timestep_time;vehicle_id;vehicle_x;vehicle_y"),
        ("edges.csv", "interval_begin;interval_end;interval_id;edge_id;edge_sampledSeconds"),
        ("statistic.xml", "<bikeTripStatistics count="),
        ("vehroute.xml", "exitTimes="),
        ("changes.xml", "reason=\""),
        ("queues.xml", "queueing_length="),
        ("state.xml", "<vehicle id="),
        ("collisions.xml", "</collisions>"),
    ] {
        assert!(text(name).contains(part), "{part} is missing in {name}:\n{}", text(name));
    }
    assert!(whole["summary.csv.gz"].starts_with(&[0x1f, 0x8b]), "compressed");
}
