//! What a user is told of while a run goes on: vehicles that are discarded, and a run that makes no progress any more.
//!
//! All of it follows from the merged reports, so it is the same for every cut.

use super::collector::MergedStep;
use super::sink::Names;
use crate::scenario::Settings;
use crate::sim::report::{Discard, DiscardCause, Standing, WaitsFor};
use crate::sim::{NAMED_EVERY_STEPS, NewVehicle};

/// Shortest time without any movement before it is told, ms.
const PATIENCE_MS: i64 = 600_000;
/// Steps from the message to the end of a run that cannot change any more: more than partitions are ever granted ahead.
const STEPS_TO_END: u64 = 256;
/// Discarded vehicles that are told of one by one.
const TOLD_DISCARDS: u32 = 100;
/// Standing vehicles that are named.
const NAMED: usize = 8;

pub struct Alerts {
    names: Names,
    patience_steps: u64,
    /// The run has no end time, and no commands will come.
    ends: bool,
    /// Number of the first step of the present standstill.
    still_since: Option<u64>,
    discards: u32,
}

impl Alerts {
    /// `is_driven`: commands may come.
    pub fn new(names: Names, settings: &Settings, is_driven: bool) -> Self {
        let programs = names.network.signals.iter().flat_map(|signal| &signal.programs);
        let cycles_ms =
            programs.map(|program| program.phases.iter().map(|p| p.duration_ms.max(p.max_duration_ms)).sum::<i64>());
        // Whatever comes back by itself has come twice by then.
        let slowest_ms = [
            cycles_ms.max().unwrap_or(0),
            settings.time_to_teleport_ms.unwrap_or(0),
            settings.time_to_impatience_ms,
            settings.rerouting.as_ref().map_or(0, |rerouting| rerouting.period_ms.max(rerouting.pre_period_ms)),
        ];
        let slowest_ms = slowest_ms.into_iter().max().unwrap_or(0).min(1 << 40);
        Self {
            names,
            patience_steps: ((2 * slowest_ms).max(PATIENCE_MS) / settings.step_ms.max(1)) as u64 + 1,
            ends: settings.end_ms.is_none() && !is_driven,
            still_since: None,
            discards: 0,
        }
    }

    /// Goes on from a checkpoint.
    #[must_use]
    pub fn resumed(self, still_since: Option<u64>) -> Self {
        Self { still_since, ..self }
    }

    pub fn still_since(&self) -> Option<u64> {
        self.still_since
    }

    /// A vehicle that an order adds.
    pub fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    /// The step after which a standstill is told: standing vehicles are named with it.
    fn told_after(&self) -> Option<u64> {
        Some((self.still_since? + self.patience_steps).next_multiple_of(NAMED_EVERY_STEPS))
    }

    /// The number of steps after which the run ends because nothing can change any more; it may be taken back as long as
    /// fewer are done.
    pub fn end(&self) -> Option<u64> {
        self.told_after().filter(|_| self.ends).map(|told| told + STEPS_TO_END)
    }

    /// Takes the report of a step, after which `steps` are done, and says what is to be told.
    pub fn observe(&mut self, steps: u64, step: &MergedStep, mut tell: impl FnMut(String)) {
        for discard in &step.discards {
            self.discards = self.discards.saturating_add(1);
            match self.discards.cmp(&TOLD_DISCARDS) {
                std::cmp::Ordering::Less => tell(self.of_discard(discard, step.time_ms)),
                std::cmp::Ordering::Equal => {
                    tell("further vehicles that can never depart are discarded without a message".to_owned());
                }
                std::cmp::Ordering::Greater => {}
            }
        }
        if !step.is_still || step.counts.running + step.counts.waiting == 0 {
            self.still_since = None;
            return;
        }
        self.still_since.get_or_insert(steps);
        if self.told_after() == Some(steps) {
            tell(self.of_standstill(steps, step));
        }
    }

    fn of_discard(&self, discard: &Discard, time_ms: i64) -> String {
        let why = match discard.cause {
            DiscardCause::SlowLaneAhead => "slow lane ahead",
            DiscardCause::JunctionTooClose => "unprioritised junction too close",
            DiscardCause::StopTooClose => "scheduled stop too close",
        };
        let name = &self.names.departure(discard.vehicle).name;
        let lane = self.names.network.lane_name(discard.lane);
        let time_s = time_ms as f64 / 1000.0;
        format!(
            "vehicle '{name}' cannot depart on lane '{lane}' with the given speed ({why}), time={time_s:.2}; it is discarded"
        )
    }

