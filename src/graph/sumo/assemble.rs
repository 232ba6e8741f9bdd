//! Puts the parts that were read together into a [`Network`].

use super::builder::NetworkBuilder;
use super::draft::Connection;
use crate::diagnostics::{InputError, Warnings};
use crate::graph::{Actuation, Link, Network, Program, ProgramKind, Signal, Span};
use crate::ids::{LaneId, LinkId};
use crate::xml::shorten;

/// Most internal lanes of one connection; SUMO builds at most two.
const MAX_CHAIN: usize = 16;

impl NetworkBuilder {
    /// Assembles the network.
    ///
    /// # Errors
    /// No net was read, something is named but not defined, the way through a junction is broken, a junction has too few
    /// requests, or a signal program is shorter than the links it controls.
    pub fn finish(mut self, warnings: &mut Warnings) -> Result<Network, InputError> {
        if !self.net_read {
            return Err(InputError::file("", "no network was given"));
        }
        self.check_junctions()?;
        let class_limits = self.limit_classes()?;
        let mut network = Network {
            edges: std::mem::take(&mut self.edges),
            lanes: std::mem::take(&mut self.lanes),
            location: std::mem::take(&mut self.location),
            class_limits,
            lefthand: self.lefthand,
            ..Network::default()
        };
        // Chains are stored by their incoming lane, in file order.
        self.connections.sort_by_key(|connection| connection.from);
        self.link_lanes(&mut network)?;
        network.list_incoming();
        self.number_requests(&mut network)?;
        self.follow_chains(&mut network)?;
        self.resolve_right_of_way(&mut network);
        self.find_conflicts(&mut network);
        network.signals = self.assemble_signals(&network, warnings)?;
        network.points = self.points.iter().map(|&[x, y]| [x as f32, y as f32]).collect();
        network.junctions = self.junctions.into_iter().map(|draft| draft.junction).collect();
        Ok(network)
    }

    fn check_junctions(&self) -> Result<(), InputError> {
        let Some(draft) = self.junctions.iter().find(|draft| !draft.defined) else { return Ok(()) };
        let name = shorten(&draft.junction.name);
        let message = format!("an edge names the junction '{name}', which the net does not define");
        Err(InputError::new(self.at(draft.place, "edge"), message))
    }

    fn broken(&self, connection: &Connection, network: &Network, message: String) -> InputError {
        let element = format!("connection from lane '{}'", shorten(&network.lane_name(connection.from)));
        InputError::new(self.at(connection.place, element), message)
    }

    /// One link for each connection, and the spans and entries of lanes.
    fn link_lanes(&self, network: &mut Network) -> Result<(), InputError> {
        for (at, connection) in self.connections.iter().enumerate() {
            let next = if connection.via.is_some() { connection.via } else { connection.to };
            let from_internal = network.lane(connection.from).internal;
            if network.lane(connection.to).internal {
                let message = "must lead to a road; lanes inside a junction are named by 'via'";
                return Err(self.broken(connection, network, message.to_owned()));
            }
            if connection.via.is_some() {
                if network.lane(next).entry.is_some() {
                    let message = format!("lane '{}' is the way of two connections", network.lane_name(next));
                    return Err(self.broken(connection, network, message));
                }
                network.lanes[next.index()].entry = LinkId::new(at);
            }
            let leaving = &mut network.lanes[connection.from.index()].links;
            if leaving.is_empty() {
                *leaving = Span::new(at, 0);
            }
            leaving.len += 1;
            if from_internal && leaving.len > 1 {
                let message = "a lane inside a junction must lead on to one lane only".to_owned();
                return Err(self.broken(connection, network, message));
            }
            network.links.push(Link {
                from: connection.from,
                next,
                to: connection.to,
                junction: network.edge_of(connection.from).to,
                request: u32::MAX,
                signal: connection.signal,
                signal_index: connection.signal_index,
                turn: connection.turn,
                right_of_way: connection.right_of_way,
                keep_clear: connection.keep_clear,
                cont: false,
                exit: from_internal && connection.via.is_none(),
                lowered: false,
                via_length_m: 0.0,
                yields_to: Span::default(),
                foes: Span::default(),
                watched: false,
                visibility_m: connection.visibility_m,
            });
        }
        Ok(())
    }

