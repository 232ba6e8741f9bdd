//! What a part looks like in the store: a header that says where it belongs, and the compressed state.

use lz4_flex::block;
use xxhash_rust::xxh3::Xxh3;

use super::{ContentHash, PartName, StoreError};
use crate::persist::Epoch;

const MAGIC: [u8; 4] = *b"TDSS";
/// Of the states within. To be raised whenever what is stored of a partition or of the recorder changes its form, or a run would go on
/// otherwise from it (`tests/saved_forms.rs`); the header stays as it is.
const VERSION: u32 = 9;

const RECORDER: u32 = 0x1_0000;
const MASTER: u32 = 0x1_0001;

/// Magic, version, scenario, step, epoch, part, length of the state.
const FIELD_BYTES: usize = 4 + 4 + 16 + 8 + 8 + 4 + 8;
const CHECKSUM_BYTES: usize = 16;
/// Bytes before the compressed state. All numbers are little-endian.
pub const HEADER_BYTES: usize = FIELD_BYTES + CHECKSUM_BYTES;

/// Largest state of a part, bytes.
const STATE_LIMIT: u64 = 16 << 30;

/// LZ4 cannot make more of one byte than this; what claims more is refused before memory is taken for it.
const LZ4_GREATEST_RATIO: u64 = 255;

/// Where a state belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub scenario: ContentHash,
    /// Steps done.
    pub step: u64,
    pub epoch: Epoch,
    pub part: PartName,
}

impl Envelope {
    /// Header and compressed state.
    pub fn seal(&self, state: &[u8]) -> Vec<u8> {
        self.seal_as(VERSION, state)
    }

    fn seal_as(&self, version: u32, state: &[u8]) -> Vec<u8> {
        let fields = self.fields(version, state.len() as u64);
        let mut sealed = vec![0; HEADER_BYTES + block::get_maximum_output_size(state.len())];
        sealed[..FIELD_BYTES].copy_from_slice(&fields);
        sealed[FIELD_BYTES..HEADER_BYTES].copy_from_slice(&checksum(&fields, state));
        let length = block::compress_into(state, &mut sealed[HEADER_BYTES..]).expect("room for the worst case");
        sealed.truncate(HEADER_BYTES + length);
        sealed
    }

    /// Where it belongs, and the state. Anything that was not sealed so is `Damaged`, as is a state of more than `limit` bytes;
    /// what another version sealed is `OtherVersion`. The checksum covers header and state.
    fn open(sealed: &[u8], limit: u64) -> Result<(Self, Vec<u8>), StoreError> {
        let (fields, rest) = sealed.split_first_chunk::<FIELD_BYTES>().ok_or_else(|| too_short(sealed.len()))?;
        let (sum, packed) = rest.split_first_chunk::<CHECKSUM_BYTES>().ok_or_else(|| too_short(sealed.len()))?;
        let (envelope, version, length) = Self::read(fields)?;
        if length > limit || length > LZ4_GREATEST_RATIO * packed.len() as u64 {
            return Err(StoreError::damaged(format!(
                "a snapshot states a size of {length} bytes packed into {}; the limit is {limit}",
                packed.len()
            )));
        }
        let mut state = vec![0; length as usize];
        let unpacked = block::decompress_into(packed, &mut state)
            .map_err(|error| StoreError::damaged(format!("a snapshot cannot be unpacked: {error}")))?;
        if unpacked != state.len() || checksum(fields, &state) != *sum {
            return Err(StoreError::damaged("a snapshot does not match its checksum"));
        }
        // Only now: a version that is damaged is no other version.
        if version != VERSION {
            return Err(StoreError::OtherVersion {
                what: format!(
                    "the snapshot of step {} has version {version}, and this program reads version {VERSION}; use the version that wrote it, or restart the run under another name",
                    envelope.step
                ),
            });
        }
        Ok((envelope, state))
    }

    /// The state, if it belongs where it is looked for. In which epoch it was written does not matter.
    pub fn open_expecting(&self, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (found, state) = Self::open(sealed, STATE_LIMIT)?;
        if (Self { epoch: self.epoch, ..found }) != *self {
            return Err(StoreError::damaged(format!(
                "a snapshot of part {} at step {} of scenario {} was found where part {} at step {} of scenario {} should be",
                found.part, found.step, found.scenario, self.part, self.step, self.scenario
            )));
        }
        Ok(state)
    }

    fn fields(&self, version: u32, length: u64) -> [u8; FIELD_BYTES] {
        let part = match self.part {
            PartName::Partition(number) => u32::from(number),
            PartName::Recorder => RECORDER,
            PartName::Master => MASTER,
        };
        let mut fields = [0; FIELD_BYTES];
        let mut rest = &mut fields[..];
        for bytes in [
            &MAGIC[..],
            &version.to_le_bytes(),
            &self.scenario.0.to_le_bytes(),
            &self.step.to_le_bytes(),
            &self.epoch.0.to_le_bytes(),
            &part.to_le_bytes(),
            &length.to_le_bytes(),
        ] {
            let (field, after) = rest.split_at_mut(bytes.len());
            field.copy_from_slice(bytes);
            rest = after;
        }
        fields
    }

