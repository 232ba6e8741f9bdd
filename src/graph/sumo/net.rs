//! `.net.xml`: the document, its edges and lanes.

use std::io::BufRead;

use super::builder::NetworkBuilder;
use super::permissions::{change_permissions, lane_permissions};
use crate::attributes::{Attributes, MAX_AMOUNT, parse_number};
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::{Edge, EdgeKind, Lane, Location, Span};
use crate::ids::{EdgeId, LaneId};
use crate::xml::{Element, Node, XmlReader, shorten};

/// Speed that stands in for a limit of 0, which would make travel times infinite.
pub(super) const LEAST_SPEED_MPS: f64 = 0.1;
/// Points of a lane inside a junction; of more only every n-th is kept.
const MAX_INTERNAL_POINTS: usize = 200;

impl NetworkBuilder {
    /// Reads a `.net.xml` document.
    ///
    /// # Errors
    /// The document is broken, a value is missing or out of range, an id is used twice, or something is named that the
    /// net does not define before.
    pub fn read_net<R: BufRead>(&mut self, xml: &mut XmlReader<R>, warnings: &mut Warnings) -> Result<(), InputError> {
        if self.net_read {
            return Err(InputError::file(xml.file(), "a network was read already; only one net file can be given"));
        }
        self.net_read = true;
        match xml.next()? {
            Some(Node::Start(root)) if root.name == "net" => self.read_root(xml, &root, warnings)?,
            Some(Node::Start(root)) => {
                return Err(xml.error(&root, "is not the root of a network; <net> was expected"));
            }
            _ => return Err(InputError::file(xml.file(), "holds no network")),
        }
        while let Some(node) = xml.next()? {
            let Node::Start(element) = node else { continue };
            match element.name.as_str() {
                "edge" => self.read_edge(xml, &element, warnings)?,
                "junction" => self.read_junction(xml, &element, warnings)?,
                "connection" => self.read_connection(xml, &element, warnings)?,
                "tlLogic" => self.read_tl_logic(xml, &element, warnings)?,
                "roundabout" => self.read_roundabout(xml, &element)?,
                "location" => self.read_location(xml, &element)?,
                "type" => self.read_type(xml, &element, warnings)?,
                _ => {
                    check_left_out(&element, "net", xml.at(&element), warnings);
                    xml.skip()?;
                }
            }
        }
        Ok(())
    }

    fn read_root<R: BufRead>(
        &mut self,
        xml: &XmlReader<R>,
        root: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(Attributes::new(xml.file(), root), warnings);
        self.lefthand = Attributes::new(xml.file(), root).boolean("lefthand")?.unwrap_or(false);
        Ok(())
    }

    fn read_location<R: BufRead>(&mut self, xml: &mut XmlReader<R>, element: &Element) -> Result<(), InputError> {
        let attributes = Attributes::new(xml.file(), element);
        self.location = Location {
            net_offset: numbers(attributes, "netOffset")?,
            boundary: numbers(attributes, "convBoundary")?,
            projection: attributes.text("projParameter").unwrap_or("!").into(),
        };
        xml.skip()
    }

    fn read_roundabout<R: BufRead>(&mut self, xml: &mut XmlReader<R>, element: &Element) -> Result<(), InputError> {
        for name in element.get("edges").unwrap_or_default().split_ascii_whitespace() {
            match self.edge_ids.get(name) {
                Some(edge) => self.edges[edge.index()].roundabout = true,
                None => return Err(xml.error(element, format!("names the unknown edge '{}'", shorten(name)))),
            }
        }
        xml.skip()
    }

