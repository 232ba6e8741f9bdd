//! What a client wants, in types. Names are not looked up yet.

use std::ops::RangeInclusive;

use super::arguments::Arguments;
use super::error::CommandError;
use super::message::{Direction, Request};
use super::registry::{Kind, Spec, find, of_param};
use crate::graph::edit::Edit;

/// Metres a second; beyond this nothing drives on roads.
const SPEED_MPS: RangeInclusive<f64> = 0.0..=100.0;
const METRES: RangeInclusive<f64> = -1e6..=1e7;
/// Edges on the screen of a page of the network.
const PAGE_SIZE: RangeInclusive<u64> = 1..=20_000;
const DEFAULT_PAGE_SIZE: u64 = 5_000;
/// Updates a second.
const RATE_HZ: RangeInclusive<f64> = 0.01..=20.0;

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Globals,
    SetGlobals(Globals),
    LoadNet(NetChoice),
    Net {
        page: u64,
        size: u64,
    },
    MapSize,
    SetMapSize {
        width: u64,
        height: u64,
    },
    Status,
    Commands,
    Run(RunCommand),
    /// Changes the simulated world.
    World(Vec<WorldCommand>),
    /// Changes the structure of the network.
    Edit(Vec<Edit>),
    ResetEdits,
    Edits,
    Subscribe(Subscription),
    Unsubscribe(Option<Topic>),
    Workers,
    Partitions,
}

/// What a client or a file of timed commands asks of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientRequest {
    Run(RunCommand),
    World(Vec<WorldCommand>),
    /// Changes the structure of the network.
    Edit(Vec<Edit>),
    Status,
}

/// Drives the run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunCommand {
    Start {
        paused: bool,
    },
    Stop,
    Pause,
    Resume,
    Step {
        steps: u64,
    },
    /// Simulated seconds a second; `None`: as fast as it can.
    Speed {
        factor: Option<f64>,
    },
    Snapshot,
    Move {
        partition: u16,
        worker: String,
    },
}

/// Parameters of a run; `None`: as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Globals {
    pub begin_ms: Option<i64>,
    pub end_ms: Option<i64>,
    pub step_length_ms: Option<i64>,
    pub seed: Option<u64>,
    pub scale: Option<f64>,
    pub partitions: Option<u32>,
}

/// Which network: a place in the configured folder of scenarios, or a file in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetChoice {
    pub project: Option<String>,
    pub net: Option<String>,
    pub time: Option<String>,
    pub file: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum WorldCommand {
    Close(Place),
    Open(Place),
    LimitSpeed { place: Place, mps: Option<f64> },
    Phase { signal: String, phase: u32, hold_ms: Option<i64> },
    Program { signal: String, program: String },
    Aspects { signal: String, state: String },
    AddVehicle(Box<VehicleWish>),
    RemoveVehicle { vehicle: String },
    Reroute { vehicle: String, edges: Vec<String> },
    LimitVehicle { vehicle: String, mps: Option<f64> },
    Block { lane: String, from_m: Option<f64>, to_m: Option<f64>, duration_ms: i64 },
    Unblock { lane: String },
}

/// A road or one of its lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Edge(String),
    Lane(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct VehicleWish {
    pub id: String,
    pub vtype: Option<String>,
    /// All edges of its way, or its first and last one.
    pub edges: Vec<String>,
    pub depart_ms: Option<i64>,
    pub depart_lane: Option<String>,
    pub depart_pos: Option<String>,
    pub depart_speed: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    Vehicles,
    Edges,
    Signals,
    Partitions,
    Health,
}

impl Topic {
    pub const ALL: [Self; 5] = [Self::Vehicles, Self::Edges, Self::Signals, Self::Partitions, Self::Health];

    pub fn name(self) -> &'static str {
        match self {
            Self::Vehicles => "vehicles",
            Self::Edges => "edges",
            Self::Signals => "signals",
            Self::Partitions => "partitions",
            Self::Health => "health",
        }
    }

    /// It is about the state of the roads, and not about how the run goes.
    pub fn shows_roads(self) -> bool {
        !matches!(self, Self::Partitions | Self::Health)
    }
}

/// A stream of states.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    pub topic: Topic,
    pub rate_hz: f64,
    /// x0, y0, x1, y1 in metres of the network; `None`: everywhere.
    pub area: Option<[f64; 4]>,
    /// Edges or signals; empty: all.
    pub names: Vec<String>,
}

impl Subscription {
    /// Whether both show the same of a state, however often.
    pub fn shows_as(&self, other: &Self) -> bool {
        self.topic == other.topic && self.area == other.area && self.names == other.names
    }
}

impl Command {
    /// Looks a request up in the registry, and reads what it says.
    ///
    /// # Errors
    /// There is no such command; arguments are missing, not known, of the wrong type or out of range.
    pub fn of(request: &Request) -> Result<(&'static Spec, Self), CommandError> {
        let spec = find(request)?;
        Ok((spec, Self::read(spec, request)?))
    }

