//! All commands: what they are called, what they take, when they may be given, and who carries them out. `docs/commands.md`
//! is made from this table.

use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::command::{self, Command, WorldCommand};
use super::edits;
use super::error::CommandError;
use super::lifecycle::RunState;
use super::message::{Direction, Request};
use crate::graph::edit::Edit;

/// Who carries a command out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The program that the client talks to; works without a run.
    Front,
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
        self != Self::Front
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
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
    /// Both have an answer; without `ds` the front gives it.
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

/// How a command's arguments are read.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One object in `param`.
    Master(ReadMaster),
    /// Each object in `param` is something to change; all of it holds from the same step.
    World(ReadWorld),
    /// Each object in `param` changes the structure of the network; all of them are made, or none.
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

const UP: &[Direction] = &[Direction::Up];
const DOWN: &[Direction] = &[Direction::Down, Direction::Load];
const LOAD: &[Direction] = &[Direction::Load, Direction::Down];
const ANY: &[Direction] = &[Direction::Up, Direction::Down, Direction::Load];

use RunState::{Building, Failed, Finished, Idle, NetLoaded, Paused, Running, Stopped};
const ALWAYS: &[RunState] = &RunState::ALL;
const AT_REST: &[RunState] = &[Idle, NetLoaded, Finished, Stopped, Failed];
const LOADED: &[RunState] = &[NetLoaded, Building, Running, Paused, Finished, Stopped, Failed];
const WITH_RUN: &[RunState] = &[Building, Running, Paused];
const STEPPING: &[RunState] = &[Running, Paused];
const EDITABLE: &[RunState] = &[NetLoaded, Running, Paused];

const EDGE_OR_LANE: [(&str, &str); 2] =
    [("edge", "name of the edge; all its lanes"), ("lane", "name of one lane, instead of an edge")];
const SPEED: (&str, &str) = ("speed", "m/s");
const WIDTH: (&str, &str) = ("width", "m");
const ALLOW: [(&str, &str); 2] = [("allow", "vehicle classes"), ("disallow", "vehicle classes, instead of allow")];
const ACTION: (&str, &str) = ("action", "as in the name of the command");

