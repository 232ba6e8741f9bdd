//! The state of the traffic lights: which phase each shows, and until when.

pub mod actuation;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::graph::{Aspect, Link, Network, ProgramKind, Signal};
use crate::ids::SignalId;

use crate::sim::phases::detection::{Loops, SignalLoops};

/// A signal's state between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalState {
    pub program: u32,
    pub phase: u32,
    /// When the phase began and when it is to be looked at again, ms.
    pub since_ms: i64,
    pub until_ms: i64,
    /// Number of WAUT switches already made.
    pub switched: u32,
    /// When phase 0 began last, ms.
    pub cycle_ms: i64,
    /// Of actuated programs, in the order of [`Loops`].
    pub loops: Box<[LoopState]>,
}

/// The state of a loop between two steps, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopState {
    /// When a vehicle's front came onto it last.
    pub entered_us: i64,
    /// When a vehicle's rear left it last; [`OCCUPIED`] while one is on it.
    pub left_us: i64,
    /// When its lane last showed green.
    pub green_us: i64,
}

/// Stands for "has not left yet".
pub const OCCUPIED: i64 = i64::MAX;

/// For how long loops have seen nothing at the begin, ms.
const LONG_AGO_MS: i64 = 3_600_000;

impl LoopState {
    fn new(begin_ms: i64) -> Self {
        let long_ago_us = (begin_ms - LONG_AGO_MS) * 1000;
        Self { entered_us: long_ago_us, left_us: long_ago_us, green_us: begin_ms * 1000 }
    }
}

/// The loops of a signal that have seen nothing yet.
pub fn unused_loops(loops: Option<&Loops>, begin_ms: i64) -> Box<[LoopState]> {
    vec![LoopState::new(begin_ms); loops.map_or(0, |l| l.loops.len())].into()
}

/// All signals; static ones are a function of time alone, actuated ones also of the vehicles before them.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    pub states: Vec<SignalState>,
    /// Signals that show the same whatever their state is, which stands still.
    pub fixed: BTreeMap<SignalId, Vec<Aspect>>,
    /// What each link index of each signal shows since the last [`Signals::advance`]; derived from `states`.
    shown: Vec<Aspect>,
    /// By signal: where it begins in `shown`, and the program and phase that are there.
    shown_at: Vec<(u32, u32, u32)>,
}

/// No program or phase.
const NOTHING: u32 = u32::MAX;

impl Signals {
    pub fn new(network: &Network, loops: &SignalLoops, begin_ms: i64) -> Self {
        let states = (0..)
            .zip(&network.signals)
            .map(|(id, signal)| {
                let mut state = SignalState {
                    program: signal.initial,
                    phase: 0,
                    since_ms: begin_ms,
                    until_ms: begin_ms,
                    switched: 0,
                    cycle_ms: begin_ms,
                    loops: unused_loops(loops.of(SignalId(id)), begin_ms),
                };
                enter_program(signal, &mut state, signal.initial, begin_ms);
                if signal.programs[signal.initial as usize].kind == ProgramKind::Actuated {
                    actuation::begin(signal, &mut state, begin_ms);
                }
                state
            })
            .collect();
        let mut shown_at = Vec::with_capacity(network.signals.len());
        let mut length = 0;
        for signal in &network.signals {
            shown_at.push((length, NOTHING, NOTHING));
            length += links_of(signal) as u32;
        }
        let shown = vec![Aspect::Off; length as usize];
        let mut signals = Self { states, fixed: BTreeMap::new(), shown, shown_at };
        signals.show(network);
        signals
    }

    /// Writes down what the signals show whose phase is another one than before.
    fn show(&mut self, network: &Network) {
        for ((signal, state), at) in network.signals.iter().zip(&self.states).zip(&mut self.shown_at) {
            if (at.1, at.2) == (state.program, state.phase) {
                continue;
            }
            (at.1, at.2) = (state.program, state.phase);
            let program = &signal.programs[state.program as usize];
            let aspects = match program.phases.get(state.phase as usize) {
                Some(phase) if program.kind != ProgramKind::Off => &*phase.aspects,
                _ => &[],
            };
            let start = at.0 as usize;
            for (i, shown) in self.shown[start..start + links_of(signal)].iter_mut().enumerate() {
                *shown = aspects.get(i).copied().unwrap_or(Aspect::Off);
            }
        }
        for (id, aspects) in &self.fixed {
            let at = &mut self.shown_at[id.index()];
            // Whatever comes after this has to be written down again.
            (at.1, at.2) = (NOTHING, NOTHING);
            let start = at.0 as usize;
            self.shown[start..start + aspects.len()].copy_from_slice(aspects);
        }
    }