    /// Walks every connection through its junction: checks that it arrives, hands the request on to internal links, and
    /// sums the lengths of the way.
    fn follow_chains(&self, network: &mut Network) -> Result<(), InputError> {
        for at in 0..network.links.len() {
            let entry = network.links[at].clone();
            if !entry.is_entry(network) {
                continue;
            }
            let mut chain = vec![LinkId::new(at)];
            let mut lane = entry.next;
            while network.lane(lane).internal {
                let Some(link) = self.onward(network, lane, &entry) else {
                    let lane = shorten(&network.lane_name(lane));
                    let to = shorten(&network.lane_name(entry.to));
                    let message = format!("its way does not go on from lane '{lane}' to '{to}' inside the junction");
                    return Err(self.broken(&self.connections[at], network, message));
                };
                chain.push(link);
                if chain.len() > MAX_CHAIN {
                    let message = format!("its way has more than {MAX_CHAIN} lanes inside the junction");
                    return Err(self.broken(&self.connections[at], network, message));
                }
                lane = network.link(link).next;
            }
            let mut length_m = 0.0;
            for link in chain.into_iter().rev() {
                let next = network.link(link).next;
                if network.lane(next).internal {
                    length_m += network.lane(next).length_m;
                }
                let link = &mut network.links[link.index()];
                link.via_length_m = length_m;
                if !link.exit {
                    link.request = entry.request;
                }
            }
        }
        Ok(())
    }

    /// The link that continues the connection `entry` from an internal lane: it stays in the junction and ends where the
    /// connection does.
    fn onward(&self, network: &Network, lane: LaneId, entry: &Link) -> Option<LinkId> {
        let link = network.links_of(lane).next()?;
        let fits = network.link(link).to == entry.to && network.link(link).junction == entry.junction;
        fits.then_some(link)
    }

    fn assemble_signals(&mut self, network: &Network, warnings: &mut Warnings) -> Result<Vec<Signal>, InputError> {
        let lanes = network.signalled_lanes(vec![Vec::new(); self.signals.len()]);
        for link in network.links.iter().filter(|link| link.signal.is_some()) {
            let rail = self.junctions[link.junction.index()].rail;
            self.signals[link.signal.index()].rail |= rail;
        }
        self.check_signals(&lanes)?;
        let loaded: Vec<usize> = self.signals.iter().map(|draft| draft.programs.len()).collect();
        let switching = self.resolve_plans()?;
        let drafts = std::mem::take(&mut self.signals).into_iter().zip(lanes).zip(loaded.into_iter().zip(switching));
        let mut signals = Vec::with_capacity(drafts.len());
        for ((draft, lanes), (loaded, switching)) in drafts {
            if lanes.is_empty() {
                let at = self.at(draft.place, format!("tlLogic '{}'", shorten(&draft.name)));
                warnings.add("signal without connections", at, "controls no road traffic");
            }
            signals.push(Signal {
                name: draft.name,
                programs: draft.programs.into(),
                initial: switching.initial.unwrap_or(loaded as u32 - 1),
                switches: switching.switches.into(),
                lanes: lanes.into(),
            });
        }
        Ok(signals)
    }

    /// Every signal has a program, and every program shows something to each of the links.
    fn check_signals(&mut self, lanes: &[Vec<LaneId>]) -> Result<(), InputError> {
        for (at, lanes) in lanes.iter().enumerate() {
            if self.signals[at].rail && self.signals[at].programs.is_empty() {
                self.signals[at].programs.push(Program {
                    name: "off".into(),
                    kind: ProgramKind::Off,
                    offset_ms: 0,
                    phases: Box::default(),
                    actuation: Actuation::default(),
                });
            }
            let draft = &self.signals[at];
            let name = shorten(&draft.name);
            if draft.programs.is_empty() {
                let message = format!("names the signal '{name}', which has no tlLogic");
                return Err(InputError::new(self.at(draft.place, "connection"), message));
            }
            for program in &draft.programs {
                let Some(width) = program.phases.first().map(|phase| phase.aspects.len()) else { continue };
                if width < lanes.len() {
                    let element = format!("tlLogic '{name}'");
                    let program = shorten(&program.name);
                    let needed = lanes.len();
                    let message =
                        format!("states of program '{program}' have {width} letters; its connections need {needed}");
                    return Err(InputError::new(self.at(draft.place, element), message));
                }
            }
        }
        Ok(())
    }
}
