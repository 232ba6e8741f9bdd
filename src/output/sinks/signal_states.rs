//! What signals showed (`timedEvent` of the types `SaveTLS…`).

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::graph::Signal;
use crate::ids::SignalId;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::scenario::SignalRecord;
use crate::sim::report::ShownSignal;

/// The program of a signal that an order steers.
const ORDERED: &str = "online";

/// What a signal shows, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    program: Box<str>,
    phase: u32,
    letters: Box<str>,
    since_ms: i64,
    /// By link index: since when it is green; `None` where it is not.
    green_since_ms: Vec<Option<i64>>,
}

/// One file of one kind; several signals may share it.
pub struct SignalStates {
    names: Names,
    record: SignalRecord,
    signals: Vec<SignalId>,
    shown: BTreeMap<SignalId, Shown>,
}

impl SignalStates {
    pub fn new(names: Names, record: SignalRecord, signals: Vec<SignalId>) -> Self {
        Self { names, record, signals, shown: BTreeMap::new() }
    }

    /// Program, phase and letters.
    fn read<'s>(signal: &'s Signal, shown: &ShownSignal) -> (&'s str, u32, Box<str>) {
        let letters = |aspects: &[crate::graph::Aspect]| aspects.iter().map(|aspect| aspect.letter()).collect();
        match shown.phase.and_then(|(program, phase)| Some((signal.programs.get(program as usize)?, phase))) {
            Some((program, phase)) => {
                let aspects = program.phases.get(phase as usize).map_or(&[][..], |phase| &phase.aspects);
                (&program.name, phase, letters(aspects))
            }
            None => (ORDERED, 0, letters(&shown.aspects)),
        }
    }

    fn state(name: &str, time_ms: i64, shown: &Shown, out: &mut Document) {
        Tag::new(out, 1, "tlsState")
            .time("time", time_ms)
            .text("id", name)
            .text("programID", &shown.program)
            .count("phase", shown.phase.into())
            .text("state", &shown.letters)
            .empty();
    }

    fn phase(shown: &Shown, now_ms: i64, out: &mut Document) {
        Tag::new(out, 2, "phase").time("duration", now_ms - shown.since_ms).text("state", &shown.letters).empty();
    }

    /// Green times that end: those of links that `letters` do not show green any more.
    fn switches(&self, id: SignalId, shown: &mut Shown, letters: &str, now_ms: i64, out: &mut Document) {
        let network = &self.names.network;
        let letters = letters.as_bytes();
        shown.green_since_ms.resize(letters.len(), None);
        for (index, since) in shown.green_since_ms.iter_mut().enumerate() {
            let is_green = matches!(letters[index], b'G' | b'g');
            let Some(since_ms) = since.filter(|_| !is_green) else {
                if is_green {
                    since.get_or_insert(now_ms);
                }
                continue;
            };
            *since = None;
            let controlled = network.links.iter().filter(|link| link.signal == id && !link.exit);
            for link in controlled.filter(|link| link.signal_index as usize == index) {
                Tag::new(out, 1, "tlsSwitch")
                    .text("id", &network.signal(id).name)
                    .text("programID", &shown.program)
                    .lane("fromLane", network, link.from)
                    .lane("toLane", network, link.to)
                    .time("begin", since_ms)
                    .time("end", now_ms)
                    .time("duration", now_ms - since_ms)
                    .empty();
            }
        }
    }

    fn signal(&mut self, id: SignalId, told: &ShownSignal, now_ms: i64, out: &mut Document) {
        let names = self.names.clone();
        let signal = names.network.signal(id);
        let (program, phase, letters) = Self::read(signal, told);
        let before = self.shown.remove(&id);
        let is_new = before.as_ref().is_none_or(|b| (&*b.program, b.phase, &*b.letters) != (program, phase, &*letters));
        let mut shown = match before {
            Some(before) if !is_new => before,
            before => {
                if let (SignalRecord::Program, Some(before)) = (self.record, &before) {
                    Self::phase(before, now_ms, out);
                } else if self.record == SignalRecord::Program {
                    Tag::new(out, 1, "tlLogic")
                        .text("id", &signal.name)
                        .text("type", "static")
                        .text("programID", program)
                        .open();
                }
                let green_since_ms = before.map(|before| before.green_since_ms).unwrap_or_default();
                Shown { program: program.into(), phase, letters: letters.clone(), since_ms: now_ms, green_since_ms }
            }
        };
        match self.record {
            SignalRecord::States => Self::state(&signal.name, now_ms, &shown, out),
            SignalRecord::SwitchStates if is_new => Self::state(&signal.name, now_ms, &shown, out),
            SignalRecord::SwitchTimes if is_new => self.switches(id, &mut shown, &letters, now_ms, out),
            _ => {}
        }
        self.shown.insert(id, shown);
    }
}

