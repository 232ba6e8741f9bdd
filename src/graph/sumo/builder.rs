//! The network while it is being read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::BufRead;

use super::draft::{Connection, InternalJunction, JunctionDraft, Place, PlanUse, SignalDraft, SwitchPlan};
use super::edge_types::EdgeTypes;
use super::index::split_lane_name;
use crate::diagnostics::{self, InputError};
use crate::graph::{Edge, Junction, JunctionKind, Lane, Location};
use crate::ids::{EdgeId, JunctionId, LaneId, SignalId};
use crate::xml::{Element, XmlReader, shorten};

/// Collects what `.net.xml` and additional files say about the network; [`finish`](Self::finish) assembles it.
///
/// Use: one [`read_net`](Self::read_net), then any signal programs and WAUTs of additional files in their order, then
/// `finish`.
#[derive(Default)]
pub struct NetworkBuilder {
    /// Value of the offset `begin` of signal programs.
    pub(super) begin_ms: i64,
    /// Names of the files that were read; [`Place::file`] indexes them.
    pub(super) files: Vec<String>,
    pub(super) net_read: bool,
    pub(super) edges: Vec<Edge>,
    pub(super) edge_places: Vec<Place>,
    pub(super) edge_ids: HashMap<Box<str>, EdgeId>,
    pub(super) lanes: Vec<Lane>,
    /// Pool of `Lane::shape`, in full precision for the geometry of conflicts.
    pub(super) points: Vec<[f64; 2]>,
    pub(super) junctions: Vec<JunctionDraft>,
    pub(super) junction_ids: HashMap<Box<str>, JunctionId>,
    pub(super) internal_junctions: Vec<InternalJunction>,
    pub(super) connections: Vec<Connection>,
    pub(super) signals: Vec<SignalDraft>,
    pub(super) signal_ids: HashMap<Box<str>, SignalId>,
    pub(super) plans: HashMap<Box<str>, SwitchPlan>,
    pub(super) plan_uses: Vec<PlanUse>,
    pub(super) location: Location,
    pub(super) edge_types: EdgeTypes,
    pub(super) lefthand: bool,
}

impl NetworkBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the begin of the simulation, which programs with `offset="begin"` refer to. The default is 0.
    pub fn with_begin_ms(mut self, begin_ms: i64) -> Self {
        self.begin_ms = begin_ms;
        self
    }

    pub(super) fn place<R: BufRead>(&mut self, xml: &XmlReader<R>, element: &Element) -> Place {
        let file = match self.files.iter().rposition(|name| name == xml.file()) {
            Some(file) => file,
            None => {
                self.files.push(xml.file().to_owned());
                self.files.len() - 1
            }
        };
        Place { file: file as u32, line: element.line }
    }

    pub(super) fn at(&self, place: Place, element: impl Into<String>) -> diagnostics::Location {
        let file = self.files.get(place.file as usize).cloned().unwrap_or_default();
        diagnostics::Location { file, line: place.line, element: element.into() }
    }

    /// The junction of this name, as an undefined draft if it was not known.
    pub(super) fn junction_named(&mut self, name: &str, place: Place) -> JunctionId {
        if let Some(&id) = self.junction_ids.get(name) {
            return id;
        }
        let id = JunctionId::new(self.junctions.len());
        self.junction_ids.insert(name.into(), id);
        self.junctions.push(JunctionDraft {
            junction: Junction { name: name.into(), kind: JunctionKind::Other, x: 0.0, y: 0.0 },
            place,
            defined: false,
            rail: false,
            incoming: Box::default(),
            requests: Vec::new(),
            links: Vec::new(),
        });
        id
    }

    /// The signal of this name, as a draft without programs if it was not known.
    pub(super) fn signal_named(&mut self, name: &str, place: Place) -> SignalId {
        if let Some(&id) = self.signal_ids.get(name) {
            return id;
        }
        let id = SignalId::new(self.signals.len());
        self.signal_ids.insert(name.into(), id);
        self.signals.push(SignalDraft { name: name.into(), programs: Vec::new(), place, rail: false });
        id
    }

    /// Enters an edge; an edge of the same name is an error.
    pub(super) fn add_edge(&mut self, edge: Edge, place: Place) -> Result<(), InputError> {
        match self.edge_ids.entry(edge.name.clone()) {
            Entry::Vacant(free) => {
                free.insert(EdgeId::new(self.edges.len()));
                self.edges.push(edge);
                self.edge_places.push(place);
                Ok(())
            }
            Entry::Occupied(known) => {
                let first = self.edge_places[known.get().index()];
                Err(InputError::new(self.at(place, format!("edge '{}'", shorten(&edge.name))), first.is_taken()))
            }
        }
    }

    /// A lane by its name `edge_index`.
    pub(super) fn lane_named(&self, name: &str) -> Option<LaneId> {
        let (edge, index) = split_lane_name(name)?;
        let edge = &self.edges[self.edge_ids.get(edge)?.index()];
        (index < edge.lane_count).then(|| LaneId(edge.first_lane.0 + index))
    }
}
