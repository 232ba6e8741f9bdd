//! Reads edits of the network out of messages.

use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::command::Command;
use super::error::CommandError;
use super::lines::lines;
use super::message::{Request, read};
use super::registry::Kind;
use crate::demand::VehicleClass;
use crate::diagnostics::{InputError, Location};
use crate::graph::edit::{Edit, LaneLook, NewConnection, NewEdge, NewJunction, NewPhase, NewProgram};
use crate::graph::{JunctionKind, Permissions, ProgramKind, Turn};

/// Metres of the network's coordinates.
const METRES: std::ops::RangeInclusive<f64> = -1e7..=1e7;
const MAX_LANE: u64 = 63;

/// The lines of a file of edits, each a message with `"type2": "edit"`, and where they stand.
///
/// # Errors
/// A line is no such message.
pub fn edits_of_lines(file: &str, text: &str) -> Result<Vec<(Location, Vec<Edit>)>, InputError> {
    let read = lines(file, text).map(|(at, line)| match edits_of_line(line) {
        Ok(edits) => Ok((at, edits)),
        Err(message) => Err(InputError::new(at, message)),
    });
    read.collect()
}

fn edits_of_line(line: &str) -> Result<Vec<Edit>, String> {
    let request: Request = read(line).1.map_err(|error| error.to_string())?;
    let (spec, command) = Command::of(&request).map_err(|error| error.to_string())?;
    match (spec.kind, command) {
        (Kind::Edit(_), Command::Edit(edits)) => Ok(edits),
        _ => Err(format!("'{}' is not an edit of the network", spec.name)),
    }
}

// Readers of the registry's commands.

fn action(a: &Arguments) -> Result<(), CommandError> {
    a.text("action").map(drop)
}

pub fn add_junction(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    let kind = match a.text("type")?.as_deref() {
        None | Some("priority") => JunctionKind::Priority,
        Some("right_before_left") => JunctionKind::RightBeforeLeft,
        Some("allway_stop") => JunctionKind::AllwayStop,
        Some("zipper") => JunctionKind::Zipper,
        Some("unregulated") => JunctionKind::Unregulated,
        Some(_) => {
            let kinds = "priority, right_before_left, allway_stop, zipper or unregulated";
            return Err(a.error(format!("'type' has to be {kinds}")));
        }
    };
    let (x, y) = (a.given_number("x", METRES)?, a.given_number("y", METRES)?);
    Ok(Edit::AddJunction(NewJunction { id: a.given_text("id")?, x, y, kind }))
}

pub fn add_edge(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    let plain = NewEdge::new(a.given_text("id")?, a.given_text("from")?, a.given_text("to")?);
    Ok(Edit::AddEdge(Box::new(NewEdge {
        lanes: a.whole("lanes", 1..=MAX_LANE + 1)?.map_or(plain.lanes, |lanes| lanes as u32),
        priority: priority(a)?.unwrap_or(plain.priority),
        length_m: a.number("length", 0.1..=1e7)?,
        shape: shape(a)?,
        look: look(a)?,
        connect: a.flag("connect")?.unwrap_or(plain.connect),
        ..plain
    })))
}

pub fn remove_edge(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    Ok(Edit::RemoveEdge { edge: a.given_text("edge")? })
}

pub fn change_edge(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    let lanes = a.whole("lanes", 1..=MAX_LANE + 1)?.map(|lanes| lanes as u32);
    Ok(Edit::ChangeEdge { edge: a.given_text("edge")?, priority: priority(a)?, lanes, look: look(a)? })
}

pub fn add_lane(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    let (index, connect) = (lane_index(a, "index")?, a.flag("connect")?.unwrap_or(true));
    Ok(Edit::AddLane { edge: a.given_text("edge")?, index, look: look(a)?, connect })
}

pub fn remove_lane(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    Ok(Edit::RemoveLane { lane: a.given_text("lane")? })
}

pub fn change_lane(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    Ok(Edit::ChangeLane { lane: a.given_text("lane")?, look: look(a)? })
}

