//! Counter-based random numbers: a hash of (seed, vehicle, step, purpose), so that they do not depend on who draws them
//! or in which order (I1).

/// What a number is drawn for; one vehicle draws at most one number a step for each.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Purpose {
    Dawdle = 1,
    DepartPos = 2,
    DepartSpeed = 3,
    DepartLane = 4,
    ArrivalPos = 5,
    GiveUpRight = 7,
    OvertakeRight = 8,
}

#[inline]
fn mix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

/// The part of the hash that is the same for all vehicles in a step.
#[inline]
pub fn step_key(seed: u64, step: u64) -> u64 {
    mix(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mix(step.wrapping_add(0x2545_f491_4f6c_dd1d)))
}

/// Uniform in [0, 1), 53 bits.
#[inline]
pub fn uniform(step_key: u64, vehicle: u32, purpose: Purpose) -> f64 {
    let bits = mix(step_key ^ (u64::from(vehicle) << 8 | purpose as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}
