//! What follows from the edges, lanes and links of a network, for those who put one together.

use super::{Network, RightOfWay, Span};
use crate::ids::{LaneId, LinkId};

impl Network {
    /// Lists by lane the links that lead into it. All links are there.
    pub(super) fn list_incoming(&mut self) {
        for link in &self.links {
            self.lanes[link.next.index()].incoming.len += 1;
        }
        let mut start = 0;
        for lane in &mut self.lanes {
            lane.incoming.start = start;
            start += lane.incoming.len;
            lane.incoming.len = 0;
        }
        self.incoming = vec![LinkId::NONE; self.links.len()];
        for (at, link) in self.links.iter().enumerate() {
            let incoming = &mut self.lanes[link.next.index()].incoming;
            self.incoming[(incoming.start + incoming.len) as usize] = LinkId::new(at);
            incoming.len += 1;
        }
    }

    /// Sets to whom a link yields, who its foes are, and which links are watched for its sake.
    pub(super) fn set_right_of_way(&mut self, link: LinkId, yields_to: &[LinkId], foes: &[LinkId]) {
        // Where right of way is settled between the vehicles (first come, or alternating) each must see the other.
        let kind = self.link(link).right_of_way;
        let mutual = matches!(kind, RightOfWay::Zipper | RightOfWay::AllwayStop | RightOfWay::Equal);
        for seen in yields_to.iter().chain(foes.iter().filter(|_| mutual)) {
            self.links[seen.index()].watched = true;
        }
        let (yields_to, foes) = (self.put_foes(yields_to), self.put_foes(foes));
        let link = &mut self.links[link.index()];
        (link.yields_to, link.foes) = (yields_to, foes);
    }

    fn put_foes(&mut self, links: &[LinkId]) -> Span {
        let span = Span::new(self.foe_links.len(), links.len());
        self.foe_links.extend_from_slice(links);
        span
    }

    /// By signal and link index the first lane that it controls, else NONE. `lanes`: by signal, as many as are there in
    /// any case, all NONE.
    pub(super) fn signalled_lanes(&self, mut lanes: Vec<Vec<LaneId>>) -> Vec<Vec<LaneId>> {
        for link in self.links.iter().filter(|link| link.signal.is_some()) {
            let lanes = &mut lanes[link.signal.index()];
            let index = link.signal_index as usize;
            if index >= lanes.len() {
                lanes.resize(index + 1, LaneId::NONE);
            }
            if lanes[index].is_none() {
                lanes[index] = link.from;
            }
        }
        lanes
    }
}
