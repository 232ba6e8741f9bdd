//! Damaged input: whatever a byte is changed to, loading ends with a scenario or an error.

use proptest::prelude::*;

use super::Input;

const ADDITIONAL: &str = r#"<vType id="car" speedFactor="normc(1,0.1,0.2,2)" length="4.5" tau="1.2"/>
    <vTypeDistribution id="mix"><vType id="u" probability=".3"/><vType id="v" vClass="bus"/></vTypeDistribution>
    <busStop id="s" lane="b_1" startPos="10" endPos="-20" friendlyPos="true"/>
    <inductionLoop id="d" lane="a_0" pos="-5" period="60" file="d.xml" vTypes="car mix"/>
    <edgeData id="e" file="e.xml" period="1:00:00" excludeEmpty="defaults"/>"#;

const ROUTES: &str = r#"<route id="r" edges="a b d"><stop busStop="s" duration="5" until="70"/></route>
    <routeDistribution id="rd"><route refId="r" probability="2"/><route edges="a c n"/></routeDistribution>
    <vehicle id="v" type="mix" route="rd" depart="00:00:03" departLane="best" departPos="-3" departSpeed="max"/>
    <trip id="t" type="car" from="a" via="n" to="d" depart="7.25" arrivalPos="9"><stop lane="d_0" endPos="50" duration="1"/></trip>
    <flow id="f" route="r" begin="8" end="16" period="2"/><flow id="p" route="r" begin="8" end="16" probability=".5"/>"#;

/// Replaces, inserts and removes characters.
fn damage(text: &str, edits: &[(prop::sample::Index, u8, char)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (place, kind, character) in edits {
        let place = place.index(characters.len());
        match kind % 3 {
            0 => characters[place] = *character,
            1 => characters.insert(place, *character),
            _ => drop(characters.remove(place)),
        }
    }
    characters.into_iter().collect()
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, char)>> {
    let character = prop::sample::select("<>/\"'=&; -+.:,()09eENaabdr_\u{0}é".chars().collect::<Vec<_>>());
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), character), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_loaded_or_refused(in_additional in edits(), in_routes in edits(), ignore in any::<bool>()) {
        let (additional, routes) = (damage(ADDITIONAL, &in_additional), damage(ROUTES, &in_routes));
        let options = [("ignore-route-errors", if ignore { "true" } else { "false" }), ("end", "100")];
        let loaded = Input { additional: &additional, routes: &routes, options: &options }.load();
        if let Ok(scenario) = loaded.scenario {
            let demand = &scenario.demand;
            for departure in &demand.departures {
                let edges = demand.route(departure.route);
                prop_assert!(!edges.is_empty());
                prop_assert!((0..100_000).contains(&departure.depart_ms));
                for stop in &demand.stops[departure.stops.range()] {
                    prop_assert_eq!(edges[stop.route_index as usize], scenario.network.lane(stop.lane).edge);
                }
            }
        }
    }
}

#[test]
fn the_undamaged_files_are_good() {
    let loaded = Input { additional: ADDITIONAL, routes: ROUTES, options: &[] }.load();
    assert!(loaded.scenario.is_ok(), "{:?}", loaded.scenario.err());
    // Whose route does not follow the traffic.
    assert!(loaded.warnings.iter().all(|warning| warning.starts_with("trip with stops")), "{:?}", loaded.warnings);
}
