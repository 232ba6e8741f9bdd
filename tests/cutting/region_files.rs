//! Files about regions: selections and crossings, good and bad.

use std::path::{Path, PathBuf};

use tessds::demand::{ArrivalPos, DepartPos, DepartSpeed};
use tessds::diagnostics::Warnings;
use tessds::scenario::{Region, RegionSource, RunConfig, Scenario, load};

/// `tests/data/loading/small.net.xml`, drawn in `tests/loading/mod.rs`, with one vehicle on each of these routes.
fn small(routes: &[&str]) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.rou.xml");
    let vehicle = |(number, edges): (usize, &&str)| {
        format!("<vehicle id=\"v{number}\" depart=\"{number}\"><route edges=\"{edges}\"/></vehicle>")
    };
    let text: String = routes.iter().enumerate().map(vehicle).collect();
    std::fs::write(&file, format!("<routes>{text}</routes>")).unwrap();
    let net = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/loading/small.net.xml");
    let config = RunConfig { net: Some(net), routes: vec![file], ..RunConfig::default() };
    load(&config, &mut Warnings::default()).unwrap_or_else(|error| panic!("{error}"))
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
    /// An error without the folder.
    fn said(&self, error: &dyn std::fmt::Display) -> String {
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn a_selection_names_edges_and_a_bad_line_is_named() {
    let (files, scenario) = (Files::new(), small(&[]));
    let find = |text: &str| {
        let mut warnings = Warnings::default();
        let source = RegionSource::Selection(files.write("sel.txt", text));
        let found = Region::find(&source, &scenario.network, &mut warnings);
        found.map(|region| (region.inside().len(), warnings.iter().count())).map_err(|error| files.said(&error))
    };
    assert_eq!(find("edge:a\n\n# note\nedge:d\nedge:a\njunction:x\n"), Ok((2, 1)));
    let error = |text: &str| find(text).unwrap_err();
    assert_eq!(error("edge:a\nedge:nowhere"), "sel.txt:2: edge 'nowhere' is not in the network");
    assert_eq!(error("a\n"), "sel.txt:1: 'a' is not understood; write 'edge:ID'");
    assert!(error("\n").starts_with("sel.txt: no edge is in the region; the network reaches from"));
    let nowhere = RegionSource::parse("-9,-9,-8,-8").unwrap();
    assert!(Region::find(&nowhere, &scenario.network, &mut Warnings::default()).is_err());
}

/// The routes of a scenario by vehicle, and when they begin.
fn trips(scenario: &Scenario) -> Vec<(String, String, i64)> {
    let name = |edge: &tessds::ids::EdgeId| scenario.network.edge(*edge).name.to_string();
    let departures = scenario.demand.departures.iter();
    departures
        .map(|departure| {
            let edges: Vec<String> = scenario.demand.route(departure.route).iter().map(name).collect();
            (departure.name.to_string(), edges.join(" "), departure.depart_ms)
        })
        .collect()
}

/// The region of edge `d`; `b`, `n` and `busway` share its junctions.
fn region_d(scenario: &Scenario, files: &Files) -> Region {
    let source = RegionSource::Selection(files.write("d.txt", "edge:d\n"));
    Region::find(&source, &scenario.network, &mut Warnings::default()).unwrap()
}

#[test]
fn vehicles_come_in_when_they_would_on_empty_roads() {
    let (files, whole) = (Files::new(), small(&["a b d", "d", "c n", "x", "a c"]));
    let region = region_d(&whole, &files);
    let names: Vec<&str> = region.simulated().iter().map(|edge| &*whole.network.edge(*edge).name).collect();
    assert_eq!(names, ["b", "busway", "d", "n"]);
    let part = region.cut_out(whole.clone_for_test(), None, &mut Warnings::default()).unwrap();
    let mut trips = trips(&part);
    trips.sort();
    let routes: Vec<(&str, &str)> = trips.iter().map(|(name, edges, _)| (&**name, &**edges)).collect();
    assert_eq!(routes, [("v0", "b d"), ("v1", "d"), ("v2", "n")]);
    // v1 departs there, v0 comes over 196 m of a and 11 m of junction at about 13.89 m/s.
    assert_eq!(trips[1].2, 1000);
    assert!((11_000..22_000).contains(&trips[0].2), "{}", trips[0].2);
    let named = |name: &str| part.demand.departures.iter().find(|departure| &*departure.name == name).unwrap();
    let [own, coming] = ["v1", "v0"].map(named);
    assert_eq!((coming.depart_pos, coming.depart_speed), (DepartPos::Base, DepartSpeed::Max));
    assert_eq!((own.depart_speed, own.arrival_pos), (DepartSpeed::Avg, ArrivalPos::Max));
}

#[test]
fn vehicles_come_in_where_and_when_they_were_seen_and_a_bad_line_is_named() {
    let (files, whole) = (Files::new(), small(&["a b d", "d", "c n", "n d"]));
    let region = region_d(&whole, &files);
    let head =
        serde_json::to_string(&tessds::scenario::CrossingsHead::of(&whole.network, &region.simulated())).unwrap();
    let cut = |lines: &str| {
        let file = files.write("c.jsonl", lines);
        let cut = region.cut_out(whole.clone_for_test(), Some(&file), &mut Warnings::default());
        cut.map_err(|error| files.said(&error))
    };
    let seen = r#"{"vehicle":"v0","edges":["b"],"entry":{"time_ms":30000,"lane":1,"pos_m":3.5,"speed_mps":9.0},"arrived":false}"#;
    let again = r#"{"vehicle":"v0","edges":["d"],"entry":{"time_ms":60000,"lane":0,"pos_m":1.5,"speed_mps":2.0},"arrived":true}"#;
    let departed = r#"{"vehicle":"v1","edges":["d"],"arrived":true}"#;
    let part = cut(&format!("{head}\n{seen}\n{departed}\n{again}\n")).unwrap();
    let expected = [("v1", "d", 1000), ("v3", "n d", 3000), ("v0", "b", 30_000), ("v0#2", "d", 60_000)];
    // v3 departs there and was never seen: it waits.
    assert_eq!(trips(&part), expected.map(|(name, edges, ms)| (name.to_owned(), edges.to_owned(), ms)));
    let came = &part.demand.departures[2];
    assert_eq!((came.depart_pos, came.depart_speed), (DepartPos::Given(3.5), DepartSpeed::UpTo(9.0)));

    let error = |lines: String| cut(&lines).unwrap_err();
    let check = |line: &str, expected: &str| {
        let said = error(format!("{head}\n{departed}\n{line}\n"));
        assert!(said.starts_with(&format!("c.jsonl:3: {expected}")), "{said}");
    };
    check("{", "the line is damaged");
    check(&seen.replace("v0", "w"), "vehicle 'w' is not in the demand");
    check(&seen.replace("[\"b\"]", "[\"a\"]"), "edge 'a' is not in or around the region");
    check(&seen.replace("[\"b\"]", "[]"), "a way has 1 to");
    check(&seen.replace("[\"b\"]", "[\"d\",\"b\"]"), "no connection from edge 'd' to edge 'b'");
    check(&seen.replace("3.5", "5000.0"), "the entry is not on the edge");
    check(&seen.replace("\"lane\":1", "\"lane\":7"), "the entry is not on the edge");
    assert!(error("<routes/>".to_owned()).starts_with("c.jsonl:1: this is no file of crossings"));
    assert!(error(String::new()).starts_with("c.jsonl:1: this is no file of crossings"));
    let other = head.replace("\"edges\":4", "\"edges\":5");
    assert!(error(other).contains("recorded for another region or network than"), "another region");
}

/// A scenario cannot be cloned by the program, which has one at a time.
trait CloneForTest {
    fn clone_for_test(&self) -> Scenario;
}

impl CloneForTest for Scenario {
    fn clone_for_test(&self) -> Scenario {
        Scenario {
            network: self.network.clone(),
            demand: self.demand.clone(),
            settings: self.settings.clone(),
            requests: self.requests.clone(),
        }
    }
}
