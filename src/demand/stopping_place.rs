//! Named places where vehicles stop: bus stops, parking areas and the like.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::coverage::check_attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::graph::Network;
use crate::graph::sumo::NetworkIndex;
use crate::ids::LaneId;

use super::StopPlace;

/// What a stopping place is called in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaceKind {
    /// `busStop` or `trainStop`.
    BusStop,
    ParkingArea,
    /// `chargingStation` or `containerStop`: vehicles stop, nothing is charged or loaded.
    Other,
}

/// A named place where vehicles stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoppingPlace {
    pub name: Box<str>,
    pub kind: PlaceKind,
    pub lane: LaneId,
    /// Metres from the start of the lane; 0 ≤ `start_m` < `end_m` ≤ lane length.
    pub start_m: f64,
    pub end_m: f64,
    /// Vehicles stand beside the lane.
    pub beside: bool,
    /// In the order of the files; index into [`Demand::places`](super::Demand::places).
    pub index: u32,
}

/// All stopping places by id.
#[derive(Clone, Debug, Default)]
pub struct StoppingPlaces {
    by_name: HashMap<Box<str>, StoppingPlace>,
    in_order: Vec<StopPlace>,
}

/// Bound of memory.
const MAX_LOTS: u32 = 1 << 15;

/// A place shorter than this (metres) holds no vehicle.
const MIN_STOP_M: f64 = 0.1;
/// Length of a stop without `startPos` (manual, "Stops": endPos−0.2 m).
const DEFAULT_STOP_M: f64 = 0.2;

impl StoppingPlaces {
    pub fn get(&self, name: &str) -> Option<&StoppingPlace> {
        self.by_name.get(name)
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The places as the demand keeps them.
    pub fn into_places(self) -> Vec<StopPlace> {
        self.in_order
    }

    /// Takes the attributes of a `busStop`, `trainStop`, `parkingArea`, `containerStop` or `chargingStation`. `spaces`: how
    /// many single lots (`space`) a parking area has.
    pub fn read(
        &mut self,
        attributes: Attributes<'_>,
        spaces: u32,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(attributes, warnings);
        let name = attributes.id()?;
        let lane_name = attributes.required("lane")?;
        let lane = index.lane(lane_name).ok_or_else(|| attributes.error(index.unknown_lane(lane_name)))?;
        let range = StopRange {
            start_m: attributes.number("startPos")?,
            end_m: attributes.number("endPos")?,
            friendly: attributes.boolean("friendlyPos")?.unwrap_or(false),
        };
        let (start_m, end_m, adjusted) =
            range.on_lane(network.lane(lane).length_m, 0.0).map_err(|message| attributes.error(message))?;
        if adjusted {
            warnings.add(
                "stopping place reaches beyond its lane",
                attributes.at(),
                "it is cut to the lane, as friendlyPos asks for",
            );
        }
        let kind = match attributes.element().name.as_str() {
            "busStop" | "trainStop" => PlaceKind::BusStop,
            "parkingArea" => PlaceKind::ParkingArea,
            _ => PlaceKind::Other,
        };
        let beside = kind == PlaceKind::ParkingArea && !attributes.boolean("onRoad")?.unwrap_or(false);
        let mut lots_m = Vec::new();
        if beside {
            let along = attributes.integer::<u32>("roadsideCapacity")?.unwrap_or(0);
            if along.saturating_add(spaces) > MAX_LOTS {
                return Err(attributes.error(format!("a parking area has {MAX_LOTS} lots at most")));
            }
            // Lots of the same length; single ones count as at the end, and an area without any has one there.
            let step_m = (end_m - start_m) / f64::from(along.max(1));
            lots_m.extend((1..=along).map(|lot| if lot == along { end_m } else { start_m + f64::from(lot) * step_m }));
            lots_m.extend((0..spaces).map(|_| end_m));
            if lots_m.is_empty() {
                lots_m.push(end_m);
            }
        }
        let index = self.in_order.len() as u32;
        self.in_order.push(StopPlace { lots_m });
        let place = StoppingPlace { name: name.into(), kind, lane, start_m, end_m, beside, index };
        if self.by_name.insert(name.into(), place).is_some() {
            return Err(attributes.error("a stopping place with this id exists already"));
        }
        Ok(())
    }
}

/// `startPos` and `endPos` as they are in a file: negative values count from the end of the lane.
pub(super) struct StopRange {
    pub start_m: Option<f64>,
    pub end_m: Option<f64>,
    pub friendly: bool,
}

impl StopRange {
    /// Metres from the lane's start, and whether the range had to be moved onto the lane (only if `friendly`). Without
    /// `startPos` the range starts `default_start_m`; without `endPos` it ends at the lane's end.
    pub fn on_lane(&self, length_m: f64, default_start_m: f64) -> Result<(f64, f64, bool), String> {
        let from_start = |position: f64| if position < 0.0 { position + length_m } else { position };
        let end = self.end_m.map_or(length_m, from_start);
        // A stop at the very start of a lane is one of the least length there.
        let end =
            if self.start_m.is_none() && (0.0..MIN_STOP_M).contains(&end) { MIN_STOP_M.min(length_m) } else { end };
        let start = self.start_m.map_or(default_start_m.min(end - DEFAULT_STOP_M).max(0.0), from_start);
        let valid = start >= 0.0 && end <= length_m && end - start >= MIN_STOP_M - 1e-9;
        if valid {
            return Ok((start, end, false));
        }
        // Rounded positions in files end a hair behind the lane.
        let tolerable = start >= 0.0 && end <= length_m + MIN_STOP_M && end.min(length_m) - start >= MIN_STOP_M / 2.0;
        if !self.friendly && !tolerable {
            return Err(format!(
                "from {start:.2} m to {end:.2} m is not a place on a lane of {length_m:.2} m; correct startPos and endPos \
                 or set friendlyPos"
            ));
        }
        let end = end.clamp(MIN_STOP_M.min(length_m), length_m);
        let start = start.clamp(0.0, (end - MIN_STOP_M).max(0.0));
        Ok((start, end, self.friendly))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start_m: Option<f64>, end_m: Option<f64>, friendly: bool) -> Result<(f64, f64), String> {
        StopRange { start_m, end_m, friendly }.on_lane(100.0, 0.0).map(|(start, end, _)| (start, end))
    }

    #[test]
    fn a_place_without_positions_is_the_whole_lane() {
        assert_eq!(range(None, None, false), Ok((0.0, 100.0)));
    }

    #[test]
    fn negative_positions_count_from_the_end() {
        assert_eq!(range(Some(-30.0), Some(-10.0), false), Ok((70.0, 90.0)));
    }

    #[test]
    fn a_place_off_the_lane_is_an_error_unless_it_is_friendly() {
        assert!(range(Some(90.0), Some(120.0), false).is_err());
        assert!(range(Some(50.0), Some(40.0), false).is_err());
        assert_eq!(range(Some(90.0), Some(120.0), true), Ok((90.0, 100.0)));
    }
}