    fn of_standstill(&self, steps: u64, step: &MergedStep) -> String {
        let for_steps = steps - self.still_since.unwrap_or(steps);
        let named: Vec<String> = step.standing.iter().take(NAMED).map(|standing| self.of_standing(standing)).collect();
        let end = if self.ends { "; the run ends, for it has no end time" } else { "" };
        format!(
            "no progress at time={:.2}: no vehicle has moved, departed or arrived for {for_steps} steps; {} vehicles stand, \
             {} wait to depart: {}{end}",
            step.time_ms as f64 / 1000.0,
            step.counts.running,
            step.counts.waiting,
            named.join(", "),
        )
    }

    fn of_standing(&self, standing: &Standing) -> String {
        let name = &self.names.departure(standing.vehicle).name;
        let network = &self.names.network;
        let lane = network.lane_name(standing.lane);
        let edge = network.edge_of(standing.lane);
        match standing.waits_for {
            WaitsFor::Departure => format!("'{name}' waits to depart on edge '{}'", edge.name),
            WaitsFor::LaneEnd => format!("'{name}' stands on lane '{lane}', which does not continue its route"),
            WaitsFor::Junction => {
                let junction = &network.junctions[edge.to.index()].name;
                format!("'{name}' on lane '{lane}' waits at junction '{junction}'")
            }
            WaitsFor::Vehicle(other) => {
                let other = &self.names.departure(other).name;
                format!("'{name}' on lane '{lane}' waits for vehicle '{other}'")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LaneId, VehicleId};
    use crate::output::testing::names;
    use crate::sim::report::{Counts, StepReport};

    fn alerts(end_ms: Option<i64>, is_driven: bool) -> Alerts {
        Alerts::new(names(), &Settings { end_ms, ..Settings::default() }, is_driven)
    }

    fn still(steps: u64) -> MergedStep {
        let standing = vec![
            Standing { vehicle: VehicleId(0), lane: LaneId(0), waits_for: WaitsFor::Vehicle(VehicleId(1)) },
            Standing { vehicle: VehicleId(1), lane: LaneId(0), waits_for: WaitsFor::Departure },
        ];
        let counts = Counts { running: 1, waiting: 1, ..Counts::default() };
        let time_ms = steps as i64 * 1000;
        MergedStep::of([StepReport { time_ms, counts, is_still: true, standing, ..StepReport::default() }])
    }

    /// What is told of a standstill from step `from` on, and the steps after which.
    fn told(alerts: &mut Alerts, from: u64, until: u64) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        for steps in from..until {
            alerts.observe(steps, &still(steps), |message| all.push((steps, message)));
        }
        all
    }

    #[test]
    fn a_standstill_is_told_once_with_who_waits_for_whom_and_ends_a_run_without_an_end() {
        let mut alerts = alerts(None, false);
        let messages = told(&mut alerts, 10, 2000);
        let [(steps, message)] = &messages[..] else { panic!("{messages:?}") };
        assert!(steps.is_multiple_of(NAMED_EVERY_STEPS) && *steps >= 610, "{steps}");
        for part in ["1 vehicles stand, 1 wait to depart", "'a' on lane", "waits for vehicle 'b&1'", "the run ends"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(alerts.end(), Some(steps + STEPS_TO_END));
        alerts.observe(2000, &MergedStep::of([StepReport::default()]), |_| panic!("nothing to tell"));
        assert_eq!((alerts.end(), alerts.still_since()), (None, None));
    }

    #[test]
    fn runs_with_an_end_or_with_commands_go_on() {
        for mut alerts in [alerts(Some(10_000_000), false), alerts(None, true)] {
            assert_eq!(told(&mut alerts, 0, 2000).len(), 1);
            assert_eq!(alerts.end(), None);
        }
    }

    #[test]
    fn a_resumed_standstill_is_told_after_the_same_step() {
        let mut whole = alerts(None, false);
        let expected = told(&mut whole, 0, 2000);
        let mut before = alerts(None, false);
        assert_eq!(told(&mut before, 0, 300), []);
        let mut after = alerts(None, false).resumed(before.still_since());
        assert_eq!(told(&mut after, 300, 2000), expected);
    }

    #[test]
    fn discards_are_told_with_their_reason_until_there_are_too_many() {
        let mut alerts = alerts(None, false);
        let discard = Discard { vehicle: VehicleId(1), lane: LaneId(0), cause: DiscardCause::SlowLaneAhead };
        let step = MergedStep::of([StepReport { discards: vec![discard; 150], ..StepReport::default() }]);
        let mut messages = Vec::new();
        alerts.observe(1, &step, |message| messages.push(message));
        assert_eq!(messages.len(), TOLD_DISCARDS as usize);
        assert!(messages[0].contains("vehicle 'b&1' cannot depart") && messages[0].contains("slow lane ahead"));
    }
}
