//! Every name of SUMO's XML schemas stands in the coverage tables. `tests/data/xsd_names.txt` is what `tools/xsd_names.py` makes
//! of the schemas of SUMO 1.28.

use std::path::Path;
use std::process::Command;

use tessds::coverage::{Effect, row};

use super::{Input, NET};

const NAMES: &str = include_str!("../data/xsd_names.txt");

#[test]
fn every_name_of_the_schemas_is_used_has_no_effect_or_is_warned_of() {
    let mut missing = Vec::new();
    let mut elements = vec!["net", "routes", "additional", "tazs"];
    let mut at = 0;
    // Elements that are left out are not walked into.
    while let Some(&element) = elements.get(at) {
        at += 1;
        let Some(row) = row(element) else {
            missing.push(element.to_owned());
            continue;
        };
        for line in NAMES.lines() {
            if let Some(attribute) = line.strip_prefix(element).and_then(|rest| rest.strip_prefix('@')) {
                if row.attributes.find(attribute).is_none() {
                    missing.push(line.to_owned());
                }
            } else if let Some(child) = line.strip_prefix(element).and_then(|rest| rest.strip_prefix('/')) {
                match row.children.find(child) {
                    None => missing.push(line.to_owned()),
                    // Nested models of car following are read with the rows of the type.
                    Some(Effect::Used) if !elements.contains(&child) && !child.starts_with("carFollowing-") => {
                        elements.push(child);
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in src/coverage: {missing:#?}");
    assert!(at > 25, "only {at} elements were walked: {elements:?}");
}

#[test]
fn the_list_of_names_is_that_of_the_schemas_at_hand() {
    let Some(home) = std::env::var_os("SUMO_HOME") else { return };
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/xsd_names.py");
    let listed = Command::new("python3").arg(tool).arg(Path::new(&home).join("data/xsd")).output();
    let Ok(listed) = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()) else { return };
    if !listed.is_empty() {
        assert_eq!(listed, NAMES, "run tools/xsd_names.py again");
    }
}

#[test]
fn what_has_no_effect_is_warned_of_and_what_is_not_known_is_answered_with_a_similar_name() {
    assert!(NET.ends_with(".xml"));
    let additional = r#"<edgeData id="e" file="e.xml" aggregate="true"/>
        <inductionLoop id="d" lane="a_0" pos="5" length="2" file="d.xml"/><rerouter id="r" edges="a"/><busStopp id="x"/>"#;
    let routes = r#"<vType id="t" jmSigmaMinor="0.5" lcPushy="1" colour="red"/><route id="r" edges="a b d"/>
        <vehicle id="v" type="t" route="r" depart="0" deprtPos="5" departPosLat="left" xsi:a="b">
            <stop lane="a_0" endPos="50" duration="1" jump="5" actType="x"/></vehicle>"#;
    let warnings = Input { additional, routes, ..Input::default() }.load().warnings.join("\n");
    for expected in [
        "attribute 'aggregate' of edgeData is not supported",
        "attribute 'length' of inductionLoop is not supported",
        "element 'rerouter' is not supported",
        "element 'busStopp' is not known [a.add.xml:3: busStopp 'x']: it is ignored; did you mean 'busStop'?",
        "attribute 'jmSigmaMinor' of vType is not supported",
        "attribute 'colour' of vType is not known [r.rou.xml:2: vType 't']: it is ignored; did you mean 'color'?",
        "attribute 'deprtPos' of vehicle is not known",
        "did you mean 'departPos'?",
        "attribute 'jump' of stop is not supported",
    ] {
        assert!(warnings.contains(expected), "{expected}\nis not in\n{warnings}");
    }
    for silent in ["lcPushy", "departPosLat", "xsi", "actType"] {
        assert!(!warnings.contains(silent), "{silent} in\n{warnings}");
    }
}
