//! Compass bearings without the C library: its arc tangent differs between machines in the last bit, and files must not.

const DEGREES_PER_RADIAN: f64 = 57.295_779_513_082_32;

/// Direction of the vector (`x`, `y`) in degrees clockwise from north, 0 ≤ bearing < 360; 0 for the null vector.
pub fn bearing_deg(x: f64, y: f64) -> f64 {
    let (east, north) = (x.abs(), y.abs());
    // The angle within the quadrant, away from north.
    let angle = if east <= north {
        if north == 0.0 { 0.0 } else { arc_tangent(east / north) * DEGREES_PER_RADIAN }
    } else {
        90.0 - arc_tangent(north / east) * DEGREES_PER_RADIAN
    };
    let bearing = match (x < 0.0, y < 0.0) {
        (false, false) => angle,
        (false, true) => 180.0 - angle,
        (true, true) => 180.0 + angle,
        (true, false) => 360.0 - angle,
    };
    if bearing >= 360.0 { 0.0 } else { bearing }
}

/// Arc tangent of `ratio` in 0…1, radians; error below 1e-8. The Taylor series converges fast enough below tan(π/8);
/// above it, tan(a − π/4) = (t − 1)/(t + 1) leads back there.
fn arc_tangent(ratio: f64) -> f64 {
    const TAN_PI_8: f64 = std::f64::consts::SQRT_2 - 1.0;
    let (offset, t) =
        if ratio > TAN_PI_8 { (std::f64::consts::FRAC_PI_4, (ratio - 1.0) / (ratio + 1.0)) } else { (0.0, ratio) };
    let s = t * t;
    let mut sum = 0.0;
    for denominator in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = 1.0 / denominator - s * sum;
    }
    offset + t * sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_four_directions_are_exact() {
        for (x, y, expected) in [(0.0, 2.0, 0.0), (2.0, 0.0, 90.0), (0.0, -2.0, 180.0), (-2.0, 0.0, 270.0)] {
            assert_eq!(bearing_deg(x, y), expected);
        }
        assert_eq!(bearing_deg(0.0, 0.0), 0.0);
        assert_eq!(bearing_deg(-1e-20, 1.0), 0.0);
    }

    proptest! {
        #[test]
        fn bearings_agree_with_the_arc_tangent_of_the_c_library(x in -1e3..1e3f64, y in -1e3..1e3f64) {
            let expected = x.atan2(y).to_degrees().rem_euclid(360.0);
            let difference = (bearing_deg(x, y) - expected).abs();
            prop_assert!(difference.min(360.0 - difference) < 1e-6, "{} {}", bearing_deg(x, y), expected);
        }
    }
}
