//! The words of SUMO's attributes that say how a vehicle departs; files and commands share them.

use std::str::FromStr;

use super::{DepartLane, DepartPos, DepartSpeed};

/// What a value should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Expected(pub &'static str);

/// A finite number, or what it should have been.
fn finite(text: &str, expected: &'static str) -> Result<f64, Expected> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite()).ok_or(Expected(expected))
}

/// `departLane`.
impl FromStr for DepartLane {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        Ok(match text {
            "first" => Self::First,
            "free" => Self::Free,
            "allowed" => Self::Allowed,
            "best" => Self::Best,
            "best_prob" => Self::BestProb,
            "random" => Self::Random,
            index => Self::Given(
                index
                    .trim()
                    .parse()
                    .map_err(|_| Expected("a lane index or one of first, free, allowed, best, best_prob, random"))?,
            ),
        })
    }
}

/// `departPos`.
impl FromStr for DepartPos {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        Ok(match text {
            "base" => Self::Base,
            "random" => Self::Random,
            "random_free" => Self::RandomFree,
            "free" => Self::Free,
            "last" => Self::Last,
            "stop" => Self::Stop,
            metres => Self::Given(finite(metres, "metres or one of base, random, random_free, free, last, stop")?),
        })
    }
}

/// `departSpeed`.
impl FromStr for DepartSpeed {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "m/s, not negative, or one of random, max, desired, speedLimit, last, avg";
        Ok(match text {
            "random" => Self::Random,
            "max" => Self::Max,
            "desired" => Self::Desired,
            "speedLimit" => Self::SpeedLimit,
            "last" => Self::Last,
            "avg" => Self::Avg,
            mps => match finite(mps, EXPECTED)? {
                mps if mps >= 0.0 => Self::Given(mps),
                _ => return Err(Expected(EXPECTED)),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_told_apart() {
        assert_eq!("best_prob".parse(), Ok(DepartLane::BestProb));
        assert_eq!(" 2 ".parse(), Ok(DepartLane::Given(2)));
        assert_eq!("-3.5".parse(), Ok(DepartPos::Given(-3.5)));
        assert_eq!("0".parse(), Ok(DepartSpeed::Given(0.0)));
    }

    #[test]
    fn what_is_neither_is_refused_with_what_there_is() {
        assert!("-1".parse::<DepartLane>().is_err_and(|e| e.to_string().contains("best_prob")));
        assert!("NaN".parse::<DepartPos>().is_err_and(|e| e.to_string().contains("random_free")));
        assert!("-1".parse::<DepartSpeed>().is_err_and(|e| e.to_string().contains("not negative")));
        assert!("fast".parse::<DepartSpeed>().is_err());
    }
}
