//! Actuated signals switch when those of SUMO do, and where their loops lie is no matter of the cut. What is expected was
//! recorded with SUMO 1.28.

use tessds::graph::partition::random_cut;
use tessds::graph::{loops_of, signal_approaches};
use tessds::ids::SignalId;
use tessds::sim::{Watch, World};

use super::world;
use crate::common::runs::{Run, Script, compare, whole};

/// When which phase begins, s.
fn phases(world: &std::sync::Arc<World>, seconds: u64) -> Vec<(u64, u32)> {
    let mut run = whole(world);
    let watch = Watch { signals: vec![SignalId(0)], ..Watch::default() };
    let mut seen: Vec<(u64, u32)> = Vec::new();
    for now in 0..seconds {
        run.stepped();
        let phase = run.first().observe(&watch).signals[0].phase;
        if seen.last().is_none_or(|(_, last)| *last != phase) {
            seen.push((now, phase));
        }
    }
    seen
}

/// A program with netconvert's least green of 5 s: the queue has to reach the loop, and whoever stands on it counts.
const GREEN_OF_5_S: &str = r#"<tlLogic id="c" programID="a" type="actuated" offset="0">
    <phase duration="30" minDur="5" maxDur="60" state="rG"/><phase duration="4" state="ry"/>
    <phase duration="30" minDur="5" maxDur="60" state="Gr"/><phase duration="4" state="yr"/></tlLogic>"#;

const CROSSING: &str = r#"
    <vType id="car" sigma="0" speedDev="0"/>
    <flow id="west" type="car" begin="0" end="400" period="3" departSpeed="max"><route edges="wc ce"/></flow>
    <flow id="south" type="car" begin="1" end="400" period="5.5" departSpeed="max"><route edges="sc cn"/></flow>"#;

const SHORT_LANES: &str = r#"
    <vType id="car" sigma="0" speedDev="0"/>
    <flow id="west" type="car" begin="0" end="400" period="3.6"  departSpeed="max"><route edges="Wi Wi1 Wi2 Eo"/></flow>
    <flow id="south" type="car" begin="1" end="90" period="5.3"  departSpeed="max" departLane="0"><route edges="Si Si2 Si1 No"/></flow>
    <flow id="east" type="car" begin="2" end="400" period="16" departSpeed="max"><route edges="Ei1 Ei No"/></flow>"#;

#[test]
fn a_queue_extends_the_shortest_green() {
    let world = world("actuated/crossing.net.xml", CROSSING, GREEN_OF_5_S);
    let first = [(0, 0), (5, 1), (9, 2), (14, 3), (18, 0), (23, 1), (27, 2), (32, 3), (36, 0), (96, 1), (100, 2)];
    let then = [(129, 3), (133, 0), (193, 1), (197, 2), (228, 3), (232, 0), (292, 1), (296, 2), (327, 3), (331, 0)];
    assert_eq!(phases(&world, 391), [&first[..], &then].concat());
}

#[test]
fn loops_of_short_lanes_lie_on_the_lanes_before() {
    let world = world("actuated/short_lanes.net.xml", SHORT_LANES, "");
    let network = &world.network;
    let signal = &network.signals[0];
    let approaches = signal_approaches(network);
    let loops = loops_of(network, &approaches[0], &signal.programs[0], None);
    let found: Vec<_> = loops
        .iter()
        .map(|l| (network.lane_name(l.approach), network.lane_name(l.lane), (l.pos_m * 1000.0).round() / 1000.0))
        .collect();
    let expected = [
        ("Ni_0", "No_0", 16.783),
        ("Ei_0", "Ei_0", 0.0),
        ("Si1_0", "Si_0", 266.613),
        ("Si1_1", "Si_0", 266.613),
        ("Wi2_0", "Wi1_0", 20.9),
    ];
    assert_eq!(found, expected.map(|(approach, lane, pos_m)| (approach.into(), lane.into(), pos_m)));
    let serves = |at: usize| loops[at].serves.iter().map(|serves| u8::from(*serves)).collect::<Vec<_>>();
    let served: Vec<_> = (0..loops.len()).map(serves).collect();
    let nobody_else = [0, 0, 1, 0, 0, 0];
    assert_eq!(served[1], nobody_else);
    assert_eq!(served[2], [1, 0, 0, 0, 0, 0]);
    assert_eq!(served[4], nobody_else);
}

#[test]
fn loops_on_the_lanes_before_extend_greens() {
    let world = world("actuated/short_lanes.net.xml", SHORT_LANES, "");
    let first = [(0, 0), (5, 1), (8, 2), (13, 3), (16, 4), (21, 5), (24, 0), (31, 1), (34, 2), (84, 3), (87, 4)];
    let then = [(92, 5), (95, 0), (121, 1), (124, 2), (174, 3), (177, 4), (182, 5), (185, 0), (190, 1), (193, 2)];
    assert_eq!(phases(&world, 243), [&first[..], &then].concat());
}

#[test]
fn loops_far_from_their_signal_are_felt_in_every_cut() {
    let world = world("actuated/short_lanes.net.xml", SHORT_LANES, "");
    let cuts = [(3, 1), (3, 2), (8, 3)].map(|(parts, seed)| random_cut(&world.network, parts, seed).expect("a cut"));
    compare(&world, &cuts, 300, &Script::new()).unwrap_or_else(|difference| panic!("{difference}"));
}
