//! The fingerprint of a state: a commutative sum of a hash of every entity, so that partitions just add up (I1).

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::transfer::Transfer;
use super::vehicle::Vehicle;

/// Bytes of a vehicle that are state (all but what is derived, which stands at the end).
const STATE_BYTES: usize = std::mem::offset_of!(Vehicle, plan);

/// Sum of hashes modulo 2¹²⁸.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub u128);

impl Digest {
    fn add(&mut self, bytes: &[u8], place: u64) {
        self.0 = self.0.wrapping_add(xxh3_128_with_seed(bytes, place));
    }
    pub fn vehicle(&mut self, lane: u32, vehicle: &Vehicle) {
        self.add(&bytemuck::bytes_of(vehicle)[..STATE_BYTES], u64::from(lane));
    }
    pub fn transfer(&mut self, edge: u32, transfer: &Transfer) {
        let mut bytes = [0u8; STATE_BYTES + 8];
        bytes[..STATE_BYTES].copy_from_slice(&bytemuck::bytes_of(&transfer.vehicle)[..STATE_BYTES]);
        bytes[STATE_BYTES..].copy_from_slice(&transfer.ready_ms.to_le_bytes());
        self.add(&bytes, 1 << 32 | u64::from(edge));
    }
    /// A vehicle that waits for its insertion, and its route.
    pub fn waiting(&mut self, vehicle: u32, route: u32) {
        self.add(bytemuck::cast_slice(&[vehicle, route]), 2 << 32);
    }
    pub fn signal(&mut self, signal: u32, words: &[i64]) {
        self.add(bytemuck::cast_slice(words), 3 << 32 | u64::from(signal));
    }
    /// A finished trip: keeps the past in the digest, not only the present.
    pub fn arrived(&mut self, vehicle: u32, words: &[i64]) {
        self.add(bytemuck::cast_slice(words), 4 << 32 | u64::from(vehicle));
    }
}

impl std::ops::AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}
