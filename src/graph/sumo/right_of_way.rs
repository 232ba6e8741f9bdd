//! Turns the request matrices of junctions into lists of links that yield to or conflict with each other.

use super::builder::NetworkBuilder;
use super::draft::InternalJunction;
use crate::diagnostics::InputError;
use crate::graph::{Link, Network};
use crate::ids::{LaneId, LinkId};
use crate::xml::shorten;

/// Most connections over one junction (SUMO: 256 where right of way is regulated); bounds the work on their pairs.
const MAX_CONNECTIONS: usize = 1024;

impl NetworkBuilder {
    /// Gives every entry link its request index: requests follow the incoming lanes of the junction in order, and in each
    /// lane the connections for vehicles in order. (Pedestrian crossings have the last requests.)
    pub(super) fn number_requests(&mut self, network: &mut Network) -> Result<(), InputError> {
        for at in 0..self.junctions.len() {
            let draft = &self.junctions[at];
            if let Some(lane) = draft.incoming.iter().find(|&&lane| network.edge_of(lane).to.index() != at) {
                let element = format!("junction '{}'", shorten(&draft.junction.name));
                let message = format!("incLanes names '{}', which leads elsewhere", shorten(&network.lane_name(*lane)));
                return Err(InputError::new(self.at(draft.place, element), message));
            }
            let lanes = draft.incoming.iter().filter(|lane| !network.lanes[lane.index()].internal);
            let mut links: Vec<LinkId> = lanes.flat_map(|&lane| network.links_of(lane)).collect();
            let requests = draft.requests.len();
            if links.len() > MAX_CONNECTIONS {
                let element = format!("junction '{}'", shorten(&draft.junction.name));
                let message = format!("has {} connections; at most {MAX_CONNECTIONS} can be simulated", links.len());
                return Err(InputError::new(self.at(draft.place, element), message));
            }
            if requests == 0 {
                // Unregulated junctions and dead ends have no matrix: nobody yields.
                continue;
            }
            if links.len() > requests {
                let element = format!("junction '{}'", shorten(&draft.junction.name));
                let message = format!("has {requests} requests for {} connections; it needs one for each", links.len());
                return Err(InputError::new(self.at(draft.place, element), message));
            }
            for (request, link) in links.iter().enumerate() {
                network.links[link.index()].request = request as u32;
                network.links[link.index()].cont = draft.requests[request].cont;
            }
            links.resize(requests, LinkId::NONE);
            self.junctions[at].links = links;
        }
        Ok(())
    }

    /// Fills `yields_to`, `foes` and `watched` of all links that are not exits; requests are numbered.
    pub(super) fn resolve_right_of_way(&self, network: &mut Network) {
        let mut waits: Vec<Option<&InternalJunction>> = vec![None; network.lanes.len()];
        for inner in &self.internal_junctions {
            waits[inner.lane.index()] = Some(inner);
        }
        for at in 0..network.links.len() {
            let link = &network.links[at];
            if link.exit || link.request == u32::MAX {
                continue;
            }
            let draft = &self.junctions[link.junction.index()];
            let request = &draft.requests[link.request as usize];
            // Who waits inside the junction has passed its stop line already; it now looks only at the lanes that its
            // internal junction lists.
            let looked_at: Option<&[LaneId]> = match network.lanes[link.from.index()].internal {
                true => Some(waits[link.from.index()].map_or(&[], |inner| &inner.foe_lanes)),
                false => None,
            };
            let others = |chosen: &dyn Fn(usize) -> bool| -> Vec<LinkId> {
                let links = draft.links.iter().enumerate();
                let links = links.filter(|(other, link)| link.is_some() && chosen(*other)).map(|(_, &link)| link);
                links.filter(|l| looked_at.is_none_or(|lanes| lanes.contains(&network.links[l.index()].from))).collect()
            };
            let yields_to = others(&|other| request.yields_to(other));
            let foes = others(&|other| request.is_foe(other));
            network.set_right_of_way(LinkId::new(at), &yields_to, &foes);
        }
    }

    /// `a` must yield to `b` by the matrix of their junction.
    pub(super) fn yields(&self, a: &Link, b: &Link) -> bool {
        self.request_of(a).is_some_and(|request| request.yields_to(b.request as usize))
    }

    /// `a` and `b` are in conflict by the matrix of their junction.
    pub(super) fn is_foe(&self, a: &Link, b: &Link) -> bool {
        self.request_of(a).is_some_and(|request| request.is_foe(b.request as usize))
    }

    fn request_of(&self, link: &Link) -> Option<&super::draft::Request> {
        self.junctions[link.junction.index()].requests.get(link.request as usize)
    }
}
