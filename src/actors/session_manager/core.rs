//! How the session manager answers requests, and which work it starts. Knows no socket and no scenario: it says what is to be loaded, started and
//! handed on, and hears what came of it. Every request gets one answer.

use serde_json::{Value, json};

use crate::actors::master::Ticket;
use crate::control::command::{ClientRequest, Globals, NetChoice, RunCommand};
use crate::control::documentation::commands_json;
use crate::control::message::Request;
use crate::control::{Command, CommandError, RunState, Turn};
use crate::graph::edit::Edit;

/// What is known of a scenario that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// As it was asked for.
    pub name: String,
    pub edges: usize,
    pub lanes: usize,
    pub junctions: usize,
    pub signals: usize,
    pub vehicles: usize,
    pub begin_ms: i64,
    pub end_ms: Option<i64>,
    pub step_ms: i64,
    pub seed: u64,
    /// x0, y0, x1, y1, metres.
    pub bounds: [f64; 4],
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    Finished,
    Failed(String),
}

#[derive(Debug)]
pub enum Event {
    Asked {
        ticket: Ticket,
        request: Request,
    },
    /// What [`Effect::Load`] came to.
    Loaded(Result<Box<Loaded>, String>),
    /// What [`Effect::Edit`] came to: what there is of the network now.
    Edited(Result<Box<Loaded>, CommandError>),
    /// What [`Effect::Start`] came to: the network is cut, and the run begins.
    Started(Result<(), String>),
    /// The scenario that the program was started with is to run at once.
    StartItself,
    /// Where the run stands.
    RunIs(RunState),
    RunEnded(RunEnd),
}

#[derive(Debug)]
pub enum Effect {
    Answer {
        ticket: Ticket,
        outcome: Result<Value, CommandError>,
    },
    /// Read a scenario, with these parameters over what it says.
    Load {
        choice: NetChoice,
        globals: Globals,
    },
    /// Change the network that is loaded; `text` is the message. `None`: as it was read.
    Edit {
        edits: Option<Vec<Edit>>,
        text: String,
    },
    /// The messages by which it was changed.
    TellEdits {
        ticket: Ticket,
    },
    Start {
        paused: bool,
        partitions: Option<u32>,
    },
    /// To the run, which answers.
    ClientRequest {
        ticket: Ticket,
        request: ClientRequest,
        text: String,
    },
    /// A page of the network.
    Net {
        ticket: Ticket,
        page: u64,
        size: u64,
    },
    /// The status of the run, or of the session manager when there is no run.
    Status {
        ticket: Ticket,
    },
    /// The state has changed.
    Show {
        state: RunState,
        reason: Option<String>,
    },
}

/// What is under way.
#[derive(Debug)]
enum Busy {
    Loading(Ticket),
    Editing(Ticket),
    Starting(Ticket),
}

/// The state of the session manager.
#[derive(Debug, Default)]
pub struct Core {
    state: RunState,
    reason: Option<String>,
    globals: Globals,
    map_size: Option<(u64, u64)>,
    loaded: Option<Box<Loaded>>,
    /// The scenario was read with other parameters than those that hold now.
    outdated: Option<NetChoice>,
    choice: Option<NetChoice>,
    busy: Option<Busy>,
    stopping: bool,
}

impl Core {
    /// A scenario is being read that nobody has asked for.
    pub fn expect_scenario(&mut self) {
        self.busy = Some(Busy::Loading(Ticket(0)));
    }

    /// What is loaded, as it was asked for.
    pub fn loaded_name(&self) -> String {
        self.loaded.as_ref().map(|loaded| loaded.name.clone()).unwrap_or_default()
    }

