//! Programs of signals.

use super::change::{NewPhase, NewProgram};
use super::draft::Draft;
use super::error::EditError;
use crate::graph::{Actuation, Aspect, Phase, Program, ProgramKind};

/// Times beyond this are refused, ms: a day and a bit.
const MAX_MS: i64 = 100_000_000;
const MAX_PHASES: usize = 1000;
const MAX_PROGRAMS: usize = 100;

impl Draft {
    pub fn set_program(&mut self, new: &NewProgram) -> Result<(), EditError> {
        let found = self.signals.iter().position(|signal| *signal.name == *new.signal);
        let at = found.ok_or_else(|| EditError::no_such("signal", &new.signal))?;
        let object = format!("program '{}' of signal '{}'", new.program, new.signal);
        let bad = |message: String| EditError::value(object.as_str(), message);
        if !(1..=MAX_PHASES).contains(&new.phases.len()) {
            return Err(bad(format!("a program has 1 to {MAX_PHASES} phases, not {}", new.phases.len())));
        }
        if new.offset_ms.abs() > MAX_MS {
            return Err(bad(format!("its offset has to be within {MAX_MS} ms")));
        }
        let phases = new.phases.iter().map(|phase| phase.read(new.kind).map_err(bad));
        let phases: Vec<Phase> = phases.collect::<Result<_, _>>()?;
        let width = phases[0].aspects.len();
        let controlled = self.links.iter().filter(|draft| !draft.removed && draft.link.signal.index() == at);
        let needed = controlled.map(|draft| draft.link.signal_index as usize + 1).max().unwrap_or(0);
        if phases.iter().any(|phase| phase.aspects.len() != width) || width < needed {
            return Err(bad(format!("each state needs a letter for each link index, which are {needed} here")));
        }
        let program = Program {
            name: (*new.program).into(),
            kind: new.kind,
            offset_ms: new.offset_ms,
            phases: phases.into(),
            actuation: Actuation::default(),
        };
        let signal = &mut self.signals[at];
        let mut programs = signal.programs.to_vec();
        match programs.iter().position(|known| known.name == program.name) {
            Some(known) => {
                let actuation = programs[known].actuation.clone();
                programs[known] = Program { actuation, ..program };
                signal.initial = known as u32;
            }
            None if programs.len() >= MAX_PROGRAMS => {
                return Err(bad(format!("a signal has at most {MAX_PROGRAMS} programs")));
            }
            None => {
                programs.push(program);
                signal.initial = programs.len() as u32 - 1;
            }
        }
        signal.programs = programs.into();
        Ok(())
    }
}

impl NewPhase {
    fn read(&self, kind: ProgramKind) -> Result<Phase, String> {
        let Self { duration_ms, min_duration_ms, max_duration_ms, state } = self;
        let in_range = |ms: i64| (1..=MAX_MS).contains(&ms);
        let least = min_duration_ms.unwrap_or(*duration_ms);
        // As SUMO has it: bounded by nothing where only the least is given.
        let most = max_duration_ms.unwrap_or(if min_duration_ms.is_some() { MAX_MS } else { *duration_ms });
        if ![*duration_ms, least, most].into_iter().all(in_range) || least > most {
            return Err("durations are above 0, and minDur is at most maxDur".to_owned());
        }
        if kind == ProgramKind::Static && (min_duration_ms.is_some() || max_duration_ms.is_some()) {
            return Err("minDur and maxDur are for actuated programs; set type to 'actuated'".to_owned());
        }
        let aspects = state.chars().map(|letter| {
            let unknown = || format!("'{letter}' is not a signal state; use the letters rugGyYsoO");
            Aspect::of_letter(letter).ok_or_else(unknown)
        });
        let aspects: Box<[Aspect]> = aspects.collect::<Result<_, _>>()?;
        if aspects.is_empty() || aspects.len() > 4096 {
            return Err("a state has 1 to 4096 letters".to_owned());
        }
        let next = Box::default();
        Ok(Phase {
            duration_ms: *duration_ms,
            min_duration_ms: least,
            max_duration_ms: most,
            aspects,
            next,
            earliest_end_ms: None,
            latest_end_ms: None,
        })
    }
}
