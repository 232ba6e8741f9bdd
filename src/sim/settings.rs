//! Everything that configures a run and is part of its identity: equal settings, network and demand give one result (I1).

use serde::{Deserialize, Serialize};

/// Settings of the simulation itself. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub begin_ms: i64,
    /// `None`: until no vehicle is left.
    pub end_ms: Option<i64>,
    pub step_ms: i64,
    pub seed: u64,
    /// A vehicle that has stood this long is teleported; `None` (SUMO: ≤ 0): never.
    pub time_to_teleport_ms: Option<i64>,
    /// `time-to-teleport.highways`: the same for vehicles on a lane that does not lead on along their route, where the limit is
    /// above [`Self::highway_min_speed_mps`]; `None` (SUMO: ≤ 0): as elsewhere.
    pub time_to_teleport_highways_ms: Option<i64>,
    /// `time-to-teleport.highways.min-speed`.
    pub highway_min_speed_mps: f64,
    /// `time-to-teleport.disconnected`: the same for vehicles whose route has a gap behind their edge; `None` (SUMO: < 0): as
    /// elsewhere.
    pub time_to_teleport_disconnected_ms: Option<i64>,
    /// `time-to-teleport.remove`: such vehicles are taken out of the simulation.
    pub teleports_remove: bool,
    /// `time-to-impatience`: standing time after which impatience is 1.
    pub time_to_impatience_ms: i64,
    /// `default.speeddev`-like override; negative: not given.
    pub default_speed_deviation: Option<f64>,
    /// `max-depart-delay`: vehicles that wait longer are discarded.
    pub max_depart_delay_ms: Option<i64>,
    /// `lanechange.duration`; only 0 (instantaneous) is simulated.
    pub lanechange_duration_ms: i64,
    /// `ignore-junction-blocker`: foes that block a junction longer are ignored; `None`: never.
    pub ignore_junction_blocker_ms: Option<i64>,
    /// `tls.actuated.jam-threshold`: vehicles that stand on a loop longer do not count; `None`: they always do.
    pub actuated_jam_threshold_ms: Option<i64>,
    pub collisions: Collisions,
    /// Routing during the run (`device.rerouting.*`).
    pub rerouting: Option<Rerouting>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            begin_ms: 0,
            end_ms: None,
            step_ms: 1000,
            seed: 23423,
            time_to_teleport_ms: Some(300_000),
            time_to_teleport_highways_ms: None,
            highway_min_speed_mps: 69.0 / 3.6,
            time_to_teleport_disconnected_ms: None,
            teleports_remove: false,
            time_to_impatience_ms: 180_000,
            default_speed_deviation: None,
            max_depart_delay_ms: None,
            lanechange_duration_ms: 0,
            ignore_junction_blocker_ms: None,
            actuated_jam_threshold_ms: None,
            collisions: Collisions::default(),
            rerouting: None,
        }
    }
}

/// `collision.*`: what counts as a collision, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Collisions {
    pub action: CollisionAction,
    /// `collision.mingap-factor`: share of the minimum gap below which a gap is a collision; `None`: only an overlap is.
    pub min_gap_factor: Option<f64>,
}

/// `collision.action`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CollisionAction {
    /// Collisions are not looked for.
    Ignore,
    /// They are counted and reported; both vehicles drive on.
    Warn,
    /// The rear vehicle goes on farther along its route.
    #[default]
    Teleport,
    /// Both vehicles are taken out of the simulation.
    Remove,
}

/// `device.rerouting.*`: which vehicles look for a faster route, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rerouting {
    /// Share of vehicles that have the device, 0…1.
    pub probability: f64,
    /// 0: only before insertion.
    pub period_ms: i64,
    pub pre_period_ms: i64,
    /// Interval after which edge travel times are taken over.
    pub adaptation_interval_ms: i64,
    /// Number of past intervals that are averaged (`adaptation-steps`), or weight of the old value.
    pub adaptation_steps: u32,
    pub adaptation_weight: f64,
}