impl Sink for SignalStates {
    fn table(&self) -> Table {
        match self.record {
            SignalRecord::States | SignalRecord::SwitchStates => Table::new("tlsStates", "tlsstates_file")
                .with("tlsState", Time, &["time"])
                .with("tlsState", Text, &["id", "programID"])
                .with("tlsState", Count, &["phase"])
                .with("tlsState", Text, &["state"]),
            SignalRecord::SwitchTimes => Table::new("tlsSwitches", "tlsswitches_file")
                .with("tlsSwitch", Text, &["id", "programID", "fromLane", "toLane"])
                .with("tlsSwitch", Time, &["begin", "end", "duration"]),
            SignalRecord::Program => Table::new("additional", "additional_file")
                .with("tlLogic", Text, &["id", "type", "programID"])
                .with("phase", Time, &["duration"])
                .with("phase", Text, &["state"]),
        }
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        for at in 0..self.signals.len() {
            let id = self.signals[at];
            if let Ok(found) = step.signals.binary_search_by_key(&id, |told| told.signal) {
                self.signal(id, &step.signals[found], step.time_ms, out);
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        if self.record == SignalRecord::Program {
            for shown in self.shown.values() {
                Self::phase(shown, end.end_ms, out);
                out.end_tag(1, "tlLogic");
            }
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        rmp_serde::to_vec(&self.shown).expect("plain data is saved without error")
    }

    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        self.shown = rmp_serde::from_slice(state).map_err(io::Error::other)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::{Actuation, Aspect, Phase, Program, ProgramKind};
    use crate::ids::LaneId;
    use crate::output::testing::{names, written};
    use crate::sim::report::StepReport;

    fn signalled() -> Names {
        let mut names = names();
        let mut network = (*names.network).clone();
        let phase = |aspect| Phase {
            duration_ms: 2000,
            min_duration_ms: 2000,
            max_duration_ms: 2000,
            earliest_end_ms: None,
            latest_end_ms: None,
            aspects: Box::new([aspect]),
            next: Box::default(),
        };
        network.signals.push(Signal {
            name: "mid".into(),
            programs: Box::new([Program {
                name: "0".into(),
                kind: ProgramKind::Static,
                offset_ms: 0,
                phases: Box::new([phase(Aspect::GreenMajor), phase(Aspect::Red)]),
                actuation: Actuation::default(),
            }]),
            initial: 0,
            switches: Box::default(),
            lanes: Box::new([LaneId(0)]),
        });
        network.links[0].signal = SignalId(0);
        names.network = Arc::new(network);
        names
    }

    fn body(record: SignalRecord) -> Vec<String> {
        let told = |phase| ShownSignal { signal: SignalId(0), phase: Some((0, phase)), aspects: Vec::new() };
        let step = |n: i64| {
            let signals = vec![told((n / 2 % 2) as u32)];
            MergedStep::of([StepReport { time_ms: n * 1000, signals, ..StepReport::default() }])
        };
        let steps: Vec<_> = (0..5).map(step).collect();
        let end = RunEnd { end_ms: 5000, ..RunEnd::default() };
        let text = written(&mut SignalStates::new(signalled(), record, vec![SignalId(0)]), &steps, &end);
        text.lines().skip(3).map(str::to_owned).collect()
    }

    #[test]
    fn states_switches_and_programs_are_written_as_sumo_does() {
        assert_eq!(body(SignalRecord::States).len(), 6);
        assert_eq!(
            body(SignalRecord::SwitchStates),
            [
                r#"    <tlsState time="0.00" id="mid" programID="0" phase="0" state="G"/>"#,
                r#"    <tlsState time="2.00" id="mid" programID="0" phase="1" state="r"/>"#,
                r#"    <tlsState time="4.00" id="mid" programID="0" phase="0" state="G"/>"#,
                "</tlsStates>",
            ]
        );
        assert_eq!(
            body(SignalRecord::SwitchTimes),
            [
                r#"    <tlsSwitch id="mid" programID="0" fromLane="west_0" toLane="east_0" begin="0.00" end="2.00" duration="2.00"/>"#,
                "</tlsSwitches>",
            ]
        );
        assert_eq!(
            body(SignalRecord::Program),
            [
                r#"    <tlLogic id="mid" type="static" programID="0">"#,
                r#"        <phase duration="2.00" state="G"/>"#,
                r#"        <phase duration="2.00" state="r"/>"#,
                r#"        <phase duration="1.00" state="G"/>"#,
                "    </tlLogic>",
                "</additional>",
            ]
        );
    }
}
