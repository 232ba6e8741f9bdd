//! Random numbers without a state: each is a hash of (seed, stream, counter), so it does not depend on who draws it,
//! when, or what was drawn before. Uses only `+ - * / sqrt`, so all machines draw the same bits.

/// What is drawn; keeps the draws of one vehicle independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    VehicleType = 1,
    Route,
    SpeedFactor,
    FlowDeparture,
    DepartOffset,
    ReroutingDevice,
    RouteEnds,
    StopDuration,
}

/// A stream of random numbers that belongs to a name (a vehicle's or flow's id), so that a vehicle keeps its draws when
/// others are added to or removed from the demand.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    seed: u64,
    stream: u64,
}

impl Stream {
    pub fn new(seed: u64, name: &str, purpose: Purpose) -> Self {
        let name = xxhash_rust::xxh3::xxh3_64(name.as_bytes());
        Self { seed, stream: mix(name ^ (purpose as u64).wrapping_mul(GOLDEN)) }
    }
    /// Uniform in [0, 1).
    pub fn uniform(self, counter: u64) -> f64 {
        uniform(self.seed, self.stream, counter)
    }
    /// Standard normal; see [`standard_normal`].
    pub fn normal(self, counter: u64) -> f64 {
        standard_normal(bits(self.seed, self.stream, counter))
    }
    /// Exponential with mean 1.
    pub fn exponential(self, counter: u64) -> f64 {
        -natural_log(1.0 - self.uniform(counter))
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn bits(seed: u64, stream: u64, counter: u64) -> u64 {
    let key = mix(mix(seed.wrapping_add(GOLDEN)) ^ stream);
    mix(key.wrapping_add(counter.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Uniform in [0, 1) with 53 random bits.
pub fn uniform(seed: u64, stream: u64, counter: u64) -> f64 {
    (bits(seed, stream, counter) >> 11) as f64 / (1u64 << 53) as f64
}

/// A standard normal number out of 64 random bits, by the inverse of the distribution function after Acklam
/// (2003, rational approximations; relative error below 1.2e-9 everywhere, tails included).
fn standard_normal(random_bits: u64) -> f64 {
    // The open interval: 0 and 1 have no finite inverse.
    let p = ((random_bits >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
    inverse_normal(p)
}

fn inverse_normal(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.383_577_518_672_69e2,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00, 1.0];
    const TAIL: f64 = 0.02425;

    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * natural_log(p)).sqrt();
        horner(&C, q) / horner(&D, q)
    };
    if p < TAIL {
        tail(p)
    } else if p > 1.0 - TAIL {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        horner(&A, q * q) * q / horner(&B, q * q)
    }
}

/// Natural logarithm of a positive normal number, error below 1e-15 relative to 1: exponent and mantissa are split, and the
/// mantissa's logarithm is the series of 2·artanh((m−1)/(m+1)). Not libm's, whose last bit differs between machines.
fn natural_log(x: f64) -> f64 {
    const LN_2: f64 = std::f64::consts::LN_2;
    let raw = x.to_bits();
    let mut exponent = (raw >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((raw & 0x000f_ffff_ffff_ffff) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    // |s| ≤ 0.1716: the term after the last one kept is below 1e-18.
    let series = (0..11).rev().fold(0.0, |sum, k| sum * s2 + 1.0 / f64::from(2 * k + 1));
    exponent as f64 * LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_the_mathematical_one() {
        for x in [1e-300, 1e-9, 0.02, 0.5, 0.999_999, 1.0, 1.41, 1.42, 2.0, 12_345.678] {
            assert!((natural_log(x) - x.ln()).abs() <= 1e-15 * x.ln().abs().max(1.0), "{x}");
        }
    }

    #[test]
    fn the_inverse_normal_is_right_in_the_middle_and_in_the_tails() {
        // Quantiles from tables of the normal distribution.
        let table =
            [(0.5, 0.0), (0.841_344_746, 1.0), (0.977_249_868, 2.0), (0.998_650_102, 3.0), (0.999_968_329, 4.0)];
        for (p, z) in table {
            assert!((inverse_normal(p) - z).abs() < 3e-6, "{p}: {}", inverse_normal(p));
            assert!((inverse_normal(1.0 - p) + z).abs() < 3e-6, "{p}");
        }
    }

    #[test]
    fn draws_have_the_moments_of_their_distribution() {
        let stream = Stream::new(42, "flow", Purpose::SpeedFactor);
        let n = 100_000;
        let mean_of = |draw: &dyn Fn(u64) -> f64| (0..n).map(draw).sum::<f64>() / n as f64;
        assert!((mean_of(&|i| stream.uniform(i)) - 0.5).abs() < 0.005);
        assert!(mean_of(&|i| stream.normal(i)).abs() < 0.01);
        assert!((mean_of(&|i| stream.normal(i) * stream.normal(i)) - 1.0).abs() < 0.02);
        assert!((mean_of(&|i| stream.exponential(i)) - 1.0).abs() < 0.01);
        let beyond_3_sigma = (0..n).filter(|&i| stream.normal(i).abs() > 3.0).count();
        assert!((200..340).contains(&beyond_3_sigma), "{beyond_3_sigma} instead of 270");
    }

    #[test]
    fn streams_differ_by_seed_name_and_purpose_and_by_nothing_else() {
        let draw = |seed, name, purpose| Stream::new(seed, name, purpose).uniform(7);
        let one = draw(1, "a", Purpose::Route);
        assert_eq!(one, draw(1, "a", Purpose::Route));
        assert_ne!(one, draw(2, "a", Purpose::Route));
        assert_ne!(one, draw(1, "b", Purpose::Route));
        assert_ne!(one, draw(1, "a", Purpose::VehicleType));
    }
}