    /// Reads what a request of this command says.
    ///
    /// # Errors
    /// Arguments are missing, not known, of the wrong type or out of range.
    pub fn read(spec: &'static Spec, request: &Request) -> Result<Self, CommandError> {
        let of_kind = |spec: &'static Spec| match spec.kind {
            Kind::World(read) => Some(read),
            _ => None,
        };
        if of_kind(spec).is_some() {
            return Ok(Self::World(each(spec, request, of_kind)?));
        }
        let of_kind = |spec: &'static Spec| match spec.kind {
            Kind::Edit(read) => Some(read),
            _ => None,
        };
        if of_kind(spec).is_some() {
            return Ok(Self::Edit(each(spec, request, of_kind)?));
        }
        let param = request.only_param()?;
        let arguments = Arguments::new(spec.name, &param);
        let command = match spec.kind {
            Kind::Master(read) => read(&arguments, request.direction)?,
            Kind::World(_) | Kind::Edit(_) => unreachable!("read above"),
        };
        arguments.finish()?;
        Ok(command)
    }
}

/// Reads each object of `param`. Each has an action of its own; all of them count, or none.
fn each<T>(
    spec: &'static Spec,
    request: &Request,
    reader_of: impl Fn(&'static Spec) -> Option<fn(&Arguments) -> Result<T, CommandError>>,
) -> Result<Vec<T>, CommandError> {
    if request.params.is_empty() {
        return Err(CommandError::argument(spec.name, "'param' is missing; it lists the objects to change"));
    }
    let each = request.params.iter().map(|param| {
        let spec = of_param(request, param)?;
        let Some(read) = reader_of(spec) else {
            return Err(CommandError::argument(spec.name, "this command must be the only object in 'param'"));
        };
        let arguments = Arguments::new(spec.name, param);
        let read = read(&arguments)?;
        arguments.finish().map(|()| read)
    });
    each.collect()
}

// Readers of the registry's commands.

pub fn global(a: &Arguments, direction: Direction) -> Result<Command, CommandError> {
    if direction != Direction::Up {
        return Ok(Command::Globals);
    }
    let globals = Globals {
        begin_ms: a.time_ms("begin")?,
        end_ms: a.time_ms("end")?,
        step_length_ms: a.time_ms("stepLength")?,
        seed: a.whole("seed", 0..=u64::MAX)?,
        scale: a.number("scale", 0.0..=1000.0)?,
        partitions: a.whole("partitions", 0..=4096)?.map(|n| n as u32),
    };
    if globals.step_length_ms == Some(0) {
        return Err(a.error("'stepLength' has to be above 0"));
    }
    Ok(Command::SetGlobals(globals))
}

pub fn load_net(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    // There is nothing but files.
    if a.flag("fromFile")? == Some(false) {
        return Err(a.error("'fromFile' has to be true: networks are loaded from the scenario folder"));
    }
    let choice =
        NetChoice { project: a.text("projId")?, net: a.text("netKey")?, time: a.text("time")?, file: a.text("file")? };
    if choice == NetChoice::default() {
        return Err(a.error("name the network by projId and netKey, or by file"));
    }
    Ok(Command::LoadNet(choice))
}

pub fn net(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    let page = a.whole("page", 0..=u64::from(u32::MAX))?.unwrap_or(0);
    Ok(Command::Net { page, size: a.whole("size", PAGE_SIZE)?.unwrap_or(DEFAULT_PAGE_SIZE) })
}

pub fn map_size(a: &Arguments, direction: Direction) -> Result<Command, CommandError> {
    if direction != Direction::Up {
        return Ok(Command::MapSize);
    }
    let side = 1..=1_000_000;
    Ok(Command::SetMapSize { width: a.given_whole("width", side.clone())?, height: a.given_whole("height", side)? })
}

pub fn status(_: &Arguments, _: Direction) -> Result<Command, CommandError> {
    Ok(Command::Status)
}

pub fn commands(_: &Arguments, _: Direction) -> Result<Command, CommandError> {
    Ok(Command::Commands)
}

pub fn reset_edits(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    action(a)?;
    Ok(Command::ResetEdits)
}

pub fn list_edits(_: &Arguments, _: Direction) -> Result<Command, CommandError> {
    Ok(Command::Edits)
}

pub fn workers(_: &Arguments, _: Direction) -> Result<Command, CommandError> {
    Ok(Command::Workers)
}

pub fn partitions(_: &Arguments, _: Direction) -> Result<Command, CommandError> {
    Ok(Command::Partitions)
}

/// Takes the action that the registry has been looked up by.
fn run(a: &Arguments, command: RunCommand) -> Result<Command, CommandError> {
    a.text("action")?;
    Ok(Command::Run(command))
}

pub fn start(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    let paused = a.flag("paused")?.unwrap_or(false);
    run(a, RunCommand::Start { paused })
}

pub fn stop(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    run(a, RunCommand::Stop)
}

pub fn pause(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    run(a, RunCommand::Pause)
}

pub fn resume(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    run(a, RunCommand::Resume)
}

pub fn step(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    let steps = a.whole("steps", 1..=u64::from(u32::MAX))?.unwrap_or(1);
    run(a, RunCommand::Step { steps })
}

pub fn speed(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    let factor = a.given_number("factor", 0.0..=1e6)?;
    run(a, RunCommand::Speed { factor: (factor > 0.0).then_some(factor) })
}

pub fn snapshot(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    run(a, RunCommand::Snapshot)
}

pub fn move_partition(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    let partition = a.given_whole("partition", 0..=u64::from(u16::MAX))? as u16;
    let worker = a.given_text("worker")?;
    run(a, RunCommand::Move { partition, worker })
}

pub fn subscribe(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    let topic = topic(a)?.ok_or_else(|| a.error("argument 'topic' is missing"))?;
    let corner = |key| a.number(key, METRES);
    let area = match (corner("x0")?, corner("y0")?, corner("x1")?, corner("y1")?) {
        (None, None, None, None) => None,
        (Some(x0), Some(y0), Some(x1), Some(y1)) if x0 < x1 && y0 < y1 => Some([x0, y0, x1, y1]),
        _ => return Err(a.error("an area has x0, y0, x1 and y1 with x0 < x1 and y0 < y1")),
    };
    let rate_hz = a.number("rate", RATE_HZ)?.unwrap_or(1.0);
    Ok(Command::Subscribe(Subscription { topic, rate_hz, area, names: a.names("names")? }))
}

pub fn unsubscribe(a: &Arguments, _: Direction) -> Result<Command, CommandError> {
    Ok(Command::Unsubscribe(topic(a)?))
}

fn topic(a: &Arguments) -> Result<Option<Topic>, CommandError> {
    let Some(name) = a.text("topic")? else { return Ok(None) };
    let found = Topic::ALL.into_iter().find(|topic| topic.name() == name);
    let all = Topic::ALL.map(Topic::name).join(", ");
    found.map(Some).ok_or_else(|| a.error(format!("'topic' has to be one of {all}")))
}

fn action(a: &Arguments) -> Result<(), CommandError> {
    a.text("action").map(drop)
}

fn place(a: &Arguments) -> Result<Place, CommandError> {
    match (a.text("edge")?, a.text("lane")?) {
        (Some(edge), None) => Ok(Place::Edge(edge)),
        (None, Some(lane)) => Ok(Place::Lane(lane)),
        _ => Err(a.error("name either an edge or a lane")),
    }
}

pub fn close(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::Close(place(a)?))
}

