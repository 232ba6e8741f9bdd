//! How long the phases of actuated signals last, and which of them follows (gap control).
//!
//! An actuated phase is looked at when its `minDur` is over. As long as a loop that serves it is occupied, or was left less
//! than `max-gap` ago, it goes on, at most until `maxDur`. (SUMO user documentation, "Traffic Lights", type 'actuated'; how the
//! times are rounded and where programs begin was found by experiments with SUMO 1.28.)

use crate::graph::{DetectorLoop, Phase, Program, Signal};

use super::{LoopState, OCCUPIED, SignalState};
use crate::sim::phases::detection::Loops;

/// Phases are extended by whole seconds.
const SECOND_MS: i64 = 1000;

/// What a loop of the present phase counts where the next phase is chosen; others count 1.
const PRESENT_DEMAND: i64 = 10;

/// At the begin of a run the phase that is shown begins.
pub fn begin(signal: &Signal, state: &mut SignalState, begin_ms: i64) {
    let phases = &signal.programs[state.program as usize].phases;
    let Some(phase) = phases.get(state.phase as usize) else { return };
    state.since_ms = begin_ms;
    state.cycle_ms = begin_ms;
    state.until_ms = begin_ms + least_ms(phase);
}

/// A program that is switched to during the run is where it would be if all its phases had lasted their `minDur` since the
/// begin of the run.
pub fn join(signal: &Signal, state: &mut SignalState, begin_ms: i64, now_ms: i64) {
    let mut first = state.clone();
    super::enter_program(signal, &mut first, state.program, begin_ms);
    let phases = &signal.programs[state.program as usize].phases;
    let cycle_ms: i64 = phases.iter().map(least_ms).sum();
    if phases.is_empty() || cycle_ms <= 0 {
        return;
    }
    let before_ms: i64 = phases[..first.phase as usize].iter().map(least_ms).sum();
    let mut into_ms = (now_ms - begin_ms + before_ms).rem_euclid(cycle_ms);
    state.cycle_ms = now_ms - into_ms;
    state.phase = 0;
    while into_ms >= least_ms(&phases[state.phase as usize]) {
        into_ms -= least_ms(&phases[state.phase as usize]);
        state.phase += 1;
    }
    state.since_ms = now_ms - into_ms;
    state.until_ms = state.since_ms + least_ms(&phases[state.phase as usize]);
}

/// How long a phase lasts at least.
fn least_ms(phase: &Phase) -> i64 {
    if phase.is_actuated() { phase.min_duration_ms } else { phase.duration_ms }
}

/// The present phase goes on or another one begins. To be called when `until_ms` is over.
pub fn check(signal: &Signal, loops: &Loops, state: &mut SignalState, now_ms: i64) {
    let program = &signal.programs[state.program as usize];
    let phase = &program.phases[state.phase as usize];
    let (first, detectors) = loops.of(state.program);
    let felt = first..first + detectors.len();
    let view = View { program, phase, detectors, felt: &state.loops[felt.clone()], now_ms };
    let next = if phase.next.len() > 1 {
        let (next, wait_ms) = view.choose(state);
        serve(&mut state.loops[felt.clone()], detectors, state.phase, now_ms);
        if wait_ms > 0 {
            state.until_ms = now_ms + wait_ms;
            return;
        }
        next
    } else {
        let more_ms = if phase.is_actuated() { view.extension_ms(state) } else { 0 };
        if more_ms > 0 {
            state.until_ms = now_ms + more_ms;
            return;
        }
        following(program, state.phase)
    };
    let began_ms = state.until_ms.min(now_ms);
    state.phase = next;
    state.since_ms = began_ms;
    if next == 0 {
        state.cycle_ms = began_ms;
    }
    state.until_ms = began_ms + least_ms(&program.phases[next as usize]).max(1);
    serve(&mut state.loops[felt], detectors, next, began_ms);
}

/// Notes that the loops that serve a phase have green.
fn serve(felt: &mut [LoopState], detectors: &[DetectorLoop], phase: u32, now_ms: i64) {
    for (felt, _) in felt.iter_mut().zip(detectors).filter(|(_, d)| d.serves[phase as usize]) {
        felt.green_us = now_ms * 1000;
    }
}

/// The phase after another one where nothing is chosen.
fn following(program: &Program, phase: u32) -> u32 {
    let next = program.phases[phase as usize].next.first().copied();
    next.unwrap_or((phase + 1) % program.phases.len() as u32)
}

