//! `<junction>` with its right-of-way matrix.

use std::io::BufRead;

use super::builder::NetworkBuilder;
use super::draft::{InternalJunction, Request};
use crate::attributes::Attributes;
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::JunctionKind;
use crate::ids::LaneId;
use crate::xml::{Element, Node, XmlReader, shorten};

impl NetworkBuilder {
    pub(super) fn read_junction<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let place = self.place(xml, element);
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        let name = attributes.name("id")?;
        let kind_name = attributes.required("type")?;
        let incoming = self.lane_list(attributes, "incLanes")?;
        // A node of a road may be called internal; SUMO takes it as one without right of way.
        let is_node = self.junction_ids.contains_key(name);
        let is_internal = kind_name == "internal";
        if is_internal && !is_node {
            if let Some((&lane, foe_lanes)) = incoming.split_first() {
                self.internal_junctions.push(InternalJunction { lane, foe_lanes: foe_lanes.into() });
            }
            return xml.skip();
        }
        let x = attributes.number("x")?.ok_or_else(|| attributes.error("attribute 'x' is missing"))?;
        let y = attributes.number("y")?.ok_or_else(|| attributes.error("attribute 'y' is missing"))?;
        let kind = self.junction_kind(xml, element, kind_name, warnings);
        let id = self.junction_named(name, place);
        let draft = &mut self.junctions[id.index()];
        if draft.defined {
            return Err(xml.error(element, draft.place.is_taken()));
        }
        draft.defined = true;
        draft.place = place;
        draft.rail = kind_name == "rail_signal" || kind_name == "rail_crossing";
        draft.junction.kind = kind;
        draft.junction.x = x;
        draft.junction.y = y;
        draft.incoming = incoming.into();
        let requests = read_requests(xml, warnings)?;
        if !is_internal {
            self.junctions[id.index()].requests = requests;
        }
        Ok(())
    }

    fn junction_kind<R: BufRead>(
        &self,
        xml: &XmlReader<R>,
        element: &Element,
        name: &str,
        warnings: &mut Warnings,
    ) -> JunctionKind {
        match name {
            "priority" | "priority_stop" => JunctionKind::Priority,
            "right_before_left" | "left_before_right" => JunctionKind::RightBeforeLeft,
            "traffic_light" | "traffic_light_unregulated" => JunctionKind::TrafficLight,
            "traffic_light_right_on_red" => JunctionKind::TrafficLightRightOnRed,
            "allway_stop" => JunctionKind::AllwayStop,
            "zipper" => JunctionKind::Zipper,
            "unregulated" => JunctionKind::Unregulated,
            "dead_end" => JunctionKind::DeadEnd,
            "rail_crossing" => {
                let message = "trains are not simulated; the road is never closed";
                warnings.add("rail crossings are not simulated", xml.at(element), message);
                JunctionKind::RailCrossing
            }
            "rail_signal" => {
                let message = "trains are not simulated; the signal is off";
                warnings.add("rail signals are not simulated", xml.at(element), message);
                JunctionKind::Other
            }
            "internal" => {
                warnings.add("node of type 'internal'", xml.at(element), "nobody has to give way there");
                JunctionKind::Unregulated
            }
            other => {
                let message = "right of way is taken from its requests";
                warnings.add(format!("junction type '{}' is not known", shorten(other)), xml.at(element), message);
                JunctionKind::Other
            }
        }
    }

    /// The lanes of an attribute; absent and empty mean none.
    fn lane_list(&self, attributes: Attributes<'_>, key: &str) -> Result<Vec<LaneId>, InputError> {
        let names = attributes.text(key).unwrap_or_default().split_ascii_whitespace();
        names
            .map(|name| {
                let unknown = || attributes.error(format!("{key} names the unknown lane '{}'", shorten(name)));
                self.lane_named(name).ok_or_else(unknown)
            })
            .collect()
    }
}

/// The `<request>` children of a junction. They must be in order and each be as wide as there are requests.
fn read_requests<R: BufRead>(xml: &mut XmlReader<R>, warnings: &mut Warnings) -> Result<Vec<Request>, InputError> {
    let mut requests = Vec::new();
    // Widths can only be checked when the number of requests is known.
    let mut seen: Vec<(Element, [usize; 2])> = Vec::new();
    while let Some(Node::Start(child)) = xml.next()? {
        match child.name.as_str() {
            "request" => {
                let attributes = Attributes::new(xml.file(), &child);
                let index: usize = attributes.required_integer("index")?;
                if index != requests.len() {
                    let expected = requests.len();
                    return Err(attributes.error(format!("has index {index} where {expected} must follow")));
                }
                let [response, foes] = [bits(attributes, "response")?, bits(attributes, "foes")?];
                let cont = attributes.boolean("cont")?.unwrap_or(false);
                requests.push(Request::new(response, foes, cont));
                let widths = [response.len(), foes.len()];
                xml.skip()?;
                seen.push((child, widths));
            }
            _ => {
                check_left_out(&child, "junction", xml.at(&child), warnings);
                xml.skip()?;
            }
        }
    }
    for (element, widths) in &seen {
        if let Some(width) = widths.iter().find(|&&width| width != requests.len()) {
            let count = requests.len();
            return Err(xml.error(element, format!("has {width} bits, but the junction has {count} requests")));
        }
    }
    Ok(requests)
}

fn bits<'a>(attributes: Attributes<'a>, key: &str) -> Result<&'a str, InputError> {
    let bits = attributes.required(key)?;
    match bits.bytes().all(|bit| bit == b'0' || bit == b'1') {
        true => Ok(bits),
        false => Err(attributes.error(format!("{key}=\"{}\" is not a row of 0 and 1", shorten(bits)))),
    }
}
