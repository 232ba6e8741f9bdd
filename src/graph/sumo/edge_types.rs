//! `<type>`: speed limits that a kind of road has for single vehicle classes.

use std::collections::HashMap;
use std::io::BufRead;

use super::builder::NetworkBuilder;
use super::net::LEAST_SPEED_MPS;
use crate::attributes::Attributes;
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::ClassLimits;
use crate::graph::VehicleClass;
use crate::ids::EdgeId;
use crate::xml::{Element, Node, XmlReader, shorten};

/// Limits by name of the type, and the edges of each type. A type may come before or after its edges.
#[derive(Debug, Default)]
pub(super) struct EdgeTypes {
    limits: HashMap<Box<str>, ClassLimits>,
    edges: HashMap<Box<str>, Vec<EdgeId>>,
}

impl NetworkBuilder {
    /// Reads a `<type>` of a net or an additional file up to its end. Its `restriction`s matter to traffic; what else it says
    /// is input for netconvert, and already part of the edges.
    pub fn read_type<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        let name: Box<str> = attributes.name("id")?.into();
        let mut limits = ClassLimits::default();
        while let Some(Node::Start(child)) = xml.next()? {
            if child.name == "restriction" {
                let attributes = Attributes::new(xml.file(), &child);
                let class = attributes.name("vClass")?;
                let class = VehicleClass::parse(class)
                    .ok_or_else(|| attributes.error(format!("vClass '{}' is not known", shorten(class))))?;
                let speed_mps = attributes.required_amount("speed")?.max(LEAST_SPEED_MPS);
                limits.mps.retain(|(limited, _)| *limited != class);
                limits.mps.push((class, speed_mps));
            } else {
                check_left_out(&child, "type", xml.at(&child), warnings);
            }
            xml.skip()?;
        }
        if !limits.mps.is_empty() {
            self.edge_types.limits.insert(name, limits);
        }
        Ok(())
    }

    /// Says of which type an edge is.
    pub(super) fn note_type(&mut self, edge: EdgeId, name: &str) {
        match self.edge_types.edges.get_mut(name) {
            Some(edges) => edges.push(edge),
            None => {
                self.edge_types.edges.insert(name.into(), vec![edge]);
            }
        }
    }

    /// Gives the lanes of each type with limits their place in the list of limits, which is returned in the order of the types'
    /// names.
    pub(super) fn limit_classes(&mut self) -> Result<Vec<ClassLimits>, InputError> {
        let EdgeTypes { limits, edges } = std::mem::take(&mut self.edge_types);
        let mut limits: Vec<_> = limits.into_iter().filter(|(name, _)| edges.contains_key(name)).collect();
        limits.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut list = Vec::with_capacity(limits.len());
        for (name, limits) in limits {
            list.push(limits);
            let Ok(place) = u16::try_from(list.len()) else {
                return Err(InputError::file("", "more than 65535 edge types with speed limits of classes"));
            };
            for edge in &edges[&name] {
                for lane in self.edges[edge.index()].lanes() {
                    self.lanes[lane.index()].class_limits = place;
                }
            }
        }
        Ok(list)
    }
}
