//! A demand that is made by a program instead of read.

use super::{
    ArrivalLane, ArrivalPos, ArrivalSpeed, Demand, DepartLane, DepartPos, DepartSpeed, Departure, Route, RouteOrigin,
    VehicleType,
};
use crate::graph::Span;
use crate::ids::{EdgeId, RouteId, TypeId};

impl Demand {
    /// Adds a vehicle type.
    pub fn add_type(&mut self, vtype: VehicleType) -> TypeId {
        self.types.push(vtype);
        TypeId::new(self.types.len() - 1)
    }

    /// Adds a vehicle that departs at `depart_ms` and drives along `edges`, in other respects as SUMO takes it where nothing is
    /// said; what is returned can be changed. Vehicles are kept in the order of their departure times, so ids of vehicles hold
    /// when all are added.
    pub fn add_vehicle(&mut self, name: &str, vtype: TypeId, edges: &[EdgeId], depart_ms: i64) -> &mut Departure {
        self.routes.push(Route::new(self.route_edges.len(), edges.len()));
        self.route_edges.extend(edges);
        let departure = Departure {
            name: name.into(),
            depart_ms,
            vtype,
            route: RouteId::new(self.routes.len() - 1),
            speed_factor: 1.0,
            depart_lane: DepartLane::BestProb,
            depart_pos: DepartPos::Base,
            depart_speed: DepartSpeed::Given(0.0),
            arrival_lane: ArrivalLane::Current,
            arrival_pos: ArrivalPos::Max,
            arrival_speed: ArrivalSpeed::Current,
            stops: Span::default(),
            route_origin: RouteOrigin::Given,
            has_rerouting_device: false,
            via: Span::default(),
        };
        let at = self.departures.partition_point(|other| other.depart_ms <= depart_ms);
        self.departures.insert(at, departure);
        &mut self.departures[at]
    }
}
