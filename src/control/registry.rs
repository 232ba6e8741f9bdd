//! All commands: name, arguments, the run states that admit them, and the component that executes them. `docs/commands.md`
//! is made from this table.

use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::command::{self, Command, WorldCommand};
use super::edits;
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
            Self::SessionManager => "front",
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
    [("edge", "id of the edge; applies to all its lanes"), ("lane", "id of one lane, instead of an edge")];
const SPEED: (&str, &str) = ("speed", "m/s");
const WIDTH: (&str, &str) = ("width", "m");
const ALLOW: [(&str, &str); 2] = [("allow", "vehicle classes"), ("disallow", "vehicle classes, instead of allow")];
const ACTION: (&str, &str) = ("action", "second word of the command's name");

/// The table.
pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "global",
        subject: "global",
        action: None,
        directions: DOWN,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::SessionManager,
        ds: DsRule::Either,
        kind: Kind::Master(command::global),
        help: "Returns the parameters of the run and its state.",
    },
    Spec {
        name: "global set",
        subject: "global",
        action: None,
        directions: UP,
        arguments: &[
            ("begin", "time of the first step"),
            ("end", "time after the last step; 0: the run ends when no vehicle is left"),
            ("stepLength", "length of a step"),
            ("seed", "seed of all random numbers"),
            ("scale", "multiplies the demand"),
            ("partitions", "number of partitions; 0: chosen from network size and cores or workers"),
        ],
        states: AT_REST,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::global),
        help: "Sets parameters of the next run; parameters not given keep the scenario's values.",
    },
    Spec {
        name: "loadNet",
        subject: "loadNet",
        action: None,
        directions: UP,
        arguments: &[
            ("projId", "folder inside the scenario folder"),
            ("netKey", "folder inside 'projId', or name of a .sumocfg file"),
            ("time", "folder inside 'netKey'"),
            ("file", "path of a .sumocfg file relative to the scenario folder, instead of the three above"),
            ("fromFile", "accepted for compatibility; always true"),
        ],
        states: AT_REST,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::load_net),
        help: "Loads a scenario. The network is partitioned when the simulation starts.",
    },
    Spec {
        name: "net",
        subject: "net",
        action: None,
        directions: LOAD,
        arguments: &[("page", "page number, from 0"), ("size", "edges per page; default 5000")],
        states: LOADED,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::net),
        help: "Returns the network for display, in pages: lanes with their shapes, junctions, signals.",
    },
    Spec {
        name: "bgmapsize",
        subject: "bgmapsize",
        action: None,
        directions: ANY,
        arguments: &[("width", "pixels"), ("height", "pixels")],
        states: ALWAYS,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::map_size),
        help: "Stores the size of the client's map; as a query, returns it with the bounds of the network.",
    },
    Spec {
        name: "status",
        subject: "status",
        action: None,
        directions: ANY,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::SessionManager,
        ds: DsRule::Either,
        kind: Kind::Master(command::status),
        help: "Returns state, step, time, vehicle counts and real-time factor.",
    },
    Spec {
        name: "simulation",
        subject: "simulation",
        action: None,
        directions: DOWN,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::SessionManager,
        ds: DsRule::Either,
        kind: Kind::Master(command::status),
        help: "Same as status.",
    },
    Spec {
        name: "commands",
        subject: "commands",
        action: None,
        directions: ANY,
        arguments: &[],
        states: ALWAYS,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::commands),
        help: "Returns this table.",
    },
    Spec {
        name: "simulation start",
        subject: "simulation",
        action: Some("start"),
        directions: UP,
        arguments: &[ACTION, ("paused", "true: pause before the first step")],
        states: &[NetLoaded],
        scope: Scope::SessionManager,
        ds: DsRule::Either,
        kind: Kind::Master(command::start),
        help: "Partitions the network and starts the run.",
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
        help: "Ends the run after the steps already granted; outputs are complete up to that step.",
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
        help: "Pauses the run after the steps already granted.",
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
        help: "Resumes a paused run.",
    },
    Spec {
        name: "simulation step",
        subject: "simulation",
        action: Some("step"),
        directions: UP,
        arguments: &[ACTION, ("steps", "number of steps; default 1")],
        states: STEPPING,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::step),
        help: "Executes the given number of steps, then pauses.",
    },
    Spec {
        name: "simulation speed",
        subject: "simulation",
        action: Some("speed"),
        directions: UP,
        arguments: &[ACTION, ("factor", "simulated seconds per second; 0: unlimited")],
        states: WITH_RUN,
        scope: Scope::Run,
        ds: DsRule::Either,
        kind: Kind::Master(command::speed),
        help: "Limits the run to a multiple of real time.",
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
        help: "Closes an edge or a lane; vehicles routed over it are rerouted.",
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
        help: "Reopens a closed edge or lane.",
    },
    Spec {
        name: "edge speed",
        subject: "edge",
        action: Some("speed"),
        directions: UP,
        arguments: &[ACTION, EDGE_OR_LANE[0], EDGE_OR_LANE[1], ("speed", "m/s; not given: the network's speed limit")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::limit_speed),
        help: "Sets the speed limit of an edge or a lane.",
    },
    Spec {
        name: "signal phase",
        subject: "signal",
        action: Some("phase"),
        directions: UP,
        arguments: &[
            ACTION,
            ("signal", "id of the signal"),
            ("phase", "index of the phase in the current program, from 0"),
            ("duration", "duration of the phase; not given: as in the program"),
        ],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::phase),
        help: "Switches to a phase; the program continues from there.",
    },
    Spec {
        name: "signal program",
        subject: "signal",
        action: Some("program"),
        directions: UP,
        arguments: &[ACTION, ("signal", "id of the signal"), ("program", "id of one of the signal's programs")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::program),
        help: "Switches to another program of the signal.",
    },
    Spec {
        name: "signal state",
        subject: "signal",
        action: Some("state"),
        directions: UP,
        arguments: &[ACTION, ("signal", "id of the signal"), ("state", "one letter per link, as in tlLogic")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::aspects),
        help: "Sets the state of all links of a signal, until 'signal program' selects a program.",
    },
    Spec {
        name: "vehicle add",
        subject: "vehicle",
        action: Some("add"),
        directions: UP,
        arguments: &[
            ACTION,
            ("vehicle", "new id"),
            ("edges", "edges of the route, or its first and last edge"),
            ("type", "id of a vehicle type of the scenario"),
            ("depart", "departure time; not given: now"),
            ("departLane", "as in SUMO"),
            ("departPos", "as in SUMO"),
            ("departSpeed", "as in SUMO"),
        ],
        states: STEPPING,
        scope: Scope::All,
        ds: DsRule::Distributed,
        kind: Kind::World(command::add_vehicle),
        help: "Adds a vehicle.",
    },
    Spec {
        name: "vehicle remove",
        subject: "vehicle",
        action: Some("remove"),
        directions: UP,
        arguments: &[ACTION, ("vehicle", "id of the vehicle")],
        states: STEPPING,
        scope: Scope::All,
        ds: DsRule::Distributed,
        kind: Kind::World(command::remove_vehicle),
        help: "Removes a vehicle from the network.",
    },
    Spec {
        name: "vehicle reroute",
        subject: "vehicle",
        action: Some("reroute"),
        directions: UP,
        arguments: &[
            ACTION,
            ("vehicle", "id of the vehicle"),
            ("edges", "edges of the remaining route, from the vehicle's current edge"),
        ],
        states: STEPPING,
        scope: Scope::All,
        ds: DsRule::Distributed,
        kind: Kind::World(command::reroute),
        help: "Replaces the remaining route of a vehicle.",
    },
    Spec {
        name: "vehicle speed",
        subject: "vehicle",
        action: Some("speed"),
        directions: UP,
        arguments: &[
            ACTION,
            ("vehicle", "id of the vehicle"),
            ("speed", "upper limit in m/s; not given: removes the limit"),
        ],
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
            ("lane", "id of the lane"),
            ("from", "start of the section, in metres from the lane's start; default 0"),
            ("to", "end of the section, in metres; default: the lane's end"),
            ("duration", "duration of the incident"),
        ],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::block),
        help: "Blocks a section of a lane for a given time.",
    },
    Spec {
        name: "incident clear",
        subject: "incident",
        action: Some("clear"),
        directions: UP,
        arguments: &[ACTION, ("lane", "id of the lane")],
        states: STEPPING,
        scope: Scope::Owners,
        ds: DsRule::Distributed,
        kind: Kind::World(command::unblock),
        help: "Removes all incidents from a lane.",
    },
    Spec {
        name: "edit addJunction",
        subject: "edit",
        action: Some("addJunction"),
        directions: UP,
        arguments: &[
            ACTION,
            ("id", "new id"),
            ("x", "metres, in network coordinates"),
            ("y", ""),
            ("type", "priority, right_before_left, allway_stop, zipper or unregulated; not given: priority"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_junction),
        help: "Adds a junction, as an end point for new edges.",
    },
    Spec {
        name: "edit addEdge",
        subject: "edit",
        action: Some("addEdge"),
        directions: UP,
        arguments: &[
            ACTION,
            ("id", "new id"),
            ("from", "id of the start junction"),
            ("to", "id of the end junction"),
            ("lanes", "number of lanes; default 1"),
            SPEED,
            ("length", "m; not given: the length of the shape"),
            ("shape", "centre line, 'x,y x,y …'; not given: a straight line"),
            ("priority", "integer; default -1"),
            WIDTH,
            ALLOW[0],
            ALLOW[1],
            ("connect", "false: only connections added explicitly"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_edge),
        help: "Adds an edge. If no connections are added for it, they follow from the angles of the adjacent edges.",
    },
    Spec {
        name: "edit removeEdge",
        subject: "edit",
        action: Some("removeEdge"),
        directions: UP,
        arguments: &[ACTION, ("edge", "id of the edge")],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::remove_edge),
        help: "Removes an edge with all connections from and to it.",
    },
    Spec {
        name: "edit changeEdge",
        subject: "edit",
        action: Some("changeEdge"),
        directions: UP,
        arguments: &[
            ACTION,
            ("edge", "id of the edge"),
            ("lanes", "number of lanes; lanes are added or removed on the left"),
            ("priority", "integer; applies to connections added later"),
            SPEED,
            WIDTH,
            ALLOW[0],
            ALLOW[1],
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::change_edge),
        help: "Changes an edge and all its lanes.",
    },
    Spec {
        name: "edit addLane",
        subject: "edit",
        action: Some("addLane"),
        directions: UP,
        arguments: &[
            ACTION,
            ("edge", "id of the edge"),
            ("index", "0 is the rightmost lane; not given: a new leftmost lane"),
            SPEED,
            WIDTH,
            ALLOW[0],
            ALLOW[1],
            ("connect", "false: do not copy the connections of the adjacent lane"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_lane),
        help: "Adds a lane; attributes not given are copied from the adjacent lane. The indices of lanes to its left increase by 1.",
    },
    Spec {
        name: "edit removeLane",
        subject: "edit",
        action: Some("removeLane"),
        directions: UP,
        arguments: &[ACTION, ("lane", "id of the lane")],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::remove_lane),
        help: "Removes a lane. The indices of lanes to its left decrease by 1.",
    },
    Spec {
        name: "edit changeLane",
        subject: "edit",
        action: Some("changeLane"),
        directions: UP,
        arguments: &[ACTION, ("lane", "id of the lane"), SPEED, WIDTH, ALLOW[0], ALLOW[1]],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::change_lane),
        help: "Changes the attributes of one lane.",
    },
    Spec {
        name: "edit addConnection",
        subject: "edit",
        action: Some("addConnection"),
        directions: UP,
        arguments: &[
            ACTION,
            ("from", "id of the incoming edge"),
            ("to", "id of the outgoing edge"),
            ("fromLane", "lane index; not given: chosen by turn direction"),
            ("toLane", "lane index; not given: chosen by turn direction"),
            ("dir", "direction s, l, r, L, R or t as in SUMO; not given: from the angle"),
            ("signal", "id; not given: the signal of the most similar movement"),
            ("index", "link index of the signal"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::add_connection),
        help: "Adds a connection through a junction, from lane to lane.",
    },
    Spec {
        name: "edit removeConnection",
        subject: "edit",
        action: Some("removeConnection"),
        directions: UP,
        arguments: &[
            ACTION,
            ("from", "id of the incoming edge"),
            ("to", "id of the outgoing edge"),
            ("fromLane", "lane index; not given: all lanes"),
            ("toLane", "lane index; not given: all lanes"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::remove_connection),
        help: "Removes connections between two edges.",
    },
    Spec {
        name: "edit setProgram",
        subject: "edit",
        action: Some("setProgram"),
        directions: UP,
        arguments: &[
            ACTION,
            ("signal", "id of the signal"),
            ("program", "id of the program; an existing program of this id is replaced"),
            ("type", "static or actuated; not given: static"),
            ("offset", "time offset of the program"),
            ("phases", "objects with duration and state; actuated programs also take minDur and maxDur"),
        ],
        states: EDITABLE,
        scope: Scope::All,
        ds: DsRule::Either,
        kind: Kind::Edit(edits::set_program),
        help: "Adds or replaces a signal program and makes it active from its first phase.",
    },
    Spec {
        name: "edit reset",
        subject: "edit",
        action: Some("reset"),
        directions: UP,
        arguments: &[ACTION],
        states: &[NetLoaded],
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::reset_edits),
        help: "Discards all edits of the loaded network.",
    },
    Spec {
        name: "edit list",
        subject: "edit",
        action: None,
        directions: DOWN,
        arguments: &[],
        states: LOADED,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::list_edits),
        help: "Returns the edit messages of the loaded network, in the format of --edits.",
    },
    Spec {
        name: "subscribe",
        subject: "subscribe",
        action: None,
        directions: ANY,
        arguments: &[
            ("topic", "vehicles, edges, signals, partitions or health"),
            ("rate", "updates per second; default 1"),
            ("x0", "bounding box of the vehicles, in network coordinates (metres)"),
            ("y0", ""),
            ("x1", ""),
            ("y1", ""),
            ("names", "ids of edges or signals; not given: all"),
        ],
        states: ALWAYS,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::subscribe),
        help: "Starts a stream of state updates over this WebSocket connection; one stream per topic.",
    },
    Spec {
        name: "unsubscribe",
        subject: "unsubscribe",
        action: None,
        directions: ANY,
        arguments: &[("topic", "topic of the stream; not given: all streams")],
        states: ALWAYS,
        scope: Scope::SessionManager,
        ds: DsRule::Local,
        kind: Kind::Master(command::unsubscribe),
        help: "Ends one or all streams of this connection.",
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
        help: "Takes a snapshot after the steps already granted.",
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
        help: "Lists the workers and the partitions they host.",
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
        help: "Lists the partitions with worker, epoch and step.",
    },
    Spec {
        name: "partition move",
        subject: "partition",
        action: Some("move"),
        directions: UP,
        arguments: &[ACTION, ("partition", "number of the partition"), ("worker", "name of the worker")],
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
