//! All commands: name, arguments, the run states that admit them, and the component that executes them. `docs/commands.md`
//! is made from these tables.

mod cluster;
mod network;
mod shared;
mod simulation;
mod world;

use serde_json::{Map, Value};

use self::shared::WITH_RUN;
use super::arguments::Arguments;
use super::command::{Command, WorldCommand};
use super::error::CommandError;
use super::lifecycle::RunState;
use super::message::{Direction, Request};
use crate::graph::edit::Edit;

/// The component that executes a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The program that the client talks to; works without a run.
    SessionManager,
    /// The master of the run.
    Run,
    /// The partitions that own or see the objects that are named.
    Owners,
    /// All partitions.
    All,
}

impl Scope {
    /// Belongs to the distributed part.
    pub fn is_distributed(self) -> bool {
        self != Self::SessionManager
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::SessionManager => "session manager",
            Self::Run => "run",
            Self::Owners => "owners",
            Self::All => "all partitions",
        }
    }
}

/// What `"ds"` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DsRule {
    /// Never `true`: there is nothing for the distributed part to do.
    Local,
    /// Never `false`: only the distributed part can do it.
    Distributed,
    /// Both have an answer; without `ds` the session manager gives it.
    Either,
}

impl DsRule {
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "not `true`",
            Self::Distributed => "not `false`",
            Self::Either => "both",
        }
    }
}

type ReadMaster = fn(&Arguments, Direction) -> Result<Command, CommandError>;
type ReadWorld = fn(&Arguments) -> Result<WorldCommand, CommandError>;
type ReadEdit = fn(&Arguments) -> Result<Edit, CommandError>;

/// Parser of a command's arguments.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One object in `param`.
    Master(ReadMaster),
    /// Each object in `param` is one change; all changes take effect in the same step.
    World(ReadWorld),
    /// Each object in `param` changes the structure of the network; all changes are applied, or none.
    Edit(ReadEdit),
}

/// One command.
#[derive(Debug)]
pub struct Spec {
    /// As messages and people call it.
    pub name: &'static str,
    /// `type2`.
    pub subject: &'static str,
    /// `action` in `param`; `None`: it has none.
    pub action: Option<&'static str>,
    pub directions: &'static [Direction],
    /// Name and meaning.
    pub arguments: &'static [(&'static str, &'static str)],
    /// States in which it is carried out; in others it is answered with an error.
    pub states: &'static [RunState],
    pub scope: Scope,
    pub ds: DsRule,
    pub kind: Kind,
    pub help: &'static str,
}
/// All commands, in the order of `docs/commands.md`.
pub fn commands() -> impl Iterator<Item = &'static Spec> {
    [simulation::SIMULATION, world::WORLD, network::NETWORK, cluster::CLUSTER].into_iter().flatten()
}

/// The command that a request means.
///
/// # Errors
/// There is none of this name, or it cannot be given in this direction.
pub fn find(request: &Request) -> Result<&'static Spec, CommandError> {
    look_up(request, request.params.first())
}

/// The command that one object of `param` means.
///
/// # Errors
/// As [`find`].
pub fn of_param(request: &Request, param: &Map<String, Value>) -> Result<&'static Spec, CommandError> {
    look_up(request, Some(param))
}

fn look_up(request: &Request, param: Option<&Map<String, Value>>) -> Result<&'static Spec, CommandError> {
    let of_subject = || commands().filter(|spec| spec.subject == request.subject);
    if of_subject().next().is_none() {
        return Err(CommandError::Unknown(request.subject.chars().take(64).collect()));
    }
    let action = |param: &Map<String, Value>| param.get("action").and_then(Value::as_str).map(str::to_owned);
    let given = param.and_then(action);
    let mut fitting = of_subject().filter(|spec| spec.directions.contains(&request.direction));
    let found = match given.as_deref() {
        Some(action) => fitting.find(|spec| spec.action == Some(action)),
        None => fitting.find(|spec| spec.action.is_none()),
    };
    found.ok_or_else(|| {
        let known: Vec<String> = of_subject()
            .map(|spec| match spec.action {
                Some(action) => format!("type1 'up' with action '{action}'"),
                None => format!("type1 '{}'", spec.directions[0].name()),
            })
            .collect();
        CommandError::Malformed(format!("'{}' takes {}", request.subject, known.join(", or ")))
    })
}

impl Spec {
    /// Whether it may be given now, and by `ds`.
    ///
    /// # Errors
    /// It may not.
    pub fn admit(&'static self, request: &Request, state: RunState) -> Result<(), CommandError> {
        match (self.ds, request.ds) {
            (DsRule::Local, Some(true)) => {
                let message = "the distributed part does not execute this command; send it without 'ds'";
                return Err(CommandError::argument(self.name, message));
            }
            (DsRule::Distributed, Some(false)) => {
                let message = "only the distributed part can execute this command; send it without 'ds'";
                return Err(CommandError::argument(self.name, message));
            }
            // There is no distributed part yet that could answer.
            (DsRule::Either, Some(true)) if !state.has_run() && self.action != Some("start") => {
                let allowed = names(WITH_RUN);
                return Err(CommandError::WrongState { command: self.name, state, allowed });
            }
            _ => {}
        }
        if self.states.contains(&state) {
            return Ok(());
        }
        Err(CommandError::WrongState { command: self.name, state, allowed: names(self.states) })
    }
}

fn names(states: &[RunState]) -> String {
    states.iter().map(|state| state.name()).collect::<Vec<_>>().join(" or ")
}
