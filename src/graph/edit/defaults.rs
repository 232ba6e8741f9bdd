//! Connections that nobody asked for: of new edges by the angles at their ends, of new lanes as the lane beside them has.

use super::draft::Draft;
use super::error::EditError;
use super::geometry::bearing;
use crate::graph::Turn;
use crate::ids::EdgeId;

/// Two edges at a junction, with how far to the left the way turns.
#[derive(Clone, Copy, Debug)]
struct Pair {
    from: EdgeId,
    to: EdgeId,
    turn: Turn,
    bearing: f64,
}

impl Draft {
    /// Connects the new edges that lead nowhere with all that leave there, and all that lead to their start with those that
    /// nothing leads to.
    pub fn connect_new_edges(&mut self) -> Result<(), EditError> {
        let new: Vec<EdgeId> = (0..self.edges.len()).filter(|at| self.edges[*at].connects).map(EdgeId::new).collect();
        let mut pairs: Vec<Pair> = Vec::new();
        let mut leading: Vec<EdgeId> = Vec::new();
        for &edge in &new {
            let own = self.at(edge).lanes.clone();
            let (from, to) = (self.at(edge).edge.from, self.at(edge).edge.to);
            if self.ways_between(|entry| own.contains(&entry.from)).is_empty() {
                pairs.extend(self.roads(|other| other.from == to).into_iter().map(|other| self.pair(edge, other)));
                leading.push(edge);
            }
            if self.ways_between(|entry| own.contains(&entry.to)).is_empty() {
                pairs.extend(self.roads(|other| other.to == from).into_iter().map(|other| self.pair(other, edge)));
            }
            self.edges[edge.index()].connects = false;
        }
        // From right to left, as the connections of a lane are listed.
        pairs.sort_by(|a, b| a.from.cmp(&b.from).then(a.bearing.total_cmp(&b.bearing)).then(a.to.cmp(&b.to)));
        pairs.dedup_by_key(|pair| (pair.from, pair.to));
        for pair in &pairs {
            // Nobody turns round where there is another way.
            let goes_on = |other: &Pair| other.from == pair.from && other.turn != Turn::Turnaround;
            let own = &self.at(pair.from).lanes;
            let has_way = pairs.iter().any(goes_on) || !self.ways_between(|entry| own.contains(&entry.from)).is_empty();
            if pair.turn != Turn::Turnaround || !has_way {
                self.connect_pair(pair)?;
            }
        }
        for edge in leading {
            self.let_no_lane_end(edge, &pairs)?;
        }
        Ok(())
    }

    fn pair(&self, from: EdgeId, to: EdgeId) -> Pair {
        let [first, second] = self.headings(self.at(from).lanes[0], self.at(to).lanes[0]);
        // The way back to where it came from is no turn, whatever the angle.
        let is_back = self.at(from).edge.from == self.at(to).edge.to;
        let turn = match self.turn(from, to) {
            Turn::Left | Turn::Turnaround if is_back => Turn::Turnaround,
            turn => turn,
        };
        Pair { from, to, turn, bearing: bearing(first.along, second.along) }
    }

    /// To the right from the right lane, to the left from the left one, straight on from each lane onto the same.
    fn connect_pair(&mut self, pair: &Pair) -> Result<(), EditError> {
        let [from, to] = [pair.from, pair.to].map(|edge| self.at(edge).lanes.clone());
        match pair.turn {
            Turn::Right | Turn::PartRight => self.connect_if_possible(from[0], to[0], pair.turn),
            Turn::Left | Turn::PartLeft | Turn::Turnaround => {
                self.connect_if_possible(from[from.len() - 1], to[to.len() - 1], pair.turn)
            }
            Turn::Straight | Turn::NoDir => {
                from.into_iter().zip(to).try_for_each(|(from, to)| self.connect_if_possible(from, to, pair.turn))
            }
        }
    }

    /// Each lane of a new edge leads on, if anything does: those that no pair has served, to where most of them go.
    fn let_no_lane_end(&mut self, edge: EdgeId, pairs: &[Pair]) -> Result<(), EditError> {
        let own = pairs.iter().filter(|pair| pair.from == edge && pair.turn != Turn::Turnaround);
        let Some(main) = own.min_by(|a, b| a.bearing.abs().total_cmp(&b.bearing.abs())) else { return Ok(()) };
        let [from, to] = [main.from, main.to].map(|edge| self.at(edge).lanes.clone());
        for (index, lane) in from.into_iter().enumerate() {
            if self.ways_between(|entry| entry.from == lane).is_empty() {
                self.connect_if_possible(lane, to[index.min(to.len() - 1)], main.turn)?;
            }
        }
        Ok(())
    }

    /// Gives a new lane the ways of the lane beside it: onto the next lane where there is one.
    pub fn connect_beside(&mut self, lane: usize, model: usize) -> Result<(), EditError> {
        let place = |draft: &Self, lane: usize| {
            let lanes = &draft.at(draft.lanes[lane].edge).lanes;
            (lanes.clone(), lanes.iter().position(|other| *other == lane).unwrap_or(0))
        };
        let is_left = place(self, lane).1 > place(self, model).1;
        for way in self.ways_between(|entry| entry.from == model) {
            let Some((to, turn)) = self.entry(way).map(|entry| (entry.to, entry.link.turn)) else { continue };
            let (lanes, at) = place(self, to);
            let next = if is_left { at + 1 } else { at.wrapping_sub(1) };
            self.connect_if_possible(lane, lanes.get(next).copied().unwrap_or(to), turn)?;
        }
        for way in self.ways_between(|entry| entry.to == model) {
            let Some((from, turn)) = self.entry(way).map(|entry| (entry.from, entry.link.turn)) else { continue };
            self.connect_if_possible(from, lane, turn)?;
        }
        Ok(())
    }

    fn connect_if_possible(&mut self, from: usize, to: usize, turn: Turn) -> Result<(), EditError> {
        match self.connect(from, to, Some(turn), None) {
            Err(EditError::NobodyMay { .. } | EditError::Connected { .. }) => Ok(()),
            done => done,
        }
    }
}
