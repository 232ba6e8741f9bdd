//! The vehicles of every lane, and what of them others may read across lanes while a step is computed.

use crate::ids::LaneId;

use super::lane_store::LaneStore;
use super::marks::Marks;
use super::prefetch::{Ahead, prefetch};
use super::vehicle::{HALTING_SPEED, Vehicle, flags};
use super::world::World;

/// Lanes for which memory is asked ahead.
const AHEAD: usize = 12;

/// Whose front is nearer to the start of its lane than this probably hangs over the lane behind, metres.
const HANGING_M: f64 = 5.0;

/// The last (hindmost) body on a lane, as those behind it see it. Bodies that hang over the start of a following lane
/// count on the lane that they cover.
#[derive(Clone, Copy, Debug)]
pub struct Rear {
    /// Back bumper along the lane, metres; infinite when the lane is empty.
    pub back: f64,
    pub speed: f64,
    pub decel: f64,
    /// Change of speed in the last step, m/s².
    pub accel: f32,
    /// Type of the vehicle; has no meaning where the lane is empty.
    pub vtype: u16,
}

impl Rear {
    pub const FREE: Self = Self { back: f64::INFINITY, speed: 0.0, decel: 1.0, accel: 0.0, vtype: 0 };
}

/// Vehicles by lane, the foremost first.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    pub vehicles: LaneStore,
    /// The hindmost vehicle that is itself on the lane.
    pub rear: Vec<Rear>,
    /// The hindmost body that reaches back onto the lane from a later one; meaningful where `overhung` has the lane.
    overhang: Vec<Rear>,
    overhung: Marks,
    /// Lanes whose `overhang` stands or waits for something.
    tail_held: Marks,
    /// Metres taken by vehicles with their gaps.
    pub occupied_m: Vec<f64>,
    /// Decimetres taken by vehicles with their gaps at the end of the last step: what vehicles far behind know of a lane.
    pub taken_dm: Vec<u16>,
    /// Lanes with a `rear` or an `overhang`.
    covered: Marks,
    /// Lanes on which somebody stands, or whose hindmost vehicle waits.
    held: Marks,
    /// Lanes of the last [`refresh`](Self::refresh) that had vehicles then, in its order.
    pub busy: Vec<LaneId>,
    /// Those of them on which a vehicle is at a stop.
    pub stopped: Vec<LaneId>,
    /// Lanes whose `rear` and `occupied_m` are not those of an empty lane, to reset.
    shown: Vec<LaneId>,
}

impl Lanes {
    /// `vehicles`: how many are to be expected at once.
    pub fn new(count: usize, vehicles: usize) -> Self {
        Self {
            vehicles: LaneStore::new(count, vehicles + vehicles / 2),
            rear: vec![Rear::FREE; count],
            overhang: vec![Rear::FREE; count],
            overhung: Marks::new(count),
            tail_held: Marks::new(count),
            occupied_m: vec![0.0; count],
            taken_dm: vec![0; count],
            covered: Marks::new(count),
            held: Marks::new(count),
            busy: Vec::new(),
            stopped: Vec::new(),
            shown: Vec::new(),
        }
    }

    #[inline]
    pub fn on(&self, lane: LaneId) -> &[Vehicle] {
        self.vehicles.on(lane)
    }

    /// Puts a vehicle into its place on a lane; equal positions are ordered by id.
    pub fn place(&mut self, lane: LaneId, vehicle: Vehicle) {
        let at = self
            .on(lane)
            .iter()
            .rposition(|v| v.pos_m > vehicle.pos_m || (v.pos_m == vehicle.pos_m && v.id < vehicle.id))
            .map_or(0, |i| i + 1);
        self.vehicles.insert(lane, at, vehicle);
    }

    /// Moves the vehicles of a lane into `taken`, which is emptied first.
    pub fn take(&mut self, lane: LaneId, taken: &mut Vec<Vehicle>) {
        taken.clear();
        taken.extend_from_slice(self.on(lane));
        self.vehicles.truncate(lane, 0);
    }

    /// The hindmost body on the lane, its own or hanging over.
    #[inline]
    pub fn last(&self, lane: LaneId) -> Rear {
        if !self.covered.has(lane.index()) {
            return Rear::FREE;
        }
        let (own, over) = (self.rear[lane.index()], self.overhang(lane));
        if own.back <= over.back { own } else { over }
    }

    /// The hindmost body that reaches back onto the lane from a later one.
    #[inline]
    pub fn overhang(&self, lane: LaneId) -> Rear {
        if self.overhung.has(lane.index()) { self.overhang[lane.index()] } else { Rear::FREE }
    }

    /// Whether the hindmost body that reaches back onto the lane from a later one stands or waits for something.
    #[inline]
    pub fn is_tail_held(&self, lane: LaneId) -> bool {
        self.tail_held.has(lane.index())
    }

    /// Whether a body is on the lane, at least with its rear.
    #[inline]
    pub fn is_covered(&self, lane: LaneId) -> bool {
        self.covered.has(lane.index())
    }

    /// Whether somebody stands on the lane, or its hindmost vehicle waits for something; of the last
    /// [`refresh`](Self::refresh).
    #[inline]
    pub fn is_held(&self, lane: LaneId) -> bool {
        self.held.has(lane.index())
    }