pub fn add_connection(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    let turn = match a.text("dir")?.as_deref() {
        None => None,
        Some("s") => Some(Turn::Straight),
        Some("l") => Some(Turn::Left),
        Some("r") => Some(Turn::Right),
        Some("L") => Some(Turn::PartLeft),
        Some("R") => Some(Turn::PartRight),
        Some("t") => Some(Turn::Turnaround),
        Some(_) => return Err(a.error("'dir' has to be one of s l r L R t")),
    };
    let signal = match (a.text("signal")?, a.whole("index", 0..=4095)?) {
        (Some(signal), Some(index)) => Some((signal, index as u32)),
        (None, None) => None,
        _ => return Err(a.error("'signal' and 'index' go together")),
    };
    Ok(Edit::AddConnection(Box::new(NewConnection {
        from: a.given_text("from")?,
        to: a.given_text("to")?,
        from_lane: lane_index(a, "fromLane")?,
        to_lane: lane_index(a, "toLane")?,
        turn,
        signal,
    })))
}

pub fn remove_connection(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    let (from_lane, to_lane) = (lane_index(a, "fromLane")?, lane_index(a, "toLane")?);
    Ok(Edit::RemoveConnection { from: a.given_text("from")?, to: a.given_text("to")?, from_lane, to_lane })
}

pub fn set_program(a: &Arguments) -> Result<Edit, CommandError> {
    action(a)?;
    let kind = match a.text("type")?.as_deref() {
        None | Some("static") => ProgramKind::Static,
        Some("actuated") => ProgramKind::Actuated,
        Some(_) => return Err(a.error("'type' has to be static or actuated")),
    };
    let phases = a.objects("phases")?.into_iter().map(|phase| read_phase(&phase));
    Ok(Edit::SetProgram(Box::new(NewProgram {
        signal: a.given_text("signal")?,
        program: a.text("program")?.unwrap_or_else(|| "edited".to_owned()),
        kind,
        offset_ms: a.time_ms("offset")?.unwrap_or(0),
        phases: phases.collect::<Result<_, _>>()?,
    })))
}

fn read_phase(phase: &Map<String, Value>) -> Result<NewPhase, CommandError> {
    let a = Arguments::new("edit setProgram, a phase", phase);
    let duration_ms = a.time_ms("duration")?.ok_or_else(|| a.error("argument 'duration' is missing"))?;
    let (min_duration_ms, max_duration_ms) = (a.time_ms("minDur")?, a.time_ms("maxDur")?);
    let state = a.long_text("state")?.ok_or_else(|| a.error("argument 'state' is missing"))?;
    a.finish()?;
    Ok(NewPhase { duration_ms, min_duration_ms, max_duration_ms, state })
}

fn lane_index(a: &Arguments, key: &'static str) -> Result<Option<u32>, CommandError> {
    Ok(a.whole(key, 0..=MAX_LANE)?.map(|index| index as u32))
}

fn priority(a: &Arguments) -> Result<Option<i32>, CommandError> {
    let priority = a.number("priority", -1e6..=1e6)?;
    match priority {
        Some(priority) if priority.fract() != 0.0 => Err(a.error("'priority' has to be a whole number")),
        priority => Ok(priority.map(|priority| priority as i32)),
    }
}

fn look(a: &Arguments) -> Result<LaneLook, CommandError> {
    let classes = |key: &'static str| -> Result<Option<u64>, CommandError> {
        let names = a.names(key)?;
        let bits = names.iter().map(|name| match &**name {
            "all" => Ok(Permissions::ALL.0),
            "none" => Ok(0),
            name => VehicleClass::parse(name)
                .map(VehicleClass::bit)
                .ok_or_else(|| a.error(format!("'{key}' names an unknown vehicle class '{name}'"))),
        });
        let set = bits.collect::<Result<Vec<u64>, _>>()?.into_iter().fold(0, |set, bit| set | bit);
        Ok((!names.is_empty()).then_some(set))
    };
    let allowed = match (classes("allow")?, classes("disallow")?) {
        (None, None) => None,
        (Some(allowed), None) => Some(Permissions(allowed)),
        (None, Some(refused)) => Some(Permissions(!refused)),
        _ => return Err(a.error("'allow' and 'disallow' exclude each other; give one of them")),
    };
    Ok(LaneLook { speed_mps: a.number("speed", 0.1..=100.0)?, width_m: a.number("width", 0.5..=20.0)?, allowed })
}