    /// What a signal shows since the last [`Signals::advance`], by link index.
    pub fn shown(&self, signal: SignalId) -> &[Aspect] {
        let start = self.shown_at[signal.index()].0 as usize;
        let end = self.shown_at.get(signal.index() + 1).map_or(self.shown.len(), |next| next.0 as usize);
        &self.shown[start..end]
    }

    /// To be called when `states` were replaced by saved ones.
    pub fn restored(&mut self, network: &Network) {
        self.show(network);
    }

    /// Brings every signal to the time of the step.
    pub fn advance(&mut self, network: &Network, loops: &SignalLoops, begin_ms: i64, now_ms: i64) {
        for (index, (signal, state)) in network.signals.iter().zip(&mut self.states).enumerate() {
            if !self.fixed.is_empty() && self.fixed.contains_key(&SignalId::new(index)) {
                continue;
            }
            while let Some(switch) = signal.switches.get(state.switched as usize) {
                if switch.time_ms > now_ms {
                    break;
                }
                state.switched += 1;
                switch_to(signal, state, switch.program, begin_ms, now_ms);
            }
            let mut rounds = 0;
            while now_ms >= state.until_ms && rounds < 1000 {
                match loops.of(SignalId::new(index)) {
                    Some(loops) if signal.programs[state.program as usize].kind == ProgramKind::Actuated => {
                        actuation::check(signal, loops, state, now_ms);
                    }
                    _ => leave_phase(signal, state, now_ms),
                }
                rounds += 1;
            }
        }
        self.show(network);
    }

    /// What a link sees; `None` where no signal stands.
    #[inline]
    pub fn aspect(&self, link: &Link) -> Option<Aspect> {
        if link.signal.is_none() {
            return None;
        }
        let at = self.shown_at[link.signal.index()].0 + link.signal_index;
        Some(self.shown.get(at as usize).copied().unwrap_or(Aspect::Off))
    }
}

/// One more than the greatest link index of a signal.
pub fn links_of(signal: &Signal) -> usize {
    let shown = signal.programs.iter().flat_map(|p| &p.phases).map(|phase| phase.aspects.len()).max();
    signal.lanes.len().max(shown.unwrap_or(0))
}

/// Shows a program that is switched to during a run that began at `begin_ms`.
pub fn switch_to(signal: &Signal, state: &mut SignalState, program: u32, begin_ms: i64, now_ms: i64) {
    enter_program(signal, state, program, now_ms);
    if signal.programs[program as usize].kind == ProgramKind::Actuated {
        actuation::join(signal, state, begin_ms, now_ms);
    }
}

/// Shows a program as if it had run since the beginning of time with its written durations.
pub fn enter_program(signal: &Signal, state: &mut SignalState, program: u32, now_ms: i64) {
    state.program = program;
    state.since_ms = now_ms;
    let p = &signal.programs[program as usize];
    let cycle: i64 = p.phases.iter().map(|phase| phase.duration_ms).sum();
    if p.kind == ProgramKind::Off || p.phases.is_empty() || cycle <= 0 {
        state.phase = 0;
        state.until_ms = i64::MAX;
        return;
    }
    // A positive offset delays the program.
    let mut into = (now_ms - p.offset_ms).rem_euclid(cycle);
    let mut phase = 0;
    while into >= p.phases[phase].duration_ms {
        into -= p.phases[phase].duration_ms;
        phase += 1;
    }
    state.phase = phase as u32;
    state.since_ms = now_ms - into;
    state.until_ms = now_ms + p.phases[phase].duration_ms - into;
}

fn leave_phase(signal: &Signal, state: &mut SignalState, now_ms: i64) {
    let phases = &signal.programs[state.program as usize].phases;
    let next = phases[state.phase as usize].next.first().copied().unwrap_or((state.phase + 1) % phases.len() as u32);
    let began = state.until_ms.min(now_ms);
    state.phase = next;
    state.since_ms = began;
    state.until_ms = began + phases[next as usize].duration_ms.max(1);
}
