//! Detectors, mean data and signals of additional files.

use super::{Input, good_with};
use std::path::Path;
use tessds::ids::TypeId;
use tessds::scenario::{EmptyEdges, MeanDataLevel, RunConfig, load};

#[test]
fn detectors_and_mean_data_are_requested_in_old_and_new_spelling() {
    let scenario = good_with(Input {
        additional: r#"<vType id="t"/>
        <e1Detector id="old" lane="a_0" pos="23" freq="1800" file="out/e1.xml"/>
        <inductionLoop id="new" lane="b_1" pos="-10" period="60" file="e1.xml" vTypes="t late"/>
        <edgeData id="edges" file="e.xml" freq="900" begin="10" excludeEmpty="true" edges="a b"/>
        <laneData id="lanes" file="l.xml" trackVehicles="true" withInternal="true"/>"#,
        routes: r#"<vTypeDistribution id="late"><vType id="u"/><vType id="v"/></vTypeDistribution>"#,
        ..Input::default()
    });
    let requests = &scenario.requests;
    let [old, new] = &requests.detectors[..] else { panic!("two detectors") };
    assert_eq!((&*old.name, old.pos_m, old.period_ms), ("old", 23.0, Some(1_800_000)));
    assert!(old.file.ends_with("out/e1.xml") && old.file.is_absolute(), "relative to the file that asks for it");
    assert!((new.pos_m - 176.62).abs() < 1e-9);
    let counted: Vec<&str> = new.vtypes.iter().map(|t| &*scenario.demand.types[t.index()].name).collect();
    assert_eq!(counted, ["t", "u", "v"], "types may be defined later, distributions stand for their members");
    let [edges, lanes] = &requests.mean_data[..] else { panic!("two requests") };
    assert_eq!((edges.level, edges.period_ms, edges.begin_ms), (MeanDataLevel::Edge, Some(900_000), Some(10_000)));
    assert_eq!((edges.empty, edges.edges.len()), (EmptyEdges::Exclude, 2));
    assert_eq!((lanes.level, lanes.period_ms, lanes.empty), (MeanDataLevel::Lane, None, EmptyEdges::Include));
    assert!(lanes.track_vehicles && lanes.with_internal);
    assert_eq!(lanes.file.file_name(), Path::new("l.xml").file_name());
}

#[test]
fn a_detector_for_a_type_that_is_not_known_measures_nothing() {
    let loaded = Input {
        additional: r#"<inductionLoop id="i" lane="a_0" pos="5" file="i.xml" vTypes="q"/>
        <edgeData id="e" file="e.xml" vTypes="t q"/><vType id="t"/>"#,
        routes: r#"<trip id="v" from="a" to="d" depart="0"/>"#,
        ..Input::default()
    }
    .load();
    let message = "vehicle type 'q' is not known [a.add.xml:2: inductionLoop 'i']: no vehicle of this type is measured";
    assert_eq!(loaded.warnings, [message]);
    let scenario = loaded.scenario.expect("SUMO runs it, too");
    assert_eq!(&*scenario.requests.detectors[0].vtypes, [TypeId::NONE], "an empty list would mean all");
    assert_eq!(scenario.requests.mean_data[0].vtypes.len(), 2);
}

#[test]
fn what_is_not_simulated_is_told_once_per_kind_and_decoration_is_not_told() {
    let loaded = Input {
        additional: r#"<poly id="p" shape="0,0 1,1"/><poi id="q" x="1" y="2"/><param key="k" value="v"/>
        <rerouter id="r" edges="a"><interval end="10"/></rerouter>
        <rerouter id="s" edges="b"/>"#,
        routes: r#"<person id="p" depart="0"><walk edges="a b"/></person><person id="q" depart="1"/>
        <trip id="t" from="a" to="d" depart="0" color="red"/><trip id="u" depart="triggered" from="a" to="d"/>"#,
        ..Input::default()
    }
    .load();
    assert_eq!(
        loaded.warnings,
        [
            "depart=\"triggered\" is not supported [r.rou.xml:3: trip 'u']: the trip is left out",
            "element 'person' is not supported [r.rou.xml:2: person 'p']: it is left out; the road traffic runs without it",
            "element 'rerouter' is not supported [a.add.xml:3: rerouter 'r']: it is left out; the road traffic runs without it",
        ]
    );
    assert_eq!(loaded.scenario.expect("good input").demand.departures.len(), 1);
}

#[test]
fn detectors_of_several_kinds_that_name_one_file_get_a_file_each() {
    let loaded = Input {
        additional: r#"<inductionLoop id="i" lane="a_0" pos="5" file="out.xml"/>
        <laneAreaDetector id="j" lane="b_0" pos="5" endPos="50" file="out.xml"/>
        <inductionLoop id="k" lane="a_0" pos="9" file="NUL"/>
        <laneAreaDetector id="l" lane="b_0" pos="5" endPos="50" file="NUL"/>"#,
        routes: r#"<trip id="t" from="a" to="d" depart="0"/>"#,
        ..Input::default()
    }
    .load();
    let requests = loaded.scenario.expect("good input").requests;
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    assert_eq!([name(&requests.detectors[0].file), name(&requests.areas[0].file)], ["out.xml", "e2_out.xml"]);
    assert_eq!([name(&requests.detectors[1].file), name(&requests.areas[1].file)], ["NUL", "NUL"]);
    assert!(loaded.warnings.iter().any(|w| w.contains("several kinds")), "{:?}", loaded.warnings);
}

#[test]
fn all_signals_are_recorded_where_no_source_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.add.xml");
    std::fs::write(&path, r#"<additional><timedEvent type="SaveTLSStates" dest="s.xml"/></additional>"#)
        .expect("writing");
    let net = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/actuated/crossing.net.xml");
    let config = RunConfig { net: Some(net), additional: vec![path], ..RunConfig::default() };
    let scenario = load(&config, &mut Default::default()).expect("good input");
    let recorded: Vec<_> = scenario.requests.signals.iter().map(|request| &request.name).collect();
    assert!(!recorded.is_empty());
    assert_eq!(recorded, scenario.network.signals.iter().map(|signal| &signal.name).collect::<Vec<_>>());
}