    /// Where it belongs, the version, and the length of the state.
    fn read(fields: &[u8; FIELD_BYTES]) -> Result<(Self, u32, u64), StoreError> {
        let mut at = 0;
        if take(fields, &mut at) != MAGIC {
            return Err(StoreError::damaged("this is not a snapshot"));
        }
        let version = u32::from_le_bytes(take(fields, &mut at));
        let scenario = ContentHash(u128::from_le_bytes(take(fields, &mut at)));
        let step = u64::from_le_bytes(take(fields, &mut at));
        let epoch = Epoch(u64::from_le_bytes(take(fields, &mut at)));
        let part = match u32::from_le_bytes(take(fields, &mut at)) {
            RECORDER => PartName::Recorder,
            MASTER => PartName::Master,
            number => u16::try_from(number)
                .map(PartName::Partition)
                .map_err(|_| StoreError::damaged(format!("invalid partition number {number} in a snapshot header")))?,
        };
        Ok((Self { scenario, step, epoch, part }, version, u64::from_le_bytes(take(fields, &mut at))))
    }
}

fn take<const N: usize>(fields: &[u8; FIELD_BYTES], at: &mut usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&fields[*at..*at + N]);
    *at += N;
    bytes
}

fn checksum(fields: &[u8; FIELD_BYTES], state: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hash = Xxh3::new();
    hash.update(fields);
    hash.update(state);
    hash.digest128().to_le_bytes()
}

fn too_short(bytes: usize) -> StoreError {
    StoreError::damaged(format!("a snapshot of {bytes} bytes is shorter than its header"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: u64 = 1 << 20;

    fn envelope() -> impl Strategy<Value = Envelope> {
        let part =
            prop_oneof![any::<u16>().prop_map(PartName::Partition), Just(PartName::Recorder), Just(PartName::Master)];
        (any::<u128>(), any::<u64>(), any::<u64>(), part).prop_map(|(scenario, step, epoch, part)| Envelope {
            scenario: ContentHash(scenario),
            step,
            epoch: Epoch(epoch),
            part,
        })
    }

    /// Runs of equal bytes, as states have them, and noise.
    fn state() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec((any::<u8>(), 1..200usize), 0..60)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, times)| std::iter::repeat_n(byte, times)).collect())
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_again(envelope in envelope(), state in state()) {
            let sealed = envelope.seal(&state);
            prop_assert_eq!(Envelope::open(&sealed, LIMIT).unwrap(), (envelope, state.clone()));
            prop_assert_eq!(envelope.open_expecting(&sealed).unwrap(), state);
        }

        #[test]
        fn damage_is_noticed_wherever_it_is(envelope in envelope(), state in state(), at in any::<prop::sample::Index>(),
            bit in 0..8u8, cut in any::<prop::sample::Index>(), kind in 0..4)
        {
            let mut sealed = envelope.seal(&state);
            let at = at.index(sealed.len());
            match kind {
                0 => sealed[at] ^= 1 << bit,
                1 => sealed.truncate(at),
                2 => { let to = (at + 1 + cut.index(64)).min(sealed.len()); sealed[at..to].fill(0) },
                _ => sealed.extend_from_slice(&[bit; 3]),
            }
            match Envelope::open(&sealed, LIMIT) {
                Err(StoreError::Damaged { .. }) => {}
                // Zeros over zeros, or another packing of the same.
                Ok(found) => prop_assert_eq!(found, (envelope, state)),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }

        #[test]
        fn garbage_is_damaged(mut bytes in prop::collection::vec(any::<u8>(), 0..300), headed in any::<bool>()) {
            if headed && bytes.len() >= 8 {
                bytes[..4].copy_from_slice(&MAGIC);
                bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
            }
            let found = Envelope::open(&bytes, LIMIT);
            prop_assert!(matches!(found, Err(StoreError::Damaged { .. })), "{:?}", found);
        }
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let at = Envelope { scenario: ContentHash(1), step: 2, epoch: Epoch(3), part: PartName::Master };
        let mut sealed = at.seal(&[0; 1000]);
        sealed[FIELD_BYTES - 8..FIELD_BYTES].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        assert!(matches!(Envelope::open(&sealed, u64::MAX), Err(StoreError::Damaged { .. })));
        assert!(matches!(Envelope::open(&at.seal(&[0; 1000]), 999), Err(StoreError::Damaged { .. })));
    }

    /// It was taken back as damaged, and with it the run's only way to go on with the program that had begun it.
    #[test]
    fn a_state_of_another_version_is_not_called_damaged() {
        let at = Envelope { scenario: ContentHash(1), step: 2, epoch: Epoch(3), part: PartName::Partition(4) };
        let older = at.seal_as(VERSION - 1, b"state");
        assert!(matches!(at.open_expecting(&older), Err(StoreError::OtherVersion { .. })));
        let mut damaged = at.seal(b"state");
        damaged[4] ^= 1;
        assert!(matches!(at.open_expecting(&damaged), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_state_of_somebody_else_is_not_taken() {
        let at = Envelope { scenario: ContentHash(1), step: 2, epoch: Epoch(3), part: PartName::Partition(4) };
        let sealed = at.seal(b"state");
        let others = [
            Envelope { scenario: ContentHash(0), ..at },
            Envelope { step: 1, ..at },
            Envelope { part: PartName::Recorder, ..at },
        ];
        for other in others {
            assert!(matches!(other.open_expecting(&sealed), Err(StoreError::Damaged { .. })), "{other:?}");
        }
        assert!(Envelope { epoch: Epoch(9), ..at }.open_expecting(&sealed).is_ok());
    }
}
