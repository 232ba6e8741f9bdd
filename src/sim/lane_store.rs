//! Where the vehicles of all lanes are kept: one block of memory, in which each lane has as many slots as the next power of
//! two. A network has many more lanes than busy ones, and memory of its own for each would cost more than the vehicles.

use bytemuck::Zeroable;

use crate::ids::LaneId;

use super::prefetch::{prefetch, prefetch_head};
use super::vehicle::Vehicle;

/// Vehicles of a lane that are asked for ahead of time; those behind them follow in memory.
const PREFETCHED: u32 = 4;

/// The slots of one lane; there are `len.next_power_of_two()`, and none where nobody is.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    start: u32,
    len: u32,
}

/// Slots of a lane with `len` vehicles.
fn capacity(len: u32) -> u32 {
    if len == 0 { 0 } else { len.next_power_of_two() }
}

/// The vehicles of each lane, the foremost first.
#[derive(Clone, Debug, Default)]
pub struct LaneStore {
    slots: Vec<Vehicle>,
    rooms: Vec<Room>,
    /// By the logarithm of their size: where unused slots begin.
    free: [Vec<u32>; 32],
}

impl LaneStore {
    /// Room for `vehicles` is reserved, not used: a block that grows leaves its old places behind.
    pub fn new(lanes: usize, vehicles: usize) -> Self {
        Self { slots: Vec::with_capacity(vehicles), rooms: vec![Room::default(); lanes], ..Self::default() }
    }

    #[inline]
    pub fn on(&self, lane: LaneId) -> &[Vehicle] {
        let room = self.rooms[lane.index()];
        &self.slots[room.start as usize..(room.start + room.len) as usize]
    }

    #[inline]
    pub fn on_mut(&mut self, lane: LaneId) -> &mut [Vehicle] {
        let room = self.rooms[lane.index()];
        &mut self.slots[room.start as usize..(room.start + room.len) as usize]
    }

    #[inline]
    pub fn is_empty(&self, lane: LaneId) -> bool {
        self.rooms[lane.index()].len == 0
    }

    /// Asks for the foremost vehicles of a lane.
    #[inline]
    pub fn prefetch(&self, lane: LaneId) {
        let room = self.rooms[lane.index()];
        for at in room.start..room.start + room.len.min(PREFETCHED) {
            prefetch_head(&self.slots, at as usize);
        }
    }

    /// Asks for one vehicle of a lane.
    #[inline]
    pub fn prefetch_at(&self, lane: LaneId, at: u32) {
        prefetch_head(&self.slots, (self.rooms[lane.index()].start + at) as usize);
    }

    /// Asks for all of the foremost vehicles of a lane, also for what is only kept up to date.
    #[inline]
    pub fn prefetch_whole(&self, lane: LaneId) {
        let room = self.rooms[lane.index()];
        for at in room.start..room.start + room.len.min(PREFETCHED) {
            prefetch(&self.slots, at as usize);
        }
    }

    /// Puts a vehicle before the `at`-th of the lane.
    pub fn insert(&mut self, lane: LaneId, at: usize, vehicle: Vehicle) {
        let len = self.rooms[lane.index()].len;
        self.resize(lane, len + 1);
        let on = self.on_mut(lane);
        on.copy_within(at..len as usize, at + 1);
        on[at] = vehicle;
    }

    pub fn remove(&mut self, lane: LaneId, at: usize) -> Vehicle {
        let on = self.on_mut(lane);
        let vehicle = on[at];
        on.copy_within(at + 1.., at);
        let len = on.len() - 1;
        self.truncate(lane, len);
        vehicle
    }

    /// Keeps the `len` foremost vehicles.
    #[inline]
    pub fn truncate(&mut self, lane: LaneId, len: usize) {
        if (len as u32) < self.rooms[lane.index()].len {
            self.resize(lane, len as u32);
        }
    }

    /// Replaces the vehicles of a lane.
    pub fn replace(&mut self, lane: LaneId, vehicles: &[Vehicle]) {
        self.refill(lane, vehicles.len()).copy_from_slice(vehicles);
    }

    /// Gives a lane room for `len` vehicles, all of which are to be written: what is there has no meaning.
    pub fn refill(&mut self, lane: LaneId, len: usize) -> &mut [Vehicle] {
        self.resize(lane, len as u32);
        self.on_mut(lane)
    }

    /// Gives a lane slots for `len` vehicles; the first ones stay. Blocks are never split, so there are never more of a size
    /// than there were in use at once.
    fn resize(&mut self, lane: LaneId, len: u32) {
        let Room { start, len: old } = self.rooms[lane.index()];
        let (had, needs) = (capacity(old), capacity(len));
        let mut room = Room { start, len };
        if needs != had {
            if needs > 0 {
                room.start = self.take(needs);
                let (from, to) = (start as usize, room.start as usize);
                self.slots.copy_within(from..from + old.min(len) as usize, to);
            }
            if had > 0 {
                self.free[had.trailing_zeros() as usize].push(start);
            }
        }
        self.rooms[lane.index()] = room;
    }

    /// A block of `size` slots.
    fn take(&mut self, size: u32) -> u32 {
        if let Some(start) = self.free[size.trailing_zeros() as usize].pop() {
            return start;
        }
        let start = self.slots.len();
        // Small steps: what is reserved and not used is memory all the same once it was copied.
        if self.slots.capacity() < start + size as usize {
            self.slots.reserve_exact((start / 8).max(64).max(size as usize));
        }
        self.slots.resize(start + size as usize, Vehicle::zeroed());
        start as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vehicle(pos: u32) -> Vehicle {
        Vehicle { pos_m: f64::from(pos), ..Vehicle::zeroed() }
    }

    fn places(store: &LaneStore, lane: u32) -> Vec<u32> {
        store.on(LaneId(lane)).iter().map(|v| v.pos_m as u32).collect()
    }

    #[test]
    fn lanes_hold_what_lists_of_their_own_would_hold() {
        let mut store = LaneStore::new(3, 0);
        let mut lists = [const { Vec::new() }; 3];
        let mut x = 1u32;
        for round in 0..5000u32 {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (lane, draw) = (x >> 8 & 1, x >> 16);
            let list: &mut Vec<u32> = &mut lists[lane as usize];
            let at = (x >> 4) as usize % (list.len() + 1);
            match draw % 9 {
                0..4 => {
                    list.insert(at, round);
                    store.insert(LaneId(lane), at, vehicle(round));
                }
                4..7 if at < list.len() => {
                    let removed = list.remove(at);
                    assert_eq!(store.remove(LaneId(lane), at).pos_m as u32, removed);
                }
                7 => {
                    list.truncate(at);
                    store.truncate(LaneId(lane), at);
                }
                _ if list.len() < 100 || draw % 9 == 8 => {
                    let whole: Vec<Vehicle> = (0..draw % 7).map(vehicle).collect();
                    *list = (0..draw % 7).collect();
                    store.replace(LaneId(lane), &whole);
                }
                _ => {}
            }
            assert_eq!(places(&store, lane), lists[lane as usize], "round {round}");
            assert!(store.is_empty(LaneId(2)));
        }
        let slots = store.slots.len() as u32;
        let free: u32 = store.free.iter().enumerate().map(|(k, list)| (list.len() as u32) << k).sum();
        let used: u32 = store.rooms.iter().map(|r| capacity(r.len)).sum();
        assert_eq!(free + used, slots, "a slot is lost");
        assert!(slots < 2 * 2 * 256, "{slots} slots");
    }
}