    /// Metres taken on a lane at the end of the last step.
    #[inline]
    pub fn taken_m(&self, lane: LaneId) -> f64 {
        f64::from(self.taken_dm[lane.index()]) * 0.1
    }

    /// Asks for the metres that are taken on a lane.
    #[inline]
    pub fn prefetch_occupied(&self, lane: LaneId) {
        prefetch(&self.occupied_m, lane.index());
    }

    /// Those of the given lanes of which something was taken at the end of the last step, and decimetres.
    pub fn taken_of(&self, lanes: &[LaneId]) -> Vec<(LaneId, u16)> {
        lanes.iter().map(|lane| (*lane, self.taken_dm[lane.index()])).filter(|(_, taken_dm)| *taken_dm > 0).collect()
    }

    /// Adds up what is taken on the given lanes, at the end of a step.
    pub fn count_taken(&mut self, world: &World, lanes: &[LaneId]) {
        for &lane in lanes {
            let taken_m: f64 =
                self.vehicles.on(lane).iter().map(|v| world.types[usize::from(v.vtype)].driver.length_with_gap()).sum();
            // More than 6.5 km saturates.
            self.taken_dm[lane.index()] = (taken_m * 10.0 + 0.5) as u16;
        }
    }

    /// Derives `rear`, `overhang` and `occupied_m` from the vehicles of the given lanes.
    pub fn refresh(&mut self, world: &World, lanes: &[LaneId]) {
        self.overhung.clear();
        self.tail_held.clear();
        let Self { vehicles, rear, occupied_m, shown, busy, .. } = self;
        shown.retain(|lane| {
            let i = lane.index();
            let keep = !vehicles.is_empty(*lane);
            if !keep {
                rear[i] = Rear::FREE;
                occupied_m[i] = 0.0;
            }
            keep
        });
        self.covered.clear();
        self.held.clear();
        for lane in &*shown {
            self.covered.set(lane.index());
        }
        self.stopped.clear();
        busy.clear();
        busy.extend(lanes.iter().copied().filter(|lane| !vehicles.is_empty(*lane)));
        let busy = std::mem::take(&mut self.busy);
        let coming = Ahead::new(&busy, world.network.lanes.len());
        for (at, &lane) in busy.iter().enumerate() {
            if let Some(&soon) = coming.get(at + AHEAD) {
                self.vehicles.prefetch(soon);
                prefetch(&self.rear, soon.index());
                prefetch(&self.occupied_m, soon.index());
            }
            if let Some(&soon) = coming.get(at + AHEAD / 2) {
                self.prefetch_tail(world, soon);
            }
            let i = lane.index();
            let Some(last) = self.vehicles.on(lane).last() else { continue };
            let driver = &world.types[usize::from(last.vtype)].driver;
            let came_from = last.came_from;
            let rear = Rear {
                back: last.pos_m - driver.length_m,
                speed: last.speed_mps,
                decel: driver.apparent_decel_mps2,
                accel: last.accel_mps2,
                vtype: last.vtype,
            };
            if self.rear[i].back == f64::INFINITY {
                self.shown.push(lane);
            }
            self.covered.set(i);
            self.rear[i] = rear;
            let mut is_held = last.is(flags::WAITS_AT_LINK | flags::CRAWLS | flags::STOPPED);
            let tail_held = is_held || last.speed_mps < HALTING_SPEED;
            let mut occupied_m = 0.0;
            let mut all_flags = 0;
            for v in self.vehicles.on(lane) {
                all_flags |= v.flags;
                occupied_m += world.types[usize::from(v.vtype)].driver.length_with_gap();
                is_held |= v.speed_mps < HALTING_SPEED;
            }
            self.occupied_m[i] = occupied_m;
            if all_flags & flags::STOPPED != 0 {
                self.stopped.push(lane);
            }
            if is_held {
                self.held.set(i);
            }
            if rear.back < 0.0 {
                self.cover_upstream(world, lane, came_from, rear, tail_held);
            }
        }
        self.busy = busy;
    }

    /// Asks for what is read where the hindmost body of a lane hangs over the lane behind.
    #[inline]
    fn prefetch_tail(&self, world: &World, lane: LaneId) {
        if let Some(last) = self.vehicles.on(lane).last()
            && last.pos_m < HANGING_M
        {
            prefetch(&world.network.lanes, lane.index());
            if last.came_from.is_some() {
                prefetch(&world.network.lanes, last.came_from.index());
                prefetch(&self.overhang, last.came_from.index());
            }
        }
    }

    /// Marks the lanes that a body covers behind the start of its own.
    fn cover_upstream(&mut self, world: &World, lane: LaneId, came_from: LaneId, rear: Rear, is_held: bool) {
        let mut behind = rear.back;
        let mut at = lane;
        let mut from = came_from;
        while behind < 0.0 {
            let l = world.network.lane(at);
            let previous = if l.internal { world.network.lane_before(l) } else { from };
            if previous.is_none() {
                break;
            }
            // Beyond the lane before a junction the way is not known; no vehicle that fits its lanes reaches so far.
            from = LaneId::NONE;
            behind += world.network.lane(previous).length_m;
            if behind < self.overhang(previous).back {
                self.overhang[previous.index()] = Rear { back: behind, ..rear };
                self.overhung.set(previous.index());
                self.tail_held.put(previous.index(), is_held);
                self.covered.set(previous.index());
            }
            at = previous;
        }
    }
}
