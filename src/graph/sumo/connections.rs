//! `<connection>`: which lane leads to which.

use std::io::BufRead;

use super::builder::NetworkBuilder;
use super::draft::{Connection, Place};
use crate::attributes::Attributes;
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::{EdgeKind, RightOfWay, Turn};
use crate::ids::{LaneId, SignalId};
use crate::xml::{Element, Node, XmlReader, shorten};

/// From how far before the stop line a driver sees the foes (manual: 4.5 m; 100 m where lanes merge like a zipper).
const VISIBILITY_M: f64 = 4.5;
const ZIPPER_VISIBILITY_M: f64 = 100.0;

impl NetworkBuilder {
    pub(super) fn read_connection<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let place = self.place(xml, element);
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        let from = self.connected_lane(attributes, "from", "fromLane")?;
        let to = self.connected_lane(attributes, "to", "toLane")?;
        if self.is_pedestrian(from) || self.is_pedestrian(to) {
            return xml.skip();
        }
        let via = self.via_lane(attributes)?;
        if via.is_none() && (attributes.text("allow").is_some() || attributes.text("disallow").is_some()) {
            let message = "only the permissions of the lanes count";
            warnings.add("permissions of a connection without internal lane", xml.at(element), message);
        }
        let (signal, signal_index) = self.controlled_by(attributes, place)?;
        let right_of_way = right_of_way(attributes)?;
        let default_visibility_m = match right_of_way {
            RightOfWay::Zipper => ZIPPER_VISIBILITY_M,
            _ => VISIBILITY_M,
        };
        let connection = Connection {
            from,
            to,
            via,
            signal,
            signal_index,
            turn: turn(attributes)?,
            right_of_way,
            keep_clear: attributes.boolean("keepClear")?.unwrap_or(true),
            visibility_m: attributes.amount("visibility")?.unwrap_or(default_visibility_m),
            place,
        };
        self.connections.push(connection);
        while let Some(Node::Start(child)) = xml.next()? {
            check_left_out(&child, "connection", xml.at(&child), warnings);
            xml.skip()?;
        }
        Ok(())
    }

    fn connected_lane(&self, attributes: Attributes<'_>, edge_key: &str, lane_key: &str) -> Result<LaneId, InputError> {
        let name = attributes.name(edge_key)?;
        let Some(edge) = self.edge_ids.get(name).map(|id| &self.edges[id.index()]) else {
            return Err(attributes.error(format!("{edge_key} names the unknown edge '{}'", shorten(name))));
        };
        let index: u32 = attributes.required_integer(lane_key)?;
        if index >= edge.lane_count {
            let count = edge.lane_count;
            return Err(
                attributes.error(format!("{lane_key} is {index}, but edge '{}' has {count} lanes", shorten(name)))
            );
        }
        Ok(LaneId(edge.first_lane.0 + index))
    }

    fn via_lane(&self, attributes: Attributes<'_>) -> Result<LaneId, InputError> {
        let Some(name) = attributes.text("via").filter(|name| !name.is_empty()) else { return Ok(LaneId::NONE) };
        match self.lane_named(name) {
            Some(lane) if self.lanes[lane.index()].internal => Ok(lane),
            Some(_) => Err(attributes.error(format!("via '{}' is not a lane inside a junction", shorten(name)))),
            None => Err(attributes.error(format!("via names the unknown lane '{}'", shorten(name)))),
        }
    }

    fn is_pedestrian(&self, lane: LaneId) -> bool {
        self.edges[self.lanes[lane.index()].edge.index()].kind == EdgeKind::Pedestrian
    }

    fn controlled_by(&mut self, attributes: Attributes<'_>, place: Place) -> Result<(SignalId, u32), InputError> {
        // Far beyond any real signal; the bound keeps tables by index small.
        const MAX_LINK_INDEX: u32 = 4095;
        let Some(name) = attributes.text("tl").filter(|name| !name.is_empty()) else {
            return Ok((SignalId::NONE, u32::MAX));
        };
        let index: i64 = attributes.required_integer("linkIndex")?;
        // netconvert writes −1 on the tracks of a level crossing: the signal shows them nothing.
        if index < 0 {
            return Ok((SignalId::NONE, u32::MAX));
        }
        let Ok(index @ 0..=MAX_LINK_INDEX) = u32::try_from(index) else {
            return Err(attributes.error(format!("linkIndex {index} is beyond {MAX_LINK_INDEX}")));
        };
        Ok((self.signal_named(name, place), index))
    }
}

fn turn(attributes: Attributes<'_>) -> Result<Turn, InputError> {
    Ok(match attributes.text("dir").unwrap_or("invalid") {
        "s" => Turn::Straight,
        "t" | "T" => Turn::Turnaround,
        "l" => Turn::Left,
        "r" => Turn::Right,
        "L" => Turn::PartLeft,
        "R" => Turn::PartRight,
        "invalid" | "" => Turn::NoDir,
        other => return Err(attributes.error(format!("dir '{}' is not one of s t T l r L R", shorten(other)))),
    })
}

fn right_of_way(attributes: Attributes<'_>) -> Result<RightOfWay, InputError> {
    Ok(match attributes.required("state")? {
        // The letters of signals are what the link shows at first; its signal decides.
        "M" | "O" | "G" | "Y" => RightOfWay::Major,
        "m" | "g" | "y" | "r" | "u" => RightOfWay::Minor,
        "=" => RightOfWay::Equal,
        "s" => RightOfWay::Stop,
        "w" => RightOfWay::AllwayStop,
        "Z" => RightOfWay::Zipper,
        "o" => RightOfWay::OffBlinking,
        "-" => RightOfWay::DeadEnd,
        other => return Err(attributes.error(format!("state '{}' is not known", shorten(other)))),
    })
}
