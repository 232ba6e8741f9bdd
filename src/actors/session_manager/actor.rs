//! The actor around [`Core`]: reads scenarios and cuts them off the thread of the actors, and starts runs.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::core::{Core, Effect, Event, Loaded, RunEnd};
use super::display::page;
use super::library::Library;
use crate::actors::master::{SubmitRequest, Ticket};
use crate::control::command::{Globals, NetChoice};
use crate::control::live::{LiveOut, RunStatus};
use crate::control::{Asked, CommandError, RunState};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::Network;
use crate::graph::edit::{Edit, EditedNetwork};
use crate::graph::partition::Cut;
use crate::observe::warn_all;
use crate::scenario::{OutputPaths, Scenario};

/// Requests queued for the master.
const REQUESTS: usize = 256;
/// Messages by which a network is edited.
const MAX_EDITS: usize = 10_000;

/// Reads the scenario of a configuration file with parameters over what it says.
pub type Reader = Arc<dyn Fn(Option<PathBuf>, &Globals) -> Result<(Scenario, OutputPaths), InputError> + Send + Sync>;
/// Cuts a scenario.
pub type Cutting = Arc<dyn Fn(&Scenario, Option<u32>) -> Result<Cut, InputError> + Send + Sync>;

/// What a run is started with.
pub struct ToStart {
    pub scenario: Scenario,
    pub cut: Cut,
    pub outputs: OutputPaths,
    pub requests: mpsc::Receiver<SubmitRequest>,
    pub live: LiveOut,
    pub paused: bool,
}

/// Runs a run to its end; its digest, or why there is none.
pub type Starter = Rc<dyn Fn(ToStart) -> LocalBoxFuture<'static, Result<u128, String>>>;

/// Settings and connections of the session manager.
pub struct SessionManagerSetup {
    pub library: Library,
    pub reader: Reader,
    pub cutting: Cutting,
    pub starter: Starter,
    pub live: LiveOut,
    /// A scenario to begin with, and whether it is started at once. With one, the program ends with its first run.
    pub first: Option<First>,
    /// Told how the first run ended when there is a `first` scenario, or that this cannot be simulated.
    pub over: oneshot::Sender<Result<(), FirstFailed>>,
}

/// What is done without a command.
#[derive(Clone, Debug)]
pub struct First {
    pub configuration: PathBuf,
    pub start: bool,
}

/// Why there is no first run, or no result of it.
#[derive(Debug)]
pub enum FirstFailed {
    /// The scenario cannot be simulated.
    Input(InputError),
    Run(String),
}

struct Read {
    scenario: Box<Scenario>,
    outputs: OutputPaths,
    edits: Edits,
}

/// What clients have changed since it was read.
#[derive(Default)]
struct Edits {
    /// `None`: nothing.
    network: Option<EditedNetwork>,
    messages: Vec<String>,
}

impl Read {
    /// As it is shown, and will be cut.
    fn network(&self) -> &Network {
        self.edits.network.as_ref().map_or(&self.scenario.network, |edited| &edited.network)
    }

    /// All of a message's edits, or none; `None`: takes all back.
    fn edit(&mut self, edits: Option<&[Edit]>, text: String) -> Result<(), CommandError> {
        let Some(edits) = edits else {
            self.edits = Edits::default();
            return Ok(());
        };
        if self.edits.messages.len() >= MAX_EDITS {
            let text = format!("the limit of {MAX_EDITS} edit messages is reached; combine edits into one message");
            return Err(CommandError::Conflict(text));
        }
        let edited = self.edits.network.get_or_insert_with(|| EditedNetwork::new(&self.scenario.network));
        edited.apply(edits).map_err(CommandError::from)?;
        self.edits.messages.push(text);
        Ok(())
    }

