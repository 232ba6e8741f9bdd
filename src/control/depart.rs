//! How a vehicle that is added departs: the words of SUMO's attributes.

use crate::demand::{DepartLane, DepartPos, DepartSpeed};

/// `departLane`.
pub fn depart_lane(text: &str) -> Result<DepartLane, String> {
    Ok(match text {
        "best_prob" => DepartLane::BestRandom,
        "first" => DepartLane::First,
        "free" => DepartLane::Free,
        "allowed" => DepartLane::Allowed,
        "best" => DepartLane::Best,
        "random" => DepartLane::Random,
        _ => DepartLane::Given(text.parse().map_err(|_| {
            format!(
                "'departLane' is '{text}'; it has to be a lane index, first, free, allowed, best, best_prob or random"
            )
        })?),
    })
}

/// `departPos`.
pub fn depart_pos(text: &str) -> Result<DepartPos, String> {
    Ok(match text {
        "base" => DepartPos::Base,
        "random" => DepartPos::Random,
        "random_free" => DepartPos::RandomFree,
        "free" => DepartPos::Free,
        "last" => DepartPos::Last,
        "max" => DepartPos::Max,
        _ => match text.parse::<f64>() {
            Ok(metres) if metres.is_finite() => DepartPos::Given(metres),
            _ => {
                return Err(format!(
                    "'departPos' is '{text}'; it has to be metres, base, random, random_free, free, last or max"
                ));
            }
        },
    })
}

/// `departSpeed`.
pub fn depart_speed(text: &str) -> Result<DepartSpeed, String> {
    Ok(match text {
        "random" => DepartSpeed::Random,
        "max" => DepartSpeed::Max,
        "desired" => DepartSpeed::Desired,
        "speedLimit" => DepartSpeed::SpeedLimit,
        "last" => DepartSpeed::Last,
        "avg" => DepartSpeed::Avg,
        _ => match text.parse::<f64>() {
            Ok(mps) if mps >= 0.0 && mps.is_finite() => DepartSpeed::Given(mps),
            _ => {
                return Err(format!(
                    "'departSpeed' is '{text}'; it has to be m/s, random, max, desired, speedLimit, last or avg"
                ));
            }
        },
    })
}