pub fn open(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::Open(place(a)?))
}

pub fn limit_speed(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::LimitSpeed { place: place(a)?, mps: a.number("speed", SPEED_MPS)? })
}

pub fn phase(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    let phase = a.given_whole("phase", 0..=u64::from(u16::MAX))? as u32;
    Ok(WorldCommand::Phase { signal: a.given_text("signal")?, phase, hold_ms: a.time_ms("duration")? })
}

pub fn program(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::Program { signal: a.given_text("signal")?, program: a.given_text("program")? })
}

pub fn aspects(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::Aspects { signal: a.given_text("signal")?, state: a.given_text("state")? })
}

pub fn add_vehicle(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    let edges = a.names("edges")?;
    if edges.is_empty() {
        return Err(a.error("argument 'edges' is missing; it lists the first and the last edge, or the whole route"));
    }
    Ok(WorldCommand::AddVehicle(Box::new(VehicleWish {
        id: a.given_text("vehicle")?,
        vtype: a.text("type")?,
        edges,
        depart_ms: a.time_ms("depart")?,
        depart_lane: a.text("departLane")?,
        depart_pos: a.text("departPos")?,
        depart_speed: a.text("departSpeed")?,
    })))
}

pub fn remove_vehicle(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::RemoveVehicle { vehicle: a.given_text("vehicle")? })
}

pub fn reroute(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    let edges = a.names("edges")?;
    if edges.is_empty() {
        return Err(
            a.error("argument 'edges' is missing; it lists the remaining route, from the vehicle's current edge")
        );
    }
    Ok(WorldCommand::Reroute { vehicle: a.given_text("vehicle")?, edges })
}

pub fn limit_vehicle(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::LimitVehicle { vehicle: a.given_text("vehicle")?, mps: a.number("speed", SPEED_MPS)? })
}

pub fn block(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    let duration_ms = a.time_ms("duration")?.ok_or_else(|| a.error("argument 'duration' is missing"))?;
    let (from_m, to_m) = (a.number("from", 0.0..=1e6)?, a.number("to", 0.0..=1e6)?);
    Ok(WorldCommand::Block { lane: a.given_text("lane")?, from_m, to_m, duration_ms })
}

pub fn unblock(a: &Arguments) -> Result<WorldCommand, CommandError> {
    action(a)?;
    Ok(WorldCommand::Unblock { lane: a.given_text("lane")? })
}