/// As in SUMO's files: `"x,y x,y …"`.
fn shape(a: &Arguments) -> Result<Option<Vec<[f64; 2]>>, CommandError> {
    let Some(text) = a.long_text("shape")? else { return Ok(None) };
    let points = text.split_ascii_whitespace().map(|point| {
        let (x, y) = point.split_once(',')?;
        Some([x.parse().ok()?, y.parse().ok()?])
    });
    let points: Option<Vec<[f64; 2]>> = points.collect();
    points.map(Some).ok_or_else(|| a.error("'shape' has to be points 'x,y x,y …' in metres"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(params: &str) -> Result<Vec<Edit>, String> {
        edits_of_line(&format!(r#"{{"type1":"up","type2":"edit","param":[{params}]}}"#))
    }

    #[test]
    fn the_simplest_message_adds_an_edge() {
        let read =
            edits(r#"{"action":"addEdge","id":"new","from":"A","to":"B","lanes":"2","speed":"13.9"}"#).expect("good");
        let [Edit::AddEdge(edge)] = &read[..] else { panic!("{read:?}") };
        assert_eq!((&*edge.id, edge.lanes, edge.look.speed_mps, edge.connect), ("new", 2, Some(13.9), true));
    }

    #[test]
    fn several_edits_go_together_and_numbers_may_be_texts() {
        let read = edits(
            r#"{"action":"addJunction","id":"X","x":"10","y":5.5},
            {"action":"changeLane","lane":"e_0","disallow":"truck,bus"},
            {"action":"addConnection","from":"a","to":"b","fromLane":"0","dir":"l","signal":"S","index":"3"},
            {"action":"setProgram","signal":"S","phases":[{"duration":"30","state":"Gr"},{"duration":4,"state":"yr"}]}"#,
        )
        .expect("good");
        assert_eq!(read.len(), 4);
        let Edit::SetProgram(program) = &read[3] else { panic!("{read:?}") };
        assert_eq!((program.phases.len(), program.phases[1].duration_ms), (2, 4000));
        let Edit::ChangeLane { look, .. } = &read[1] else { panic!("{read:?}") };
        let allowed = look.allowed.expect("somebody");
        assert!(!allowed.allows(VehicleClass::Truck) && allowed.allows(VehicleClass::Passenger));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |params: &str, expected: &str| {
            let error = edits(params).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"action":"addEdge","id":"new","from":"A"}"#, "argument 'to' is missing");
        check(r#"{"action":"addEdge","id":"new","from":"A","to":"B","colour":"red"}"#, "unknown argument 'colour'");
        check(r#"{"action":"addEdge","id":"new","from":"A","to":"B","lanes":"many"}"#, "'lanes'");
        check(r#"{"action":"addEdge","id":"new","from":"A","to":"B","shape":"1 2"}"#, "'shape'");
        check(r#"{"action":"changeLane","lane":"e_0","allow":"bus","disallow":"car"}"#, "unknown vehicle class 'car'");
        check(r#"{"action":"changeLane","lane":"e_0","allow":"bus","disallow":"taxi"}"#, "exclude each other");
        check(r#"{"action":"setProgram","signal":"S","phases":[{"state":"Gr"}]}"#, "'duration' is missing");
        check(r#"{"action":"paint","edge":"E"}"#, "'edit' takes");
        let error = edits_of_lines("f", "\n{\"type1\":\"down\",\"type2\":\"status\"}").expect_err("no edit");
        assert_eq!(error.to_string(), "f:2: 'status' is not an edit of the network");
    }
}