    fn read_edge<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let place = self.place(xml, element);
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        let name = attributes.name("id")?;
        let kind = match attributes.text("function") {
            None | Some("normal" | "connector" | "") => EdgeKind::Normal,
            Some("internal") => EdgeKind::Internal,
            Some("crossing" | "walkingarea") => EdgeKind::Pedestrian,
            Some(other) => return Err(attributes.error(format!("function '{}' is not known", shorten(other)))),
        };
        let (from, to) = if kind == EdgeKind::Normal {
            (attributes.name("from")?, attributes.name("to")?)
        } else {
            let junction = junction_of_internal_edge(name)
                .ok_or_else(|| attributes.error("the id of an edge inside a junction must be ':JUNCTION_INDEX'"))?;
            (junction, junction)
        };
        if attributes.text("bidi").is_some() {
            warnings.add("bidi edges are not simulated", xml.at(element), "both directions are roads of their own");
        }
        let edge = Edge {
            name: name.into(),
            kind,
            first_lane: LaneId::new(self.lanes.len()),
            lane_count: 0,
            from: self.junction_named(from, place),
            to: self.junction_named(to, place),
            priority: attributes.integer("priority")?.unwrap_or(-1),
            length_m: 0.0,
            roundabout: false,
        };
        let type_name = element.get("type").filter(|name| !name.is_empty());
        let edge = self.read_lanes(xml, element, edge, warnings)?;
        if let Some(name) = type_name {
            self.note_type(EdgeId::new(self.edges.len()), name);
        }
        self.add_edge(edge, place)
    }

    fn read_lanes<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        mut edge: Edge,
        warnings: &mut Warnings,
    ) -> Result<Edge, InputError> {
        while let Some(Node::Start(child)) = xml.next()? {
            match child.name.as_str() {
                "lane" => {
                    let lane = self.read_lane(xml, &child, &edge, warnings)?;
                    edge.length_m = edge.length_m.max(lane.length_m);
                    edge.lane_count += 1;
                    self.lanes.push(lane);
                }
                _ => ignore_child(xml, &child, "edge", warnings)?,
            }
        }
        match edge.lane_count {
            0 => Err(xml.error(element, "has no lanes")),
            _ => Ok(edge),
        }
    }

    fn read_lane<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        edge: &Edge,
        warnings: &mut Warnings,
    ) -> Result<Lane, InputError> {
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        let name = attributes.name("id")?;
        let index = edge.lane_count;
        let stated: u32 = attributes.required_integer("index")?;
        // netconvert writes index 0 for all lanes behind an internal junction; their ids count right.
        if stated != index && !edge.is_internal() {
            return Err(attributes.error(format!("has index {stated} where {index} must follow; lanes count from 0")));
        }
        if super::index::split_lane_name(name) != Some((&edge.name, index)) {
            return Err(attributes.error(format!("must have the id '{}_{index}'", shorten(&edge.name))));
        }
        let mut length_m = attributes.required_amount("length")?;
        if length_m < Lane::LEAST_LENGTH_M {
            let message = format!("taken as {} m long", Lane::LEAST_LENGTH_M);
            warnings.add("lane without length", xml.at(element), message);
            length_m = Lane::LEAST_LENGTH_M;
        }
        let mut speed_mps = attributes.required_amount("speed")?;
        if speed_mps < LEAST_SPEED_MPS {
            let message = format!("taken as {LEAST_SPEED_MPS} m/s");
            warnings.add("lane with a speed limit of 0", xml.at(element), message);
            speed_mps = LEAST_SPEED_MPS;
        }
        let width_m = attributes.amount("width")?.filter(|&width| width > 0.0).unwrap_or(Lane::DEFAULT_WIDTH_M);
        let shape = self.read_shape(attributes, edge.is_internal())?;
        // The edge is entered after its lanes.
        let edge_id = EdgeId::new(self.edges.len());
        let lane = Lane {
            index,
            width_m,
            allowed: lane_permissions(xml, element, warnings)?,
            change_left: change_permissions(xml, element, "changeLeft", warnings)?,
            change_right: change_permissions(xml, element, "changeRight", warnings)?,
            internal: edge.is_internal(),
            shape,
            ..Lane::new(edge_id, length_m, speed_mps)
        };
        while let Some(Node::Start(child)) = xml.next()? {
            ignore_child(xml, &child, "lane", warnings)?;
        }
        Ok(lane)
    }

    fn read_shape(&mut self, attributes: Attributes<'_>, internal: bool) -> Result<Span, InputError> {
        let start = self.points.len();
        let text = attributes.required("shape")?;
        for point in text.split_ascii_whitespace() {
            // A third coordinate is the height, which does not matter to traffic here.
            let coordinates = point.split(',').map(parse_number);
            let mut coordinates = coordinates.map(|value| value.filter(|value| value.abs() <= MAX_AMOUNT));
            match (coordinates.next().flatten(), coordinates.next().flatten()) {
                (Some(x), Some(y)) => self.points.push([x, y]),
                _ => {
                    return Err(
                        attributes.error(format!("shape holds '{}', which is not 'x,y' in range", shorten(point)))
                    );
                }
            }
        }
        let read = self.points.len() - start;
        if internal && read > MAX_INTERNAL_POINTS {
            // Lanes in junctions are compared pair by pair, which takes the product of their points.
            let last = self.points[start + read - 1];
            let kept: Vec<_> =
                self.points[start..].iter().copied().step_by(read.div_ceil(MAX_INTERNAL_POINTS)).collect();
            self.points.truncate(start);
            self.points.extend(kept);
            self.points.push(last);
        }
        let count = self.points.len() - start;
        if count < 2 {
            return Err(attributes.error("shape needs two points or more"));
        }
        if self.points.len() > u32::MAX as usize {
            return Err(attributes.error("the network has too many points"));
        }
        Ok(Span::new(start, count))
    }
}

/// The junction that an edge `:JUNCTION_INDEX` belongs to.
fn junction_of_internal_edge(name: &str) -> Option<&str> {
    let (junction, _) = name.strip_prefix(':')?.rsplit_once('_')?;
    (!junction.is_empty()).then_some(junction)
}

fn ignore_child<R: BufRead>(
    xml: &mut XmlReader<R>,
    child: &Element,
    parent: &str,
    warnings: &mut Warnings,
) -> Result<(), InputError> {
    check_left_out(child, parent, xml.at(child), warnings);
    xml.skip()
}

/// `N` finite numbers separated by commas; zeros when the attribute is absent.
fn numbers<const N: usize>(attributes: Attributes<'_>, key: &str) -> Result<[f64; N], InputError> {
    let mut out = [0.0; N];
    let Some(text) = attributes.text(key) else { return Ok(out) };
    let mut fields = text.split(',');
    for slot in &mut out {
        *slot = fields
            .next()
            .and_then(parse_number)
            .ok_or_else(|| attributes.error(format!("{key} must be {N} numbers separated by commas")))?;
    }
    Ok(out)
}