    /// What is to be simulated.
    fn finished(self) -> Self {
        let Self { scenario, outputs, edits } = self;
        let Some(edited) = edits.network else { return Self { scenario, outputs, edits } };
        let mut warnings = Warnings::default();
        let scenario = Box::new(scenario.edited(edited, &mut warnings));
        warn_all(&warnings);
        Self { scenario, outputs, edits: Edits::default() }
    }
}

/// Takes the commands of clients.
pub struct SessionManager {
    core: Core,
    setup: SessionManagerSetup,
    /// The program ends with its first run.
    one_run: bool,
    /// The first run begins without a command, so nobody can ask for another one when it cannot.
    starts_itself: bool,
    over: Option<oneshot::Sender<Result<(), FirstFailed>>>,
    /// Until it is started.
    scenario: Option<Read>,
    waiting: std::collections::BTreeMap<Ticket, oneshot::Sender<Result<Value, CommandError>>>,
    tickets: u64,
    requests: Option<mpsc::Sender<SubmitRequest>>,
    digest: Option<u128>,
}

impl SessionManager {
    pub fn new(mut setup: SessionManagerSetup) -> Self {
        let (unused, _) = oneshot::channel();
        let over = Some(std::mem::replace(&mut setup.over, unused));
        Self {
            core: Core::default(),
            one_run: setup.first.is_some(),
            starts_itself: setup.first.as_ref().is_some_and(|first| first.start),
            setup,
            over,
            scenario: None,
            waiting: Default::default(),
            tickets: 0,
            requests: None,
            digest: None,
        }
    }

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut effects = Vec::new();
        // The run's own word on where it stands comes first.
        if self.core.state().has_run() {
            let state = self.setup.live.status.borrow().state;
            self.core.handle(Event::RunIs(state), &mut effects);
        }
        self.core.handle(event, &mut effects);
        for effect in effects {
            self.carry_out(effect, ctx);
        }
    }

    fn carry_out(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Answer { ticket, outcome } => self.answer(ticket, outcome),
            Effect::Load { choice, globals } => self.load(choice, globals, ctx),
            Effect::Edit { edits, text } => self.edit(edits, text, ctx),
            Effect::TellEdits { ticket } => {
                let messages = self.scenario.as_ref().map(|read| read.edits.messages.clone()).unwrap_or_default();
                let messages = messages.iter().map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
                self.answer(ticket, Ok(json!({"edits": messages.collect::<Vec<_>>()})));
            }
            Effect::Start { paused, partitions } => self.start(paused, partitions, ctx),
            Effect::ClientRequest { ticket, request, text } => {
                let Some(reply) = self.waiting.remove(&ticket) else { return };
                let Some(requests) = &self.requests else { return };
                if let Err(error) = requests.try_send(SubmitRequest { request, text, reply }) {
                    let SubmitRequest { reply, .. } = error.into_inner();
                    let busy = CommandError::Busy("too many concurrent commands; retry later".to_owned());
                    let _ = reply.send(Err(busy));
                }
            }
            Effect::Net { ticket, page: number, size } => {
                let network = self.setup.live.network.borrow().clone();
                let outcome = match (&self.scenario, network) {
                    (Some(read), _) => Ok(page(read.network(), number, size)),
                    (None, Some(network)) => Ok(page(&network, number, size)),
                    (None, None) => Err(CommandError::Busy("the network is being partitioned; retry later".to_owned())),
                };
                self.answer(ticket, outcome);
            }
            Effect::Status { ticket } => {
                let status = json!(&**self.setup.live.status.borrow());
                self.answer(ticket, Ok(status));
            }
            Effect::Show { state, reason } => self.show(state, reason),
        }
    }

    fn answer(&mut self, ticket: Ticket, outcome: Result<Value, CommandError>) {
        if let Some(reply) = self.waiting.remove(&ticket) {
            // A client may go before its answer comes.
            let _ = reply.send(outcome);
        }
    }

    fn show(&self, state: RunState, reason: Option<String>) {
        let digest = self.digest.filter(|_| !state.has_run()).map(|digest| format!("{digest:032x}"));
        self.setup.live.status.send_modify(|status| {
            // Of a run that is over its last figures stay; a new scenario begins anew.
            let before = if state == RunState::NetLoaded { RunStatus::default() } else { (**status).clone() };
            *status = Arc::new(RunStatus { state, reason, digest, ..before });
        });
    }

    fn load(&self, choice: NetChoice, globals: Globals, ctx: &mut Context<Self>) {
        let path = match self.setup.library.find(&choice) {
            Ok(path) => path,
            Err(error) => {
                ctx.notify(Outcome::Read(Err(InputError::file("loadNet", error.to_string()))));
                return;
            }
        };
        self.read(path, globals, ctx);
    }

    fn read(&self, path: PathBuf, globals: Globals, ctx: &mut Context<Self>) {
        let reader = Arc::clone(&self.setup.reader);
        let name = path.display().to_string();
        let reading = tokio::task::spawn_blocking(move || reader(Some(path), &globals));
        ctx.spawn(reading.into_actor(self).map(move |read, _, ctx| {
            let read = match read {
                Ok(read) => read,
                Err(_) => Err(InputError::file(
                    name.as_str(),
                    "the scenario reader panicked; this is a bug in TessDS, please report it",
                )),
            };
            ctx.notify(Outcome::Read(read.map(|(scenario, outputs)| {
                (name, Read { scenario: Box::new(scenario), outputs, edits: Edits::default() })
            })));
        }));
    }

    /// Large networks take a while, so it is done elsewhere.
    fn edit(&mut self, edits: Option<Vec<Edit>>, text: String, ctx: &mut Context<Self>) {
        let Some(mut read) = self.scenario.take() else {
            let error = CommandError::Conflict("no scenario is loaded; load one with 'loadNet'".to_owned());
            return self.feed(Event::Edited(Err(error)), ctx);
        };
        let work = tokio::task::spawn_blocking(move || {
            let done = read.edit(edits.as_deref(), text);
            (read, done)
        });
        ctx.spawn(work.into_actor(self).map(|done, manager, ctx| {
            let result = match done {
                Ok((read, done)) => {
                    let name = manager.core.loaded_name();
                    let loaded = facts(name, &read.scenario, read.network());
                    manager.scenario = Some(read);
                    done.map(|()| Box::new(loaded))
                }
                Err(_) => {
                    let text = "the edit panicked; this is a bug in TessDS, please report it. Load the network again";
                    Err(CommandError::Conflict(text.to_owned()))
                }
            };
            manager.feed(Event::Edited(result), ctx);
        }));
    }

    fn start(&mut self, paused: bool, partitions: Option<u32>, ctx: &mut Context<Self>) {
        let Some(read) = self.scenario.take() else {
            let error = InputError::file("simulation start", "no scenario is loaded; load one with 'loadNet'");
            return ctx.notify(Outcome::Cut(Err(error), None, paused));
        };
        let cutting = Arc::clone(&self.setup.cutting);
        let work = tokio::task::spawn_blocking(move || {
            let read = read.finished();
            let cut = cutting(&read.scenario, partitions);
            (read, cut)
        });
        ctx.spawn(work.into_actor(self).map(move |done, _, ctx| match done {
            Ok((read, cut)) => ctx.notify(Outcome::Cut(cut, Some(read), paused)),
            Err(_) => {
                let error = InputError::file(
                    "simulation start",
                    "partitioning panicked; this is a bug in TessDS, please report it",
                );
                ctx.notify(Outcome::Cut(Err(error), None, paused));
            }
        }));
    }

    fn run(&mut self, cut: Cut, read: Read, paused: bool, ctx: &mut Context<Self>) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        self.requests = Some(sender);
        let Read { scenario, outputs, .. } = read;
        let live = self.setup.live.clone();
        live.status.send_replace(Arc::new(RunStatus { state: RunState::Building, ..RunStatus::default() }));
        let running = (self.setup.starter)(ToStart { scenario: *scenario, cut, outputs, requests, live, paused });
        ctx.spawn(running.into_actor(self).map(|ended, manager, ctx| {
            manager.requests = None;
            manager.digest = ended.as_ref().ok().copied();
            let (end, result) = match ended {
                Ok(_) => (RunEnd::Finished, Ok(())),
                Err(reason) => (RunEnd::Failed(reason.clone()), Err(reason)),
            };
            manager.feed(Event::RunEnded(end), ctx);
            if manager.one_run
                && let Some(over) = manager.over.take()
            {
                // Stopping is no failure.
                let is_stopped = manager.core.state() == RunState::Stopped;
                let _ = over.send(if is_stopped { Ok(()) } else { result.map_err(FirstFailed::Run) });
            }
        }));
    }
}

