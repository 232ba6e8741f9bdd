//! The fingerprint of a state: a commutative sum of a hash of every entity, so that partitions just add up (I1).

use xxhash_rust::xxh3::xxh3_128_with_seed;

use bytemuck::{Pod, Zeroable};

use super::transfer::Transfer;
use super::vehicle::Vehicle;

/// What of a vehicle is state: all but what is derived. The order is that of the digests, whatever the order in memory is.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct State {
    doubles: [f64; 4],
    identity: [u32; 2],
    counters: [u16; 4],
    words: [u32; 17],
    visits: [u16; 2],
}

impl State {
    fn of(v: &Vehicle) -> Self {
        Self {
            doubles: [v.pos_m, v.speed_mps, v.time_loss_s, v.odometer_m],
            identity: [v.id.0, v.route.0],
            counters: [v.route_index, v.vtype, v.stops_done, v.flags],
            words: [
                v.speed_factor.to_bits(),
                v.accel_mps2.to_bits(),
                v.waiting_ms,
                v.waiting_total_ms,
                v.came_from.0,
                v.junction_entry_ms as u32,
                v.speed_gain_left.to_bits(),
                v.speed_gain_right.to_bits(),
                v.keep_right.to_bits(),
                v.look_ahead_speed_mps.to_bits(),
                v.advice_mps.to_bits(),
                v.depart_ms as u32,
                v.depart_lane.0,
                v.depart_pos_m.to_bits(),
                v.depart_speed_mps.to_bits(),
                v.stop_ms as u32,
                v.stop_total_ms,
            ],
            visits: [v.waiting_count, v.reroutes],
        }
    }
}

const STATE_BYTES: usize = size_of::<State>();

/// Sum of hashes modulo 2¹²⁸.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub u128);

impl Digest {
    fn add(&mut self, bytes: &[u8], place: u64) {
        self.0 = self.0.wrapping_add(xxh3_128_with_seed(bytes, place));
    }
    pub fn vehicle(&mut self, lane: u32, vehicle: &Vehicle) {
        self.add(bytemuck::bytes_of(&State::of(vehicle)), u64::from(lane));
    }
    pub fn transfer(&mut self, edge: u32, transfer: &Transfer) {
        let mut bytes = [0u8; STATE_BYTES + 8];
        bytes[..STATE_BYTES].copy_from_slice(bytemuck::bytes_of(&State::of(&transfer.vehicle)));
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
    /// What an order of some kind left of an object.
    pub fn order(&mut self, kind: u64, object: u32, words: &[u64]) {
        self.add(bytemuck::cast_slice(words), (5 + kind) << 32 | u64::from(object));
    }
    /// A vehicle that an order took away.
    pub fn removed(&mut self, vehicle: u32, now_ms: i64) {
        self.add(bytemuck::cast_slice(&[now_ms]), 16 << 32 | u64::from(vehicle));
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
