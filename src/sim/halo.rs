//! The state of own roads as bytes for a neighbour that mirrors them.

use crate::ids::{EdgeId, LaneId, SignalId};

use super::scope::Scope;
use super::signals::SignalState;
use super::transfer::Transfer;
use super::vehicle::Vehicle;
use super::world::World;

/// What one partition sends to another after each step: the roads of the sender that the receiver mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    pub lanes: Vec<LaneId>,
    pub edges: Vec<EdgeId>,
    /// Actuated signals of the sender that the receiver sees.
    pub signals: Vec<SignalId>,
}

impl Mirror {
    /// What a partition with the scope `from` has to send to one with the scope `to`.
    pub fn between(world: &World, from: &Scope, to: &Scope) -> Self {
        let network = &world.network;
        let mut known = vec![false; network.lanes.len()];
        to.known_lanes.iter().for_each(|l| known[l.index()] = true);
        let is_seen = |s: SignalId| network.signal(s).lanes.iter().any(|l| l.is_some() && known[l.index()]);
        let owns = |e: &EdgeId| from.owned[network.edge(*e).first_lane.index()];
        Self {
            lanes: to.known_lanes.iter().copied().filter(|l| from.owned[l.index()]).collect(),
            edges: to.known_edges.iter().copied().filter(owns).collect(),
            signals: (0..network.signals.len())
                .map(SignalId::new)
                .filter(|s| network.signal(*s).is_actuated() && from.owns_signal(network, *s) && is_seen(*s))
                .collect(),
        }
    }

    /// Nothing has to be sent.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.edges.is_empty() && self.signals.is_empty()
    }
}

/// A frame that does not fit what was agreed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HaloError {
    #[error("halo frame is cut off at byte {0}")]
    CutOff(usize),
    #[error("halo frame has {0} bytes too many")]
    TooLong(usize),
    #[error("halo frame holds a vehicle with an impossible state on lane {0}")]
    BadVehicle(u32),
}

/// Appends counts and records.
#[derive(Debug, Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn vehicles(&mut self, vehicles: &[Vehicle]) {
        self.bytes.extend_from_slice(&(vehicles.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(bytemuck::cast_slice(vehicles));
    }
    pub fn transfers(&mut self, transfers: &[Transfer]) {
        self.bytes.extend_from_slice(&(transfers.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(bytemuck::cast_slice(transfers));
    }
    pub fn signal(&mut self, s: &SignalState) {
        let numbers =
            [i64::from(s.program), i64::from(s.phase), s.since_ms, s.until_ms, i64::from(s.switched), s.cycle_ms];
        let felt = s.loops.iter().flat_map(|felt| [felt.entered_us, felt.left_us, felt.green_us]);
        for n in numbers.into_iter().chain(felt) {
            self.bytes.extend_from_slice(&n.to_le_bytes());
        }
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    fn take(&mut self, n: usize) -> Result<&'a [u8], HaloError> {
        let end = self.at.checked_add(n).filter(|e| *e <= self.bytes.len()).ok_or(HaloError::CutOff(self.at))?;
        let slice = &self.bytes[self.at..end];
        self.at = end;
        Ok(slice)
    }
    fn count(&mut self, size: usize) -> Result<usize, HaloError> {
        let raw = self.take(4)?;
        let n = u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize;
        n.checked_mul(size).filter(|b| *b <= self.bytes.len() - self.at).ok_or(HaloError::CutOff(self.at))
    }
    fn records<T: bytemuck::Pod>(&mut self, into: &mut Vec<T>) -> Result<(), HaloError> {
        let length = self.count(size_of::<T>())?;
        let raw = self.take(length)?;
        into.clear();
        into.reserve(length / size_of::<T>());
        // The frame's bytes need not be aligned for the records.
        into.extend(raw.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>));
        Ok(())
    }
    pub fn vehicles(&mut self, lane: LaneId, into: &mut Vec<Vehicle>) -> Result<(), HaloError> {
        self.records(into)?;
        if into.iter().any(|v| !(v.pos.is_finite() && v.speed.is_finite())) {
            return Err(HaloError::BadVehicle(lane.0));
        }
        Ok(())
    }
    pub fn transfers(&mut self, into: &mut Vec<Transfer>) -> Result<(), HaloError> {
        self.records(into)
    }
    pub fn signal(&mut self, s: &mut SignalState) -> Result<(), HaloError> {
        let mut next = || -> Result<i64, HaloError> {
            let raw = self.take(8)?;
            Ok(i64::from_le_bytes(raw.try_into().map_err(|_| HaloError::CutOff(0))?))
        };
        s.program = next()? as u32;
        s.phase = next()? as u32;
        s.since_ms = next()?;
        s.until_ms = next()?;
        s.switched = next()? as u32;
        s.cycle_ms = next()?;
        for felt in &mut s.loops {
            (felt.entered_us, felt.left_us, felt.green_us) = (next()?, next()?, next()?);
        }
        Ok(())
    }
    pub fn finish(self) -> Result<(), HaloError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            rest => Err(HaloError::TooLong(rest)),
        }
    }
}