impl Actor for SessionManager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(First { configuration, .. }) = &self.setup.first {
            self.core.expect_scenario();
            self.read(configuration.clone(), Globals::default(), ctx);
        }
    }
}

/// What a piece of work came to that was done elsewhere.
#[derive(Message)]
#[rtype(result = "()")]
enum Outcome {
    Read(Result<(String, Read), InputError>),
    Cut(Result<Cut, InputError>, Option<Read>, bool),
}

impl Handler<Outcome> for SessionManager {
    type Result = ();

    fn handle(&mut self, message: Outcome, ctx: &mut Self::Context) {
        match message {
            Outcome::Read(Ok((name, read))) => {
                let loaded = facts(name, &read.scenario, read.network());
                self.scenario = Some(read);
                self.feed(Event::Loaded(Ok(Box::new(loaded))), ctx);
                if let Some(first) = self.setup.first.take().filter(|first| first.start) {
                    tracing::debug!(?first, "the run begins");
                    self.feed(Event::StartItself, ctx);
                }
            }
            Outcome::Read(Err(error)) => {
                let is_first = self.setup.first.take().is_some();
                if let Some(over) = self.over.take_if(|_| is_first) {
                    let _ = over.send(Err(FirstFailed::Input(error.clone())));
                }
                self.feed(Event::Loaded(Err(error.to_string())), ctx);
            }
            Outcome::Cut(Ok(cut), Some(read), paused) => {
                self.feed(Event::Started(Ok(())), ctx);
                self.run(cut, read, paused, ctx);
            }
            Outcome::Cut(Ok(_), None, _) => self.feed(Event::Started(Err("no scenario is loaded".to_owned())), ctx),
            Outcome::Cut(Err(error), read, _) => {
                // It can be cut otherwise.
                self.scenario = read;
                if let Some(over) = self.over.take_if(|_| self.starts_itself) {
                    let _ = over.send(Err(FirstFailed::Input(error.clone())));
                }
                self.feed(Event::Started(Err(error.to_string())), ctx);
            }
        }
    }
}

/// A request of a client.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ask(pub Asked);

impl Handler<Ask> for SessionManager {
    type Result = ();

    fn handle(&mut self, message: Ask, ctx: &mut Self::Context) {
        let Ask(Asked { request, reply }) = message;
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, reply);
        self.feed(Event::Asked { ticket, request }, ctx);
    }
}

/// Hands the requests of the gateway on, one after the other.
pub async fn take_commands(mut commands: mpsc::Receiver<Asked>, manager: Addr<SessionManager>) {
    while let Some(asked) = commands.recv().await {
        if manager.send(Ask(asked)).await.is_err() {
            return;
        }
    }
}

fn facts(name: String, scenario: &Scenario, network: &Network) -> Loaded {
    let Scenario { demand, settings, .. } = scenario;
    Loaded {
        name,
        edges: network.edges.len(),
        lanes: network.lanes.len(),
        junctions: network.junctions.len(),
        signals: network.signals.len(),
        vehicles: demand.departures.len(),
        begin_ms: settings.begin_ms,
        end_ms: settings.end_ms,
        step_ms: settings.step_ms,
        seed: settings.seed,
        bounds: network.location.boundary,
    }
}
