//! Districts (`taz`) as origins and destinations of trips: each stands for the edges where a trip may begin or end.

use std::collections::HashMap;
use std::io::BufRead;
use std::rc::Rc;

use crate::attributes::Attributes;
use crate::coverage::check_attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::graph::sumo::NetworkIndex;
use crate::graph::{EdgeKind, Network};
use crate::ids::EdgeId;
use crate::xml::{Element, Node, XmlReader, shorten};

use super::builder::skip_unknown;

/// Edges of a district or around a junction.
#[derive(Clone, Debug, Default)]
pub(super) struct Zone {
    pub sources: Rc<[EdgeId]>,
    pub sinks: Rc<[EdgeId]>,
}

#[derive(Debug, Default)]
pub(super) struct Zones {
    by_name: HashMap<Box<str>, Zone>,
    /// By junction, made when it is needed for the first time.
    junctions: Vec<Zone>,
}

impl Zones {
    /// Reads a `taz` up to its end. The weights of its edges matter to the tools that make trips, and to no simulation: as in SUMO
    /// a vehicle takes the edges between which it travels fastest.
    pub fn read<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(Attributes::new(reader.file(), element), warnings);
        let mut edges: [Vec<EdgeId>; 2] = Default::default();
        let mut add = |attributes: Attributes<'_>, ends: &[usize], name: &str, warnings: &mut Warnings| {
            match index.edge(name) {
                Some(edge) => ends.iter().for_each(|end| edges[*end].push(edge)),
                None => {
                    let message = format!("edge '{}' is left out", shorten(name));
                    warnings.add("a taz names an edge that is not in the network", attributes.at(), message);
                }
            };
        };
        let attributes = Attributes::new(reader.file(), element);
        let name: Box<str> = attributes.id()?.into();
        for edge in attributes.text("edges").unwrap_or_default().split_whitespace() {
            add(attributes, &[0, 1], edge, warnings);
        }
        while let Some(Node::Start(child)) = reader.next()? {
            let end = match child.name.as_str() {
                "tazSource" => 0,
                "tazSink" => 1,
                _ => {
                    skip_unknown(reader, &child, "taz", warnings)?;
                    continue;
                }
            };
            let attributes = Attributes::new(reader.file(), &child);
            add(attributes, &[end], attributes.id()?.trim(), warnings);
            reader.skip()?;
        }
        let [sources, sinks] = edges;
        self.by_name.insert(name, Zone { sources: sources.into(), sinks: sinks.into() });
        Ok(())
    }

    pub fn district(&self, name: &str) -> Option<&Zone> {
        self.by_name.get(name)
    }

    /// What leads out of a junction and into it (`junction-taz`).
    pub fn junction(&mut self, network: &Network, index: &NetworkIndex, name: &str) -> Option<&Zone> {
        if self.junctions.is_empty() {
            let mut ends: Vec<[Vec<EdgeId>; 2]> = vec![Default::default(); network.junctions.len()];
            for (at, edge) in network.edges.iter().enumerate().filter(|(_, edge)| edge.kind == EdgeKind::Normal) {
                ends[edge.from.index()][0].push(EdgeId::new(at));
                ends[edge.to.index()][1].push(EdgeId::new(at));
            }
            let zones = ends.into_iter();
            self.junctions =
                zones.map(|[sources, sinks]| Zone { sources: sources.into(), sinks: sinks.into() }).collect();
        }
        self.junctions.get(index.junction(name)?.index())
    }
}
