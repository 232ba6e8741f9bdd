//! Orders about signals.

use std::sync::Arc;

use crate::graph::{Aspect, ProgramKind};
use crate::ids::SignalId;
use crate::sim::digest::Digest;
use crate::sim::models::signals::switch_to;
use crate::sim::partition::Partition;

impl Partition {
    /// Returns whether an own signal shows the phase now. The present program may have no such phase.
    pub(super) fn show_phase(&mut self, id: SignalId, phase: u32, hold_ms: Option<i64>, now_ms: i64) -> bool {
        let signal = self.world.network.signal(id);
        let state = &mut self.signals.states[id.index()];
        let program = &signal.programs[state.program as usize];
        let Some(shown) = program.phases.get(phase as usize).filter(|_| program.kind != ProgramKind::Off) else {
            return false;
        };
        if self.signals.fixed.contains_key(&id) {
            return false;
        }
        state.phase = phase;
        state.since_ms = now_ms;
        state.until_ms = now_ms.saturating_add(hold_ms.unwrap_or(shown.duration_ms).max(1));
        self.steer(id)
    }

    /// Returns whether an own signal runs the program now.
    pub(super) fn run_program(&mut self, id: SignalId, program: u32, now_ms: i64) -> bool {
        let network = Arc::clone(&self.world.network);
        let signal = network.signal(id);
        if program as usize >= signal.programs.len() {
            return false;
        }
        if self.signals.fixed.remove(&id).is_some() {
            Arc::make_mut(&mut self.world).overlay.standing.fixed.remove(&id);
        }
        let state = &mut self.signals.states[id.index()];
        // Switches whose time passed meanwhile are not made up for.
        let passed = signal.switches.iter().take_while(|switch| switch.time_ms <= now_ms).count() as u32;
        state.switched = state.switched.max(passed);
        switch_to(signal, state, program, self.world.settings.begin_ms, now_ms);
        self.steer(id)
    }

    /// Returns whether an own signal shows the aspects now.
    pub(super) fn show_aspects(&mut self, id: SignalId, aspects: &[Aspect]) -> bool {
        self.signals.fixed.insert(id, aspects.to_vec());
        Arc::make_mut(&mut self.world).overlay.standing.fixed.insert(id, aspects.to_vec());
        self.steer(id)
    }

    fn steer(&mut self, id: SignalId) -> bool {
        Arc::make_mut(&mut self.world).overlay.standing.steered.insert(id);
        self.scope.owns_signal(&self.world.network, id)
    }

    /// Adds the own signals that orders have taken out of their schedule.
    pub(in crate::sim) fn digest_signals(&self, digest: &mut Digest) {
        let network = &self.world.network;
        for id in self.world.overlay.standing.steered.iter().filter(|id| self.scope.owns_signal(network, **id)) {
            let state = &self.signals.states[id.index()];
            let numbers = [state.program, state.phase, state.switched].map(i64::from);
            let [program, phase, switched] = numbers;
            let mut words = vec![program, phase, switched, state.since_ms, state.until_ms];
            words.extend(state.loops.iter().flat_map(|felt| [felt.entered_us, felt.left_us, felt.green_us]));
            digest.signal(id.0, &words);
            if let Some(aspects) = self.signals.fixed.get(id) {
                digest.order(10, id.0, &aspects.iter().map(|aspect| *aspect as u64).collect::<Vec<_>>());
            }
        }
    }
}