    pub fn state(&self) -> RunState {
        self.state
    }

    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Asked { ticket, request } => {
                if let Err(error) = self.asked(ticket, &request, effects) {
                    effects.push(Effect::Answer { ticket, outcome: Err(error) });
                }
            }
            Event::Loaded(result) => self.loaded(result, effects),
            Event::Edited(result) => self.edited(result, effects),
            Event::Started(result) => self.started(result, effects),
            Event::StartItself => {
                self.busy = Some(Busy::Starting(Ticket(0)));
                effects.push(Effect::Start { paused: false, partitions: self.globals.partitions });
            }
            Event::RunIs(state) => self.run_is(state, effects),
            Event::RunEnded(end) => self.ended(end, effects),
        }
    }

    fn asked(&mut self, ticket: Ticket, request: &Request, effects: &mut Vec<Effect>) -> Result<(), CommandError> {
        let (spec, command) = Command::of(request)?;
        spec.admit(request, self.state)?;
        // Sent to the distributed part explicitly, what both can answer is answered there.
        let from_run = request.ds == Some(true) && self.state.has_run();
        let to_run = |command| Effect::ClientRequest { ticket, request: command, text: request.to_text() };
        let answer = match command {
            Command::Globals | Command::Status if from_run => {
                effects.push(Effect::ClientRequest { ticket, request: ClientRequest::Status, text: String::new() });
                return Ok(());
            }
            Command::Globals => self.globals(),
            Command::SetGlobals(globals) => self.set_globals(globals)?,
            Command::LoadNet(choice) => return self.load(ticket, choice, effects),
            Command::Net { page, size } => {
                effects.push(Effect::Net { ticket, page, size });
                return Ok(());
            }
            Command::MapSize => self.map_size(),
            Command::SetMapSize { width, height } => {
                self.map_size = Some((width, height));
                self.map_size()
            }
            Command::Status | Command::Workers | Command::Partitions => {
                effects.push(Effect::Status { ticket });
                return Ok(());
            }
            Command::Commands => commands_json(),
            Command::Run(RunCommand::Start { paused }) => return self.start(ticket, paused, effects),
            Command::Run(command) => {
                self.stopping |= command == RunCommand::Stop;
                effects.push(to_run(ClientRequest::Run(command)));
                return Ok(());
            }
            Command::World(commands) => {
                effects.push(to_run(ClientRequest::World(commands)));
                return Ok(());
            }
            Command::Edit(edits) if self.state.has_run() => {
                effects.push(to_run(ClientRequest::Edit(edits)));
                return Ok(());
            }
            Command::Edit(edits) => return self.edit(ticket, Some(edits), request.to_text(), effects),
            Command::ResetEdits => return self.edit(ticket, None, String::new(), effects),
            Command::Edits => {
                effects.push(Effect::TellEdits { ticket });
                return Ok(());
            }
            Command::Subscribe(_) | Command::Unsubscribe(_) => {
                return Err(CommandError::Malformed("subscriptions need a WebSocket connection".to_owned()));
            }
        };
        effects.push(Effect::Answer { ticket, outcome: Ok(answer) });
        Ok(())
    }

    fn globals(&self) -> Value {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let loaded = self.loaded.as_deref();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "state": self.state.name(),
            "reason": self.reason,
            "scenario": loaded.map(|loaded| loaded.name.clone()),
            "begin": self.globals.begin_ms.or(loaded.map(|loaded| loaded.begin_ms)).map(seconds),
            "end": self.globals.end_ms.or(loaded.and_then(|loaded| loaded.end_ms)).map(seconds),
            "stepLength": self.globals.step_length_ms.or(loaded.map(|loaded| loaded.step_ms)).map(seconds),
            "seed": self.globals.seed.or(loaded.map(|loaded| loaded.seed)),
            "scale": self.globals.scale,
            "partitions": self.globals.partitions,
            "edges": loaded.map(|loaded| loaded.edges),
            "lanes": loaded.map(|loaded| loaded.lanes),
            "junctions": loaded.map(|loaded| loaded.junctions),
            "signals": loaded.map(|loaded| loaded.signals),
            "vehicles": loaded.map(|loaded| loaded.vehicles),
        })
    }

    fn set_globals(&mut self, globals: Globals) -> Result<Value, CommandError> {
        self.rest()?;
        let only_partitions = Globals { partitions: globals.partitions, ..Globals::default() } == globals;
        let own = &mut self.globals;
        own.begin_ms = globals.begin_ms.or(own.begin_ms);
        own.end_ms = globals.end_ms.or(own.end_ms);
        own.step_length_ms = globals.step_length_ms.or(own.step_length_ms);
        own.seed = globals.seed.or(own.seed);
        own.scale = globals.scale.or(own.scale);
        own.partitions = globals.partitions.or(own.partitions);
        if !only_partitions && self.state == RunState::NetLoaded {
            // Flows and trips depend on all of these.
            self.outdated.clone_from(&self.choice);
        }
        Ok(self.globals())
    }

    fn map_size(&self) -> Value {
        json!({
            "width": self.map_size.map(|(width, _)| width),
            "height": self.map_size.map(|(_, height)| height),
            "bounds": self.loaded.as_ref().map(|loaded| loaded.bounds),
        })
    }

    /// Whether something else is being done that must end first.
    fn rest(&self) -> Result<(), CommandError> {
        match self.busy {
            None => Ok(()),
            Some(Busy::Loading(_)) => Err(CommandError::Busy("a scenario is being loaded; retry later".to_owned())),
            Some(Busy::Editing(_)) => Err(CommandError::being_edited()),
            Some(Busy::Starting(_)) => Err(CommandError::Busy("a run is being started; retry later".to_owned())),
        }
    }

    fn load(&mut self, ticket: Ticket, choice: NetChoice, effects: &mut Vec<Effect>) -> Result<(), CommandError> {
        self.rest()?;
        self.busy = Some(Busy::Loading(ticket));
        self.choice = Some(choice.clone());
        effects.push(Effect::Load { choice, globals: self.globals.clone() });
        Ok(())
    }

    fn loaded(&mut self, result: Result<Box<Loaded>, String>, effects: &mut Vec<Effect>) {
        let Some(busy) = self.busy.take() else { return };
        let (Busy::Loading(ticket) | Busy::Editing(ticket) | Busy::Starting(ticket)) = busy;
        let outcome = match result {
            Ok(loaded) => {
                self.loaded = Some(loaded);
                self.outdated = None;
                self.turn(Turn::Load, None, effects).map(|()| self.globals())
            }
            Err(reason) => Err(CommandError::Input(reason)),
        };
        effects.push(Effect::Answer { ticket, outcome });
    }

    fn edit(
        &mut self,
        ticket: Ticket,
        edits: Option<Vec<Edit>>,
        text: String,
        effects: &mut Vec<Effect>,
    ) -> Result<(), CommandError> {
        self.rest()?;
        self.busy = Some(Busy::Editing(ticket));
        effects.push(Effect::Edit { edits, text });
        Ok(())
    }

    fn edited(&mut self, result: Result<Box<Loaded>, CommandError>, effects: &mut Vec<Effect>) {
        let Some(Busy::Editing(ticket)) = self.busy.take_if(|busy| matches!(busy, Busy::Editing(_))) else { return };
        let outcome = result.map(|loaded| {
            self.loaded = Some(loaded);
            self.globals()
        });
        effects.push(Effect::Answer { ticket, outcome });
    }

    fn start(&mut self, ticket: Ticket, paused: bool, effects: &mut Vec<Effect>) -> Result<(), CommandError> {
        self.rest()?;
        if self.outdated.is_some() {
            let text =
                "parameters were set after the scenario was loaded; load it again, because its demand depends on them";
            return Err(CommandError::Conflict(text.to_owned()));
        }
        self.busy = Some(Busy::Starting(ticket));
        self.stopping = false;
        effects.push(Effect::Start { paused, partitions: self.globals.partitions });
        Ok(())
    }

    fn started(&mut self, result: Result<(), String>, effects: &mut Vec<Effect>) {
        let Some(Busy::Starting(ticket)) = self.busy.take() else { return };
        let outcome = match result {
            Ok(()) => self.turn(Turn::Start, None, effects).map(|()| json!({"state": self.state.name()})),
            Err(reason) => Err(CommandError::Input(reason)),
        };
        effects.push(Effect::Answer { ticket, outcome });
    }

    /// Follows the run, which tells where it stands and not how it got there.
    fn run_is(&mut self, state: RunState, effects: &mut Vec<Effect>) {
        let turn = match (self.state, state) {
            (RunState::Building, RunState::Running) => Turn::Built { paused: false },
            (RunState::Building, RunState::Paused) => Turn::Built { paused: true },
            (RunState::Running, RunState::Paused) => Turn::Pause,
            (RunState::Paused, RunState::Running) => Turn::Resume,
            _ => return,
        };
        if let Err(error) = self.turn(turn, None, effects) {
            tracing::error!(%error, "invalid transition of the run state; this is a bug in TessDS, please report it");
        }
    }

    fn ended(&mut self, end: RunEnd, effects: &mut Vec<Effect>) {
        let (turn, reason) = match end {
            _ if self.stopping => (Turn::Stop, None),
            RunEnd::Finished => (Turn::Finish, None),
            RunEnd::Failed(reason) => (Turn::Fail, Some(reason)),
        };
        if let Err(error) = self.turn(turn, reason, effects) {
            tracing::error!(%error, "a run ended although none was active; this is a bug in TessDS, please report it");
        }
    }

    fn turn(&mut self, turn: Turn, reason: Option<String>, effects: &mut Vec<Effect>) -> Result<(), CommandError> {
        self.state = self.state.after(turn).map_err(|error| CommandError::Conflict(error.to_string()))?;
        self.reason.clone_from(&reason);
        effects.push(Effect::Show { state: self.state, reason });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