/// What a decision depends on.
struct View<'a> {
    program: &'a Program,
    phase: &'a Phase,
    detectors: &'a [DetectorLoop],
    felt: &'a [LoopState],
    now_ms: i64,
}

impl View<'_> {
    /// Time since a vehicle was last on a loop, microseconds. `None`: it does not count, because the vehicle on it stands
    /// there too long.
    fn gap_us(&self, detector: &DetectorLoop, felt: &LoopState) -> Option<i64> {
        let now_us = self.now_ms * 1000;
        if felt.left_us != OCCUPIED {
            return Some(now_us - felt.left_us);
        }
        let is_jammed = detector.jam_us.is_some_and(|us| now_us - felt.entered_us >= us);
        (!is_jammed).then_some(0)
    }

    /// For how much longer the phase goes on before it is looked at again; 0: it ends.
    fn extension_ms(&self, state: &SignalState) -> i64 {
        let shown_ms = self.now_ms - state.since_ms;
        let at_least_ms = (self.phase.min_duration_ms - shown_ms).max(self.before_earliest_ms(state));
        let at_most_ms = (self.phase.max_duration_ms - shown_ms).min(self.until_latest_ms(state));
        let serving = self.detectors.iter().zip(self.felt).filter(|(d, _)| d.serves[state.phase as usize]);
        let gaps = serving.filter_map(|(d, felt)| self.gap_us(d, felt).filter(|gap| *gap < d.max_gap_us));
        let Some(gap_us) = gaps.min() else { return at_least_ms.max(0) };
        if at_most_ms <= 0 {
            return at_least_ms.max(0);
        }
        let detector_gap_us = (self.program.actuation.detector_gap_s * 1e6) as i64;
        let wanted_ms = ((detector_gap_us - gap_us).max(0) + 500) / 1000;
        let whole_ms = (wanted_ms.max(at_least_ms) + SECOND_MS - 1) / SECOND_MS * SECOND_MS;
        whole_ms.max(SECOND_MS).min(at_most_ms).max(at_least_ms)
    }

    /// Which phase is next where several may follow, and how long the present one goes on before it is looked at again (0: it
    /// ends). The phase with most demand wins, of equals the first; the present one is preferred as long as it may last.
    fn choose(&self, state: &SignalState) -> (u32, i64) {
        let shown_ms = self.now_ms - state.since_ms;
        let at_least_ms = if self.phase.is_actuated() {
            (self.phase.min_duration_ms - shown_ms).max(self.before_earliest_ms(state))
        } else {
            0
        };
        if at_least_ms > 0 {
            return (state.phase, at_least_ms);
        }
        let at_most_ms = (self.phase.max_duration_ms - shown_ms).min(self.until_latest_ms(state));
        let may_last = self.phase.is_actuated() && at_most_ms > 0;
        let here = if may_last { self.demand(state.phase, state.phase, true) } else { 0 };
        let mut best = if here > 0 { (here, state.phase) } else { (0, self.phase.next[0]) };
        for &next in &self.phase.next {
            let demand = self.demand(next, state.phase, may_last);
            if demand > best.0 {
                best = (demand, next);
            }
        }
        if best.1 == state.phase { (best.1, SECOND_MS) } else { (best.1, 0) }
    }

    /// Demand for a phase, or for the first actuated one after it: vehicles on the loops that serve it, or since they last had
    /// green. Loops of the present phase count more as long as it may last and not at all after that; others count by the time
    /// that they have waited when this is long.
    fn demand(&self, phase: u32, present: u32, may_last: bool) -> i64 {
        let mut served = phase;
        for _ in 0..self.program.phases.len() {
            if self.program.phases[served as usize].is_actuated() {
                break;
            }
            served = following(self.program, served);
        }
        let now_us = self.now_ms * 1000;
        let threshold_us = (self.program.actuation.inactive_threshold_s * 1e6) as i64;
        let of_loop = |(detector, felt): (&DetectorLoop, &LoopState)| {
            let Some(gap_us) = self.gap_us(detector, felt) else { return 0 };
            if gap_us >= detector.max_gap_us && now_us - gap_us <= felt.green_us {
                return 0;
            }
            let waited_us = now_us - felt.green_us;
            match (detector.serves[present as usize], may_last) {
                (true, true) => PRESENT_DEMAND,
                (true, false) => 0,
                (false, _) if waited_us > threshold_us => waited_us / 1_000_000,
                (false, _) => 1,
            }
        };
        let loops = self.detectors.iter().zip(self.felt).filter(|(d, _)| d.serves[served as usize]);
        loops.map(of_loop).sum()
    }

    /// Where the signal is in its cycle, and how long that is, ms.
    fn in_cycle(&self, state: &SignalState) -> (i64, i64) {
        match self.program.actuation.coordinated_ms {
            Some(cycle_ms) => ((self.now_ms - self.program.offset_ms).rem_euclid(cycle_ms.max(1)), cycle_ms),
            None => (self.now_ms - state.cycle_ms, self.program.phases.iter().map(|p| p.duration_ms).sum()),
        }
    }

    /// Time until the phase may end by its `earliestEnd`; 0 or less: it may.
    fn before_earliest_ms(&self, state: &SignalState) -> i64 {
        let Some(earliest_ms) = self.phase.earliest_end_ms else { return 0 };
        let (at_ms, cycle_ms) = self.in_cycle(state);
        match self.phase.latest_end_ms {
            // Goes on into the next cycle.
            Some(latest_ms) if latest_ms < earliest_ms && at_ms <= latest_ms => 0,
            Some(latest_ms) if self.had_its_end(state, at_ms, latest_ms) => earliest_ms + cycle_ms - at_ms,
            _ => earliest_ms - at_ms,
        }
    }

    /// Time until the phase must end by its `latestEnd`.
    fn until_latest_ms(&self, state: &SignalState) -> i64 {
        let Some(latest_ms) = self.phase.latest_end_ms else { return i64::MAX };
        let (at_ms, cycle_ms) = self.in_cycle(state);
        match self.phase.earliest_end_ms {
            Some(earliest_ms) if latest_ms < earliest_ms && at_ms > latest_ms => latest_ms + cycle_ms - at_ms,
            Some(_) if self.had_its_end(state, at_ms, latest_ms) => latest_ms + cycle_ms - at_ms,
            _ => latest_ms - at_ms,
        }
    }

    /// In a coordinated program a phase that began after its `latestEnd` belongs to the next cycle.
    fn had_its_end(&self, state: &SignalState, at_ms: i64, latest_ms: i64) -> bool {
        self.program.actuation.coordinated_ms.is_some() && at_ms - (self.now_ms - state.since_ms) > latest_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Actuation, Aspect, ProgramKind};
    use crate::ids::LaneId;

    /// Approaches in the order of their links; one loop each before them.
    const APPROACHES: &str = "NSW";

    /// Phases by the letter of the approach that has green (small: yellow) and the phases that may follow.
    fn signal(phases: &[(char, i64, i64, &[u32])], threshold_s: f64) -> (Signal, Loops, SignalState) {
        let read = |&(letter, least_s, most_s, next): &(char, i64, i64, &[u32])| Phase {
            duration_ms: least_s * 1000,
            min_duration_ms: least_s * 1000,
            max_duration_ms: most_s * 1000,
            aspects: APPROACHES.chars().map(|c| if c == letter { Aspect::GreenMajor } else { Aspect::Red }).collect(),
            next: next.into(),
            earliest_end_ms: None,
            latest_end_ms: None,
        };
        let phases: Box<[Phase]> = phases.iter().map(read).collect();
        let loop_of = |at: u32| DetectorLoop {
            lane: LaneId(at),
            pos_m: 100.0,
            length_m: 0.0,
            approach: LaneId(at),
            max_gap_us: 3_000_000,
            jam_us: Some(30_000_000),
            serves: phases.iter().map(|phase| phase.aspects[at as usize] == Aspect::GreenMajor).collect(),
        };
        let loops = Loops::from_programs([(0..3).map(loop_of).collect()]);
        let program = Program {
            name: "p".into(),
            kind: ProgramKind::Actuated,
            offset_ms: 0,
            phases: phases.clone(),
            actuation: Actuation { inactive_threshold_s: threshold_s, ..Actuation::default() },
        };
        let signal = Signal {
            name: "s".into(),
            programs: [program].into(),
            initial: 0,
            switches: Box::default(),
            lanes: (0..3).map(LaneId).collect(),
        };
        let loops_felt = super::super::unused_loops(Some(&loops), 0);
        let mut state =
            SignalState { program: 0, phase: 0, since_ms: 0, until_ms: 0, switched: 0, cycle_ms: 0, loops: loops_felt };
        begin(&signal, &mut state, 0);
        (signal, loops, state)
    }

    /// When which phase begins within a minute, s, while vehicles are on loops from and to a time.
    fn phases(
        (signal, loops, mut state): (Signal, Loops, SignalState),
        occupied: &[(char, i64, i64)],
        seconds: i64,
    ) -> Vec<(i64, u32)> {
        let mut seen = vec![(0, state.phase)];
        for now_s in 0..seconds {
            for (at, approach) in APPROACHES.chars().enumerate() {
                let mut here = occupied.iter().filter(|(c, ..)| *c == approach);
                if let Some((_, from_s, to_s)) = here.find(|(_, from_s, to_s)| (*from_s..=*to_s).contains(&now_s)) {
                    let left_us = if now_s < *to_s { OCCUPIED } else { now_s * 1_000_000 };
                    state.loops[at] = LoopState { entered_us: from_s * 1_000_000, left_us, ..state.loops[at] };
                }
            }
            while now_s * 1000 >= state.until_ms {
                let before = (state.phase, state.since_ms);
                check(&signal, &loops, &mut state, now_s * 1000);
                if before != (state.phase, state.since_ms) {
                    seen.push((now_s, state.phase));
                }
            }
        }
        seen
    }

    const CYCLE: [(char, i64, i64, &[u32]); 4] =
        [('N', 5, 40, &[]), ('-', 3, 3, &[]), ('S', 5, 40, &[]), ('-', 3, 3, &[])];

    #[test]
    fn greens_last_as_long_as_vehicles_follow_each_other() {
        let idle = [(0, 0), (5, 1), (8, 2), (13, 3), (16, 0)];
        assert_eq!(phases(signal(&CYCLE, 180.0), &[], 20), idle);
        // Left at 9: extended from 5 to 7, 9 (occupied), 11 (detector gap), 12, where the gap is 3 s.
        assert_eq!(phases(signal(&CYCLE, 180.0), &[('N', 3, 9)], 18)[1], (12, 1));
        assert_eq!(phases(signal(&CYCLE, 180.0), &[('N', 0, 29)], 60)[1], (32, 1));
        // Red loops change nothing.
        assert_eq!(phases(signal(&CYCLE, 180.0), &[('W', 0, 60)], 17), idle);
        // The longest green; who stands on a loop for 30 s does not count any more.
        assert_eq!(phases(signal(&CYCLE, 180.0), &[('N', 20, 21), ('S', 0, 60)], 60)[2..4], [(8, 2), (31, 3)]);
        assert_eq!(phases(signal(&CYCLE, 180.0), &[('N', 5, 60)], 60)[1], (35, 1));
    }

    /// North may be followed by south or west.
    const CHOICE: [(char, i64, i64, &[u32]); 7] = [
        ('N', 5, 20, &[1, 3]),
        ('-', 3, 3, &[2]),
        ('S', 5, 20, &[5]),
        ('-', 3, 3, &[4]),
        ('W', 5, 20, &[6]),
        ('-', 3, 3, &[0]),
        ('-', 3, 3, &[0]),
    ];

    #[test]
    fn the_phase_with_vehicles_follows() {
        let next = |occupied: &[(char, i64, i64)], threshold_s| phases(signal(&CHOICE, threshold_s), occupied, 60)[1];
        assert_eq!(next(&[], 180.0), (5, 1));
        assert_eq!(next(&[('W', 0, 60)], 180.0), (5, 3));
        assert_eq!(next(&[('S', 0, 60), ('W', 0, 60)], 180.0), (5, 1));
        // The present phase goes on as long as it may.
        assert_eq!(next(&[('N', 3, 60), ('W', 3, 60)], 180.0), (20, 3));
        // Vehicles that were there since the last green count.
        assert_eq!(next(&[('W', 1, 2)], 180.0), (5, 3));
        // Who waited for long is preferred.
        assert_eq!(next(&[('N', 1, 60), ('W', 3, 60)], 12.0), (13, 3));
    }

    #[test]
    fn ends_are_kept_within_the_cycle() {
        let coordinated = |earliest_s: i64, latest_s: i64| {
            let mut given = signal(&CYCLE, 180.0);
            let program = &mut given.0.programs[0];
            program.actuation.coordinated_ms = Some(60_000);
            program.phases[0].earliest_end_ms = Some(earliest_s * 1000);
            program.phases[0].latest_end_ms = Some(latest_s * 1000);
            given
        };
        assert_eq!(phases(coordinated(10, 30), &[], 20)[1], (10, 1));
        assert_eq!(phases(coordinated(10, 30), &[('N', 4, 60)], 60)[1], (30, 1));
        assert_eq!(phases(coordinated(10, 30), &[('N', 4, 12)], 60)[1], (15, 1));
    }
}
