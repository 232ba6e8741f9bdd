//! The state of own roads as bytes for a neighbour that mirrors them.

use xxhash_rust::xxh3::xxh3_64;

use crate::ids::{EdgeId, LaneId, SignalId};

use super::models::signals::SignalState;
use super::scope::Scope;
use super::transfer::Transfer;
use super::vehicle::Vehicle;
use super::world::World;

/// What one partition sends to another after each step: the roads of the sender that the receiver mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    pub lanes: Vec<LaneId>,
    /// Lanes of which the receiver has to know how much is taken.
    pub counted: Vec<LaneId>,
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
            counted: to.counted_lanes.iter().copied().filter(|l| from.owned[l.index()]).collect(),
            edges: to.known_edges.iter().copied().filter(owns).collect(),
            signals: (0..network.signals.len())
                .map(SignalId::new)
                .filter(|s| network.signal(*s).is_actuated() && from.owns_signal(network, *s) && is_seen(*s))
                .collect(),
        }
    }

    /// Nothing has to be sent.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.counted.is_empty() && self.edges.is_empty() && self.signals.is_empty()
    }
}

/// Bytes of roads that do not fit network and demand. The partition that read them must not be stepped any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HaloError {
    #[error("the data end too early, at byte {0}")]
    CutOff(usize),
    #[error("the data have {0} bytes too many")]
    TooLong(usize),
    #[error("the data are damaged: their checksum is wrong")]
    Checksum,
    #[error("vehicle {vehicle} has an impossible {field}")]
    BadVehicle { vehicle: u32, field: &'static str },
    #[error("signal {signal} has an impossible {field}")]
    BadSignal { signal: u32, field: &'static str },
}

/// Bytes of the checksum (XXH3) at the end of a frame.
const CHECKSUM: usize = size_of::<u64>();

/// Appends counts and records.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `bytes`.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes }
    }
    pub fn vehicles(&mut self, vehicles: &[Vehicle]) {
        self.bytes.extend_from_slice(&(vehicles.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(bytemuck::cast_slice(vehicles));
    }
    pub fn transfers(&mut self, transfers: &[Transfer]) {
        self.bytes.extend_from_slice(&(transfers.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(bytemuck::cast_slice(transfers));
    }
    pub fn number(&mut self, number: u16) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }
    pub fn signal(&mut self, s: &SignalState) {
        let numbers =
            [i64::from(s.program), i64::from(s.phase), s.since_ms, s.until_ms, i64::from(s.switched), s.cycle_ms];
        let felt = s.loops.iter().flat_map(|felt| [felt.entered_us, felt.left_us, felt.green_us]);
        for n in numbers.into_iter().chain(felt) {
            self.bytes.extend_from_slice(&n.to_le_bytes());
        }
    }
    /// Ends a frame: what was damaged on the way is no frame any more.
    pub fn seal(self) {
        let checksum = xxh3_64(self.bytes);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads data that were not sealed.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    /// Reads a frame.
    pub fn sealed(bytes: &'a [u8]) -> Result<Self, HaloError> {
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(HaloError::CutOff(bytes.len()))?;
        if xxh3_64(content) != u64::from_le_bytes(*checksum) {
            return Err(HaloError::Checksum);
        }
        Ok(Self::new(content))
    }
    fn take(&mut self, n: usize) -> Result<&'a [u8], HaloError> {
        let end = self.at.checked_add(n).filter(|e| *e <= self.bytes.len()).ok_or(HaloError::CutOff(self.at))?;
        let slice = &self.bytes[self.at..end];
        self.at = end;
        Ok(slice)
    }
    pub fn number(&mut self) -> Result<u16, HaloError> {
        let raw = self.take(size_of::<u16>())?;
        Ok(u16::from_le_bytes([raw[0], raw[1]]))
    }
    /// The bytes of the next list of records.
    pub fn records<T>(&mut self) -> Result<&'a [u8], HaloError> {
        let raw = self.take(size_of::<u32>())?;
        let n = u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize;
        let length = n.checked_mul(size_of::<T>()).ok_or(HaloError::CutOff(self.at))?;
        self.take(length)
    }
    /// The numbers of the state of a signal; the loops of `s` stay as many as they are.
    pub fn signal(&mut self, signal: SignalId, s: &mut SignalState) -> Result<(), HaloError> {
        let mut next = || -> Result<i64, HaloError> {
            let at = self.at;
            let raw = self.take(size_of::<i64>())?;
            Ok(i64::from_le_bytes(raw.try_into().map_err(|_| HaloError::CutOff(at))?))
        };
        let small = |number: i64, field: &'static str| {
            u32::try_from(number).map_err(|_| HaloError::BadSignal { signal: signal.0, field })
        };
        s.program = small(next()?, "program")?;
        s.phase = small(next()?, "phase")?;
        s.since_ms = next()?;
        s.until_ms = next()?;
        s.switched = small(next()?, "switched")?;
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

/// The records of a list; the bytes need not be aligned for them.
pub fn each<T: bytemuck::Pod>(records: &[u8]) -> impl ExactSizeIterator<Item = T> + '_ {
    records.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>)
}
