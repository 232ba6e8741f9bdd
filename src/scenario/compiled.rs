//! A scenario as one block of bytes, so that who joins a run needs neither its files nor the time to read them.
//! Equal scenarios give equal bytes, so a hash of them names the scenario.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sealed::{Seal, SealError, VERSION};
use super::{OutputRequests, Settings, indices};
use crate::demand::Demand;
use crate::graph::Network;
use crate::graph::partition::Cut;

/// To be raised whenever a type of the body changes.
const FORMAT: u32 = 8;
const SEAL: Seal = Seal { magic: b"TessDSsc", format: FORMAT };

/// Why bytes are no scenario for this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompiledError {
    #[error("not a compiled scenario")]
    NotCompiled,
    /// All processes of a run have to be of one version.
    #[error(
        "the scenario was compiled by tessds {version} (format {format}), and this is tessds {VERSION} (format {FORMAT}); \
         start all processes of the run with the same version"
    )]
    OtherVersion { version: String, format: u32 },
    #[error("the compiled scenario is damaged ({0}); compile it again")]
    Damaged(String),
}

impl From<SealError> for CompiledError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::OtherKind => Self::NotCompiled,
            SealError::OtherVersion { version, format } => Self::OtherVersion { version, format },
            SealError::Damaged(what) => Self::Damaged(what.to_owned()),
        }
    }
}

/// All that a process has to know of a scenario to simulate a part of it.
#[derive(Clone, Debug)]
pub struct CompiledScenario {
    pub network: Arc<Network>,
    pub demand: Arc<Demand>,
    pub settings: Settings,
    pub requests: OutputRequests,
    pub cut: Cut,
    pub revision: Revision,
}

/// How the scenario of a run differs from the one that it was started with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Edits of the command log that its network holds.
    pub edits: u32,
    /// In which it was made: partitions that were placed before belong to another scenario.
    pub epoch: u64,
}

impl CompiledScenario {
    /// The scenario as bytes; the same bytes for equal scenarios.
    pub fn encode(&self) -> Vec<u8> {
        let Self { network, demand, settings, requests, cut, revision } = self;
        SEAL.close(&(&**network, &**demand, settings, requests, cut, revision))
    }

    /// Reads what [`encode`](Self::encode) wrote. Takes any bytes: memory stays within a small multiple of their number, and
    /// in what is returned every index points to something.
    ///
    /// # Errors
    /// The bytes are something else, of another version of the program, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, CompiledError> {
        Self::decode_body(SEAL.open(bytes)?)
    }

    /// A checksum says nothing about who made it, so the body is not trusted either.
    fn decode_body(body: &[u8]) -> Result<Self, CompiledError> {
        // Reads from a slice: texts cannot be longer than it, and serde bounds what it reserves for a list by what follows.
        type Body = (Network, Demand, Settings, OutputRequests, Cut, Revision);
        let (network, demand, settings, requests, cut, revision): Body =
            rmp_serde::from_slice(body).map_err(|error| CompiledError::Damaged(error.to_string()))?;
        indices::check(&network, &demand, &settings, &requests, &cut).map_err(CompiledError::Damaged)?;
        Ok(Self { network: Arc::new(network), demand: Arc::new(demand), settings, requests, cut, revision })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostics::Warnings;
    use crate::graph::partition::random_cut;
    use crate::ids::LaneId;
    use crate::scenario::{DetectorRequest, RunConfig, load};
    use crate::sim::{Partition, ReportOptions, RouteGuidance, Scope, World};

    fn small() -> CompiledScenario {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/two_ways");
        let config = RunConfig {
            net: Some(data.join("two_ways.net.xml")),
            routes: vec![data.join("two_ways.rou.xml")],
            ..RunConfig::default()
        };
        let scenario = load(&config, &mut Warnings::default()).unwrap();
        let cut = random_cut(&scenario.network, 2, 1).unwrap();
        CompiledScenario {
            network: Arc::new(scenario.network),
            demand: Arc::new(scenario.demand),
            settings: scenario.settings,
            requests: scenario.requests,
            cut,
            revision: Revision::default(),
        }
    }

    /// What a worker does with a scenario.
    fn run(scenario: &CompiledScenario) {
        let CompiledScenario { network, demand, settings, requests, cut, .. } = scenario.clone();
        let world = Arc::new(World::new(network, demand, settings, requests));
        RouteGuidance::new(&world);
        for part in 0..cut.parts.min(2) as u16 {
            let mut partition = Partition::new(Arc::clone(&world), Scope::new(&world, part, &cut.part_of_edge));
            for _ in 0..30 {
                partition.step(ReportOptions { fcd: true, digest: true, unfinished: true });
            }
        }
    }

    fn body_at() -> usize {
        SEAL.magic.len() + 4 + 1 + VERSION.len() + 8
    }

    #[test]
    fn other_files_and_other_versions_are_told_apart_from_damage() {
        let bytes = small().encode();
        assert_eq!(CompiledScenario::decode(b"").err(), Some(CompiledError::NotCompiled));
        assert_eq!(CompiledScenario::decode(b"<net version=\"1.20\"/>").err(), Some(CompiledError::NotCompiled));
        let mut other = bytes.clone();
        other[SEAL.magic.len()] += 1;
        let error = CompiledScenario::decode(&other).err().unwrap();
        assert_eq!(error, CompiledError::OtherVersion { version: VERSION.to_owned(), format: FORMAT + 1 });
        assert!(error.to_string().contains("same version"), "{error}");
        let mut flipped = bytes;
        *flipped.last_mut().unwrap() ^= 1;
        let error = CompiledScenario::decode(&flipped).err().unwrap();
        assert!(matches!(&error, CompiledError::Damaged(what) if what.contains("checksum")), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_not_unicode_are_kept() {
        let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"out/\xff.xml");
        let mut scenario = small();
        scenario.requests.detectors.push(DetectorRequest {
            name: "d".into(),
            lane: LaneId(0),
            pos_m: 1.0,
            period_ms: None,
            file: name.into(),
            vtypes: Box::default(),
        });
        assert_eq!(CompiledScenario::decode(&scenario.encode()).unwrap().requests, scenario.requests);
    }

    #[test]
    fn what_is_cut_off_is_an_error_wherever_it_is_cut() {
        let bytes = small().encode();
        for length in 0..bytes.len() {
            assert!(CompiledScenario::decode(&bytes[..length]).is_err(), "{length} bytes");
            assert!(length < body_at() || CompiledScenario::decode_body(&bytes[body_at()..length]).is_err());
        }
    }

    #[test]
    fn lists_that_claim_to_be_endless_take_no_memory() {
        // An array of six, whose first is a network whose edges are 2³²−1 in number.
        for body in [&[0x96, 0x9c, 0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0x96, 0x9c, 0x91, 0xdb, 0xff, 0xff, 0xff, 0xff]]
        {
            assert!(matches!(CompiledScenario::decode_body(body), Err(CompiledError::Damaged(_))));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn damage_behind_a_right_checksum_gives_an_error_or_a_scenario_whose_indices_hold(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
        ) {
            thread_local!(static BYTES: Vec<u8> = small().encode());
            let mut body = BYTES.with(|bytes| bytes[body_at()..].to_vec());
            for (at, byte) in damage {
                let at = at.index(body.len());
                body[at] = byte;
            }
            if let Ok(scenario) = CompiledScenario::decode_body(&body) {
                run(&scenario);
                prop_assert!(CompiledScenario::decode(&scenario.encode()).is_ok());
            }
        }
    }
}
