//! The scenarios of a run, one after each edit of its network, and what partitions show each other in them.

use std::collections::BTreeMap;

use tessds::persist::ContentHash;
use tessds::protocol::Frame;
use tessds::scenario::CompiledScenario;
use tessds::sim::{Mirror, Scope, Vehicle, World};
use xxhash_rust::xxh3::xxh3_64;

/// What is known of them.
pub struct Worlds {
    /// By the number of edits.
    made: Vec<Made>,
    by_hash: BTreeMap<ContentHash, usize>,
}

struct Made {
    /// Of the scenario, whenever it was made.
    hash: ContentHash,
    /// Roads that the first partition shows the second.
    mirrors: BTreeMap<(u16, u16), Mirror>,
}

impl Worlds {
    pub fn new(scenario: &CompiledScenario) -> Self {
        let made = Made { hash: ContentHash::of(&[]), mirrors: mirrors(scenario.clone()) };
        Self { made: vec![made], by_hash: BTreeMap::new() }
    }

    /// A scenario goes into the store.
    ///
    /// # Errors
    /// I1: the same edits have made another network before.
    pub fn stored(&mut self, hash: ContentHash, bytes: &[u8]) -> Result<(), String> {
        if self.by_hash.contains_key(&hash) {
            return Ok(());
        }
        if self.by_hash.is_empty() {
            // What the run is started with is known from the plan.
            self.by_hash.insert(hash, 0);
            return Ok(());
        }
        let mut scenario = CompiledScenario::decode(bytes).map_err(|error| error.to_string())?;
        let edits = scenario.revision.edits as usize;
        scenario.revision.epoch = 0;
        let plain = ContentHash::of(&scenario.encode());
        self.by_hash.insert(hash, edits);
        match self.made.get(edits) {
            Some(made) if made.hash == plain => Ok(()),
            None if edits == self.made.len() => {
                self.made.push(Made { hash: plain, mirrors: mirrors(scenario) });
                Ok(())
            }
            _ => Err(format!("I1: {edits} edits make another scenario than before, or one is left out")),
        }
    }

    /// How often the network of this scenario was edited.
    pub fn edits(&self, scenario: ContentHash) -> Option<usize> {
        self.by_hash.get(&scenario).copied()
    }

    /// Times the network has been edited so far.
    pub fn newest(&self) -> usize {
        self.made.len() - 1
    }

    /// What a frame says, in a network that was edited so often.
    pub fn hash(&self, edits: usize, to: u16, frame: &Frame) -> u64 {
        xxh3_64(&without_derived(&frame.bytes, &self.made[edits].mirrors[&(frame.from, to)]))
    }
}

fn mirrors(scenario: CompiledScenario) -> BTreeMap<(u16, u16), Mirror> {
    let CompiledScenario { network, demand, settings, requests, cut, .. } = scenario;
    let world = World::new(network, demand, settings, requests);
    let partitions = cut.parts as u16;
    let scopes: Vec<Scope> = (0..partitions).map(|part| Scope::new(&world, part, &cut.part_of_edge)).collect();
    let pairs = (0..partitions).flat_map(|from| (0..partitions).map(move |to| (from, to)));
    let mirror = |(from, to)| Mirror::between(&world, &scopes[usize::from(from)], &scopes[usize::from(to)]);
    pairs.map(|pair| (pair, mirror(pair))).collect()
}

/// A frame without its checksum and what its receiver computes anew: where in a partition's tables a vehicle's plan is depends on
/// its history.
fn without_derived(frame: &[u8], mirror: &Mirror) -> Vec<u8> {
    /// What a vehicle beside the road has in addition.
    const BESIDE: usize = 64;
    let mut bytes = frame[..frame.len().saturating_sub(size_of::<u64>())].to_vec();
    let mut at = 0;
    clear_lists(&mut bytes, &mut at, mirror.lanes.len(), size_of::<Vehicle>());
    at += mirror.counted.len() * size_of::<u16>();
    clear_lists(&mut bytes, &mut at, mirror.edges.len(), size_of::<Vehicle>() + BESIDE);
    bytes
}

/// Clears what is derived in the lists of records, of `size` bytes each, that begin at `at`; moves `at` behind them.
fn clear_lists(bytes: &mut [u8], at: &mut usize, lists: usize, size: usize) {
    for _ in 0..lists {
        let Some(count) = bytes.get(*at..*at + 4) else { return };
        let count = u32::from_le_bytes(count.try_into().expect("four bytes")) as usize;
        *at += 4;
        for _ in 0..count {
            for field in [std::mem::offset_of!(Vehicle, plan), std::mem::offset_of!(Vehicle, link)] {
                if let Some(derived) = bytes.get_mut(*at + field..*at + field + size_of::<u32>()) {
                    derived.fill(0);
                }
            }
            *at += size;
        }
    }
}