/// The table.
pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "global",
        subject: "global",
        action: None,
        directions: DOWN,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::Front,
        ds: DsRule::Either,
        kind: Kind::Master(command::global),
        help: "The parameters of the run, and its state.",
    },
    Spec {
        name: "global set",
        subject: "global",
        action: None,
        directions: UP,
        arguments: &[
            ("begin", "time of the first step"),
            ("end", "time after the last step; 0: when no vehicle is left"),
            ("stepLength", "length of a step"),
            ("seed", "seed of all random numbers"),
            ("scale", "multiplies the demand"),
            ("partitions", "parts that the network is cut into; 0: chosen"),
        ],
        states: AT_REST,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::global),
        help: "Sets parameters of the next run; what is not given stays as the scenario says.",
    },
    Spec {
        name: "loadNet",
        subject: "loadNet",
        action: None,
        directions: UP,
        arguments: &[
            ("projId", "folder in the folder of scenarios"),
            ("netKey", "folder in it, or name of a .sumocfg file"),
            ("time", "folder in that"),
            ("file", "path of a .sumocfg in the folder of scenarios, instead"),
            ("fromFile", "true"),
        ],
        states: AT_REST,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::load_net),
        help: "Reads a scenario. The graph is built when the simulation starts.",
    },
    Spec {
        name: "net",
        subject: "net",
        action: None,
        directions: LOAD,
        arguments: &[("page", "from 0"), ("size", "edges on a page, 5000 if not given")],
        states: LOADED,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::net),
        help: "The network for display: lanes and their shapes, junctions, signals, in pages.",
    },
    Spec {
        name: "bgmapsize",
        subject: "bgmapsize",
        action: None,
        directions: ANY,
        arguments: &[("width", "pixels"), ("height", "pixels")],
        states: ALWAYS,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::map_size),
        help: "Keeps the size of the front end's map; asked for, gives it with the bounds of the network.",
    },
    Spec {
        name: "status",
        subject: "status",
        action: None,
        directions: ANY,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::Front,
        ds: DsRule::Either,
        kind: Kind::Master(command::status),
        help: "State, step, time, vehicles, speed.",
    },
    Spec {
        name: "simulation",
        subject: "simulation",
        action: None,
        directions: DOWN,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::Front,
        ds: DsRule::Either,
        kind: Kind::Master(command::status),
        help: "The same as status.",
    },
    Spec {
        name: "commands",
        subject: "commands",
        action: None,
        directions: ANY,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::commands),
        help: "This table.",
    },
    Spec {
        name: "simulation start",
        subject: "simulation",
        action: Some("start"),
        directions: UP,
        arguments: &[ACTION, ("paused", "true: wait before the first step")],
        states: &[NetLoaded],
        scope: Scope::Front,
        ds: DsRule::Either,
        kind: Kind::Master(command::start),
        help: "Builds the graph, cuts it, and runs.",
    },
    Spec {
        name: "simulation stop",
        subject: "simulation",
        action: Some("stop"),
        directions: UP,
        arguments: &[ACTION],
        states: WITH_RUN,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::stop),
        help: "Ends the run before the first step that is not granted yet; its outputs are complete up to there.",
    },
    Spec {
        name: "simulation pause",
        subject: "simulation",
        action: Some("pause"),
        directions: UP,
        arguments: &[ACTION],
        states: STEPPING,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::pause),
        help: "Grants no more steps; those that are granted are done.",
    },
    Spec {
        name: "simulation resume",
        subject: "simulation",
        action: Some("resume"),
        directions: UP,
        arguments: &[ACTION],
        states: STEPPING,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::resume),
        help: "Goes on.",
    },
    Spec {
        name: "simulation step",
        subject: "simulation",
        action: Some("step"),
        directions: UP,
        arguments: &[ACTION, ("steps", "how many; 1 if not given")],
        states: STEPPING,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::step),
        help: "Does so many more steps and pauses.",
    },
    Spec {
        name: "simulation speed",
        subject: "simulation",
        action: Some("speed"),
        directions: UP,
        arguments: &[ACTION, ("factor", "simulated seconds a second; 0: as fast as it can")],
        states: WITH_RUN,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::speed),
        help: "Keeps the run to a multiple of real time.",
    },
    Spec {
        name: "edge close",
        subject: "edge",
        action: Some("close"),
        directions: UP,
        arguments: &[ACTION, EDGE_OR_LANE[0], EDGE_OR_LANE[1]],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::close),
        help: "Nobody enters any more; whose way leads there looks for another one.",
    },
    Spec {
        name: "edge open",
        subject: "edge",
        action: Some("open"),
        directions: UP,
        arguments: &[ACTION, EDGE_OR_LANE[0], EDGE_OR_LANE[1]],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::open),
        help: "Takes a closure back.",
    },
    Spec {
        name: "edge speed",
        subject: "edge",
        action: Some("speed"),
        directions: UP,
        arguments: &[ACTION, EDGE_OR_LANE[0], EDGE_OR_LANE[1], ("speed", "m/s; not given: as in the network")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::limit_speed),
        help: "Sets the speed limit.",
    },
    Spec {
        name: "signal phase",
        subject: "signal",
        action: Some("phase"),
        directions: UP,
        arguments: &[
            ACTION,
            ("signal", "name"),
            ("phase", "number in its program, from 0"),
            ("duration", "how long; not given: as in the program"),
        ],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::phase),
        help: "Shows a phase; then the program goes on from there.",
    },
    Spec {
        name: "signal program",
        subject: "signal",
        action: Some("program"),
        directions: UP,
        arguments: &[ACTION, ("signal", "name"), ("program", "name of one of its programs")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::program),
        help: "Changes to another program.",
    },
    Spec {
        name: "signal state",
        subject: "signal",
        action: Some("state"),
        directions: UP,
        arguments: &[ACTION, ("signal", "name"), ("state", "a letter for each link, as in tlLogic")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::aspects),
        help: "Shows this until a program is set.",
    },
    Spec {
        name: "vehicle add",
        subject: "vehicle",
        action: Some("add"),
        directions: UP,
        arguments: &[
            ACTION,
            ("vehicle", "name"),
            ("edges", "its way, or the first and the last edge of it"),
            ("type", "a vehicle type of the scenario"),
            ("depart", "time; not given: now"),
            ("departLane", "as in SUMO"),
            ("departPos", "as in SUMO"),
            ("departSpeed", "as in SUMO"),
        ],
        states: STEPPING,
        scope: Scope::All,
        ds: DsRule::Distributed,
        kind: Kind::World(command::add_vehicle),
        help: "A new vehicle.",
    },
    Spec {
        name: "vehicle remove",
        subject: "vehicle",
        action: Some("remove"),
        directions: UP,
        arguments: &[ACTION, ("vehicle", "name")],
        states: STEPPING,
        scope: Scope::All,
        ds: DsRule::Distributed,
        kind: Kind::World(command::remove_vehicle),
        help: "Takes a vehicle off the road.",
    },
    Spec {
        name: "vehicle reroute",
        subject: "vehicle",
        action: Some("reroute"),
        directions: UP,
        arguments: &[ACTION, ("vehicle", "name"), ("edges", "the rest of its way, from the edge that it is on")],
        states: STEPPING,
        scope: Scope::All,
        ds: DsRule::Distributed,
        kind: Kind::World(command::reroute),
        help: "Gives a vehicle another way.",
    },
    Spec {
        name: "vehicle speed",
        subject: "vehicle",
        action: Some("speed"),
        directions: UP,
        arguments: &[ACTION, ("vehicle", "name"), ("speed", "m/s at most; not given: no limit any more")],
        states: STEPPING,
        scope: Scope::All,
        ds: DsRule::Distributed,
        kind: Kind::World(command::limit_vehicle),
        help: "Limits the speed of a vehicle.",
    },
    Spec {
        name: "incident block",
        subject: "incident",
        action: Some("block"),
        directions: UP,
        arguments: &[
            ACTION,
            ("lane", "name"),
            ("from", "metres from its start; not given: 0"),
            ("to", "metres; not given: its end"),
            ("duration", "how long"),
        ],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::block),
        help: "A section of a lane cannot be passed for a time.",
    },
    Spec {
        name: "incident clear",
        subject: "incident",
        action: Some("clear"),
        directions: UP,
        arguments: &[ACTION, ("lane", "name")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::unblock),
        help: "Clears the incidents on a lane.",
    },
    Spec {
        name: "edit addJunction",
        subject: "edit",
        action: Some("addJunction"),
        directions: UP,
        arguments: &[
            ACTION,
            ("id", "name of its own"),
            ("x", "metres of the network"),
            ("y", ""),
            ("type", "priority, right_before_left, allway_stop, zipper or unregulated; not given: priority"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_junction),
        help: "A place where new roads can meet.",
    },
    Spec {
        name: "edit addEdge",
        subject: "edit",
        action: Some("addEdge"),
        directions: UP,
        arguments: &[
            ACTION,
            ("id", "name of its own"),
            ("from", "junction"),
            ("to", "junction"),
            ("lanes", "1 if not given"),
            SPEED,
            ("length", "m; not given: as drawn"),
            ("shape", "centre line, 'x,y x,y …'; not given: straight"),
            ("priority", "whole number; -1 if not given"),
            WIDTH,
            ALLOW[0],
            ALLOW[1],
            ("connect", "false: nothing leads there but what is added"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_edge),
        help: "A new road. Without connections of its own it gets some by the angles of the roads at its ends.",
    },
    Spec {
        name: "edit removeEdge",
        subject: "edit",
        action: Some("removeEdge"),
        directions: UP,
        arguments: &[ACTION, ("edge", "name")],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::remove_edge),
        help: "Takes a road out, with all connections from and to it.",
    },
    Spec {
        name: "edit changeEdge",
        subject: "edit",
        action: Some("changeEdge"),
        directions: UP,
        arguments: &[
            ACTION,
            ("edge", "name"),
            ("lanes", "how many; they come and go on the left"),
            ("priority", "whole number; counts for connections that are added later"),
            SPEED,
            WIDTH,
            ALLOW[0],
            ALLOW[1],
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::change_edge),
        help: "Changes a road and all its lanes.",
    },
    Spec {
        name: "edit addLane",
        subject: "edit",
        action: Some("addLane"),
        directions: UP,
        arguments: &[
            ACTION,
            ("edge", "name"),
            ("index", "from 0 at the right; not given: a new leftmost lane"),
            SPEED,
            WIDTH,
            ALLOW[0],
            ALLOW[1],
            ("connect", "false: without the connections of the lane beside it"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_lane),
        help: "A lane more, like the one beside it where nothing is said. Lanes to its left get the next index.",
    },
    Spec {
        name: "edit removeLane",
        subject: "edit",
        action: Some("removeLane"),
        directions: UP,
        arguments: &[ACTION, ("lane", "name")],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::remove_lane),
        help: "A lane less; those to its left get the index before.",
    },
    Spec {
        name: "edit changeLane",
        subject: "edit",
        action: Some("changeLane"),
        directions: UP,
        arguments: &[ACTION, ("lane", "name"), SPEED, WIDTH, ALLOW[0], ALLOW[1]],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::change_lane),
        help: "Changes one lane.",
    },
    Spec {
        name: "edit addConnection",
        subject: "edit",
        action: Some("addConnection"),
        directions: UP,
        arguments: &[
            ACTION,
            ("from", "edge"),
            ("to", "edge"),
            ("fromLane", "index; not given: by the turn"),
            ("toLane", "index; not given: by the turn"),
            ("dir", "s, l, r, L, R or t as in SUMO; not given: by the angle"),
            ("signal", "name; not given: goes with the movement that is most like it"),
            ("index", "link index of the signal"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_connection),
        help: "A way through a junction, from lane to lane.",
    },
    Spec {
        name: "edit removeConnection",
        subject: "edit",
        action: Some("removeConnection"),
        directions: UP,
        arguments: &[
            ACTION,
            ("from", "edge"),
            ("to", "edge"),
            ("fromLane", "index; not given: of all lanes"),
            ("toLane", "index; not given: onto all lanes"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::remove_connection),
        help: "Takes ways between two roads out.",
    },
    Spec {
        name: "edit setProgram",
        subject: "edit",
        action: Some("setProgram"),
        directions: UP,
        arguments: &[
            ACTION,
            ("signal", "name"),
            ("program", "its name; one that the signal has is replaced"),
            ("type", "static or actuated; not given: static"),
            ("offset", "time"),
            ("phases", "objects with duration, state, and for actuated ones minDur and maxDur"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::set_program),
        help: "A program of a signal, which is shown from the start.",
    },
    Spec {
        name: "edit reset",
        subject: "edit",
        action: Some("reset"),
        directions: UP,
        arguments: &[ACTION],
        states: &[NetLoaded],
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::reset_edits),
        help: "Takes all edits back.",
    },
    Spec {
        name: "edit list",
        subject: "edit",
        action: None,
        directions: DOWN,
        arguments: &[],
        states: LOADED,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::list_edits),
        help: "The messages by which the loaded network was edited, as --edits takes them.",
    },
    Spec {
        name: "subscribe",
        subject: "subscribe",
        action: None,
        directions: ANY,
        arguments: &[
            ("topic", "vehicles, edges, signals, partitions or health"),
            ("rate", "updates a second, 1 if not given"),
            ("x0", "area of vehicles, metres of the network"),
            ("y0", ""),
            ("x1", ""),
            ("y1", ""),
            ("names", "edges or signals; not given: all"),
        ],
        states: ALWAYS,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::subscribe),
        help: "A stream of states over this WebSocket connection; one for each topic.",
    },
    Spec {
        name: "unsubscribe",
        subject: "unsubscribe",
        action: None,
        directions: ANY,
        arguments: &[("topic", "not given: all")],
        states: ALWAYS,
        scope: Scope::Front,
        ds: DsRule::Local,
        kind: Kind::Master(command::unsubscribe),
        help: "Ends streams.",
    },
    Spec {
        name: "snapshot take",
        subject: "snapshot",
        action: Some("take"),
        directions: UP,
        arguments: &[ACTION],
        states: STEPPING,
        scope: Scope::Run,
        ds: DsRule::Distributed,
        kind: Kind::Master(command::snapshot),
        help: "Stores a snapshot before the first step that is not granted yet.",
    },
    Spec {
        name: "workers",
        subject: "workers",
        action: None,
        directions: ANY,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::workers),
        help: "The workers and what they host.",
    },
    Spec {
        name: "partitions",
        subject: "partitions",
        action: None,
        directions: ANY,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::partitions),
        help: "The partitions: where they are, in which epoch, how far.",
    },
    Spec {
        name: "partition move",
        subject: "partition",
        action: Some("move"),
        directions: UP,
        arguments: &[ACTION, ("partition", "number"), ("worker", "name")],
        states: STEPPING,
        scope: Scope::Run,
        ds: DsRule::Distributed,
        kind: Kind::Master(command::move_partition),
        help: "Moves a partition to another worker at the next commit.",
    },
];

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
    let of_subject = || COMMANDS.iter().filter(|spec| spec.subject == request.subject);
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
                let message = "it is not for the distributed part; send it without ds";
                return Err(CommandError::argument(self.name, message));
            }
            (DsRule::Distributed, Some(false)) => {
                let message = "only the distributed part can carry it out; send it without ds";
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
