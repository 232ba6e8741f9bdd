//! What a partition exchanges with its neighbours after every step: the own roads that they mirror, as bytes. Nothing is
//! allocated but while frames or lanes grow longer than they ever were.

use std::sync::Arc;

use crate::ids::{EdgeId, LaneId};

use super::halo::{HaloError, Mirror, Reader, Writer, each};
use super::partition::Partition;
use super::scope::Scope;
use super::transfer::Transfer;
use super::validation::{Site, Validator};
use super::vehicle::Vehicle;

impl Partition {
    /// What this partition has to send to one with the scope `other`.
    pub fn mirror_for(&self, other: &Scope) -> Mirror {
        Mirror::between(&self.world, &self.scope, other)
    }

    /// The own roads that `mirror` names, as bytes.
    pub fn export(&self, mirror: &Mirror) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.export_into(mirror, &mut bytes);
        bytes
    }

    /// The same in a buffer that is used again; what it held is gone.
    pub fn export_into(&self, mirror: &Mirror, bytes: &mut Vec<u8>) {
        bytes.clear();
        let mut writer = Writer::new(bytes);
        for lane in &mirror.lanes {
            writer.vehicles(self.lanes.on(*lane));
        }
        for lane in &mirror.counted {
            writer.number(self.lanes.taken_dm[lane.index()]);
        }
        for edge in &mirror.edges {
            writer.transfers(&self.transfers[edge.index()]);
        }
        for signal in &mirror.signals {
            writer.signal(&self.signals.states[signal.index()]);
        }
        writer.seal();
    }

    /// Replaces the mirrored roads that `mirror` names.
    ///
    /// # Errors
    /// The bytes are not what [`Partition::export`] writes for the same mirror, or something in them does not fit network, demand
    /// and routes. The mirrored roads are partly replaced then: the partition must not be stepped any more.
    pub fn import(&mut self, mirror: &Mirror, bytes: &[u8]) -> Result<(), HaloError> {
        let world = Arc::clone(&self.world);
        let validator = Validator::new(&world, self.now_ms());
        let mut reader = Reader::sealed(bytes)?;
        for lane in &mirror.lanes {
            self.take_vehicles(&validator, *lane, reader.records::<Vehicle>()?)?;
        }
        for lane in &mirror.counted {
            self.lanes.taken_dm[lane.index()] = reader.number()?;
        }
        for edge in &mirror.edges {
            self.take_transfers(&validator, *edge, reader.records::<Transfer>()?)?;
        }
        for signal in &mirror.signals {
            let state = &mut self.signals.states[signal.index()];
            reader.signal(*signal, state)?;
            let bad = |field| HaloError::BadSignal { signal: signal.0, field };
            validator.signal(*signal, state).map_err(bad)?;
        }
        reader.finish()
    }

    /// Replaces the vehicles of a lane by those of `records`, and makes what is derived of them. After an error the lane is empty.
    pub(super) fn take_vehicles(
        &mut self,
        validator: &Validator<'_>,
        lane: LaneId,
        records: &[u8],
    ) -> Result<(), HaloError> {
        let Self { lanes, plans, .. } = self;
        if records.is_empty() {
            lanes.vehicles.truncate(lane, 0);
            return Ok(());
        }
        let world = validator.world();
        let site = Site::of_lane(&world.network, lane);
        let vehicles = each::<Vehicle>(records);
        for (slot, mut vehicle) in lanes.vehicles.refill(lane, vehicles.len()).iter_mut().zip(vehicles) {
            if let Err(field) = validator.on_lane(&vehicle, &site, &plans.routes) {
                lanes.vehicles.truncate(lane, 0);
                return Err(HaloError::BadVehicle { vehicle: vehicle.id.0, field });
            }
            let v = &mut vehicle;
            v.plan = plans.plan_of(world, v.id.0, v.route, v.vtype, v.stops_done);
            plans.settle(world, v, lane);
            *slot = vehicle;
        }
        Ok(())
    }

    /// Replaces the vehicles beside an edge by those of `records`.
    pub(super) fn take_transfers(
        &mut self,
        validator: &Validator<'_>,
        edge: EdgeId,
        records: &[u8],
    ) -> Result<(), HaloError> {
        let Self { transfers, plans, .. } = self;
        let beside = &mut transfers[edge.index()];
        beside.clear();
        for mut transfer in each::<Transfer>(records) {
            let bad = |field| HaloError::BadVehicle { vehicle: transfer.vehicle.id.0, field };
            validator.beside(&transfer, edge, &plans.routes).map_err(bad)?;
            let v = &mut transfer.vehicle;
            v.plan = plans.plan_of(validator.world(), v.id.0, v.route, v.vtype, v.stops_done);
            beside.push(transfer);
        }
        Ok(())
    }

    pub(super) fn plan_for(&mut self, v: &mut Vehicle) {
        v.plan = self.plans.plan_of(&self.world, v.id.0, v.route, v.vtype, v.stops_done);
    }
}
