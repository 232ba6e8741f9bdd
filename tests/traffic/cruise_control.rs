//! Platoons with (cooperative) adaptive cruise control behind one that Krauss' model drives: they start, follow through changes of
//! the speed limit, brake for a stop and start again. The speeds are those of SUMO 1.28.

use std::collections::BTreeMap;

use super::{name, run, world};

/// Edges of 1000 m at 25 m/s, 400 m at 13.9 m/s and 2600 m at 30 m/s.
const ROAD: &str = "cruise_control/road.net.xml";
const FOLLOWERS: usize = 4;
/// Greatest difference to SUMO, m/s. The vehicle ahead stops a millimetre before SUMO's place.
const TOLERANCE_MPS: f64 = 2e-3;

/// Time in seconds, and the speed of each follower then, m/s.
type Row = (i64, [f64; FOLLOWERS]);

/// Speeds of a platoon of a type with these attributes.
fn check(follower: &str, expected: &[Row]) {
    let mut routes = format!(
        r#"<vType id="lead" sigma="0" speedDev="0"/><vType id="f" speedDev="0" {follower}/><route id="r" edges="e0 e1 e2"/>
        <vehicle id="lead" type="lead" route="r" depart="0" departPos="100" departSpeed="0">
            <stop lane="e0_0" startPos="600" endPos="700" duration="20"/>
        </vehicle>"#
    );
    for i in 0..FOLLOWERS {
        let pos_m = 92.5 - 7.5 * i as f64;
        routes += &format!(r#"<vehicle id="{i}" type="f" route="r" depart="0" departPos="{pos_m}" departSpeed="0"/>"#);
    }
    let world = world(ROAD, &routes, "");
    let steps = run(&world);
    for (second, speeds) in expected {
        let step = &steps[*second as usize];
        let found: BTreeMap<&str, f64> =
            step.fcd.iter().map(|record| (name(&world.demand, record.vehicle), record.speed_mps)).collect();
        for (i, speed) in speeds.iter().enumerate() {
            let is = found[i.to_string().as_str()];
            assert!((is - speed).abs() < TOLERANCE_MPS, "{second} s, follower {i}: {is} m/s instead of {speed}");
        }
    }
}

#[test]
fn acc_platoons_drive_as_in_sumo() {
    check(
        r#"carFollowModel="ACC""#,
        &[
            (2, [2.104, 0.000, 0.000, 0.000]),
            (4, [7.244, 4.108, 0.138, 0.000]),
            (8, [17.644, 14.501, 10.538, 7.386]),
            (16, [25.000, 25.000, 25.000, 25.000]),
            (28, [21.507, 25.000, 25.000, 25.000]),
            (30, [12.282, 19.813, 23.245, 25.000]),
            (32, [1.790, 6.889, 16.313, 21.512]),
            (36, [0.000, 0.000, 0.330, 0.708]),
            (55, [7.331, 4.275, 1.534, 0.000]),
            (60, [20.331, 17.269, 14.214, 11.165]),
            (70, [13.900, 15.960, 17.680, 19.881]),
            (72, [13.900, 13.900, 15.351, 16.791]),
            (100, [16.500, 13.900, 13.900, 13.900]),
            (110, [30.000, 30.000, 30.000, 26.900]),
        ],
    );
}

#[test]
fn parameters_of_acc_have_their_effect_in_sumo() {
    check(
        r#"carFollowModel="ACC" tau="1.4" collisionAvoidanceOverride="0""#,
        &[
            (2, [1.856, 0.000, 0.000, 0.000]),
            (8, [17.456, 13.312, 9.998, 6.713]),
            (16, [24.978, 25.000, 24.268, 23.051]),
            (30, [12.969, 18.202, 21.389, 25.000]),
            (36, [0.232, 0.773, 1.918, 4.692]),
            (60, [20.218, 17.104, 13.954, 10.826]),
            (70, [14.296, 15.990, 17.811, 19.595]),
            (110, [30.000, 30.000, 29.500, 24.300]),
        ],
    );
}

/// The first follower does not hear the one ahead, the others do.
#[test]
fn cacc_platoons_drive_as_in_sumo() {
    check(
        r#"carFollowModel="CACC""#,
        &[
            (2, [2.600, 0.000, 0.000, 0.000]),
            (4, [7.304, 5.200, 2.600, 0.000]),
            (8, [17.644, 12.986, 7.820, 5.024]),
            (16, [25.000, 24.672, 24.097, 22.467]),
            (28, [23.404, 24.999, 24.998, 24.994]),
            (30, [11.812, 22.884, 24.999, 24.998]),
            (32, [1.912, 11.489, 23.088, 24.999]),
            (36, [0.000, 0.270, 0.000, 8.886]),
            (60, [18.765, 13.088, 7.595, 4.672]),
            (70, [14.816, 23.716, 24.657, 24.013]),
            (72, [13.900, 18.400, 24.877, 24.645]),
            (110, [29.734, 28.873, 26.707, 21.908]),
        ],
    );
}
