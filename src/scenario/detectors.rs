//! Reads the measurements that additional files ask for: induction loops, `edgeData` and `laneData`.

use std::path::{Path, PathBuf};

use super::{DetectorRequest, EmptyEdges, MeanDataLevel, MeanDataRequest, OutputRequests};
use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::Network;
use crate::graph::sumo::NetworkIndex;
use crate::ids::TypeId;
use crate::xml::shorten;

/// Collects requests. The types that they count may be defined later, so those are looked up at the end.
#[derive(Default)]
pub(super) struct DetectorReader {
    requests: OutputRequests,
    /// Per request with `vTypes`: where the list goes and what it says.
    types: Vec<(Place, String, Location)>,
}

#[derive(Clone, Copy)]
enum Place {
    Detector(usize),
    MeanData(usize),
}

impl DetectorReader {
    /// Takes an `inductionLoop`.
    pub fn read_induction_loop(
        &mut self,
        attributes: Attributes<'_>,
        network: &Network,
        index: &NetworkIndex,
    ) -> Result<(), InputError> {
        let lane_name = attributes.required("lane")?;
        let lane = index
            .lane(lane_name)
            .ok_or_else(|| attributes.error(format!("lane '{lane_name}' is not in the network")))?;
        let length_m = network.lane(lane).length_m;
        let given_m = attributes.number("pos")?.ok_or_else(|| attributes.error("attribute 'pos' is missing"))?;
        let mut pos_m = if given_m < 0.0 { given_m + length_m } else { given_m };
        if !(0.0..=length_m).contains(&pos_m) {
            if !attributes.boolean("friendlyPos")?.unwrap_or(false) {
                let message = format!("pos={given_m} is not on the lane ({length_m} m); correct it or set friendlyPos");
                return Err(attributes.error(message));
            }
            pos_m = pos_m.clamp(0.0, length_m);
        }
        self.note_types(attributes, Place::Detector(self.requests.detectors.len()));
        self.requests.detectors.push(DetectorRequest {
            name: attributes.id()?.into(),
            lane,
            pos_m,
            period_ms: period(attributes)?,
            file: file(attributes)?,
            vtypes: Box::default(),
        });
        Ok(())
    }

    /// Takes an `edgeData` or `laneData`.
    pub fn read_mean_data(
        &mut self,
        attributes: Attributes<'_>,
        level: MeanDataLevel,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let name = &attributes.element().name;
        if let Some(kind) = attributes.text("type").filter(|t| !matches!(*t, "" | "traffic" | "performance")) {
            warnings.add(
                format!("{name} of type '{}' is not supported", shorten(kind)),
                attributes.at(),
                "it is not written",
            );
            return Ok(());
        }
        for key in ["aggregate", "edgesFile", "detectPersons", "writeAttributes"] {
            if attributes.text(key).is_some_and(|v| !matches!(v, "" | "false")) {
                let kind = format!("attribute '{key}' of {name} is not supported");
                warnings.add(kind, attributes.at(), "the attribute has no effect");
            }
        }
        let empty = match attributes.text("excludeEmpty") {
            Some("defaults") => EmptyEdges::Defaults,
            _ if attributes.boolean("excludeEmpty")?.unwrap_or(false) => EmptyEdges::Exclude,
            _ => EmptyEdges::Include,
        };
        let mut edges = Vec::new();
        for edge in attributes.text("edges").unwrap_or_default().split_whitespace() {
            let found = index.edge(edge);
            edges.push(
                found.ok_or_else(|| attributes.error(format!("edge '{}' is not in the network", shorten(edge))))?,
            );
        }
        self.note_types(attributes, Place::MeanData(self.requests.mean_data.len()));
        let max_travel_time_s = attributes.positive("maxTraveltime")?.or(attributes.positive("maxTravelTime")?);
        let plain = MeanDataRequest::new(attributes.id()?, level, file(attributes)?);
        self.requests.mean_data.push(MeanDataRequest {
            period_ms: period(attributes)?,
            begin_ms: attributes.time_ms("begin")?.filter(|t| *t >= 0),
            end_ms: attributes.time_ms("end")?.filter(|t| *t >= 0),
            empty,
            with_internal: attributes.boolean("withInternal")?.unwrap_or(plain.with_internal),
            track_vehicles: attributes.boolean("trackVehicles")?.unwrap_or(plain.track_vehicles),
            min_samples_s: attributes.non_negative("minSamples")?.unwrap_or(plain.min_samples_s),
            max_travel_time_s: max_travel_time_s.unwrap_or(plain.max_travel_time_s),
            waiting_speed_mps: attributes.non_negative("speedThreshold")?.unwrap_or(plain.waiting_speed_mps),
            edges: edges.into(),
            ..plain
        });
        Ok(())
    }

    fn note_types(&mut self, attributes: Attributes<'_>, place: Place) {
        if let Some(names) = attributes.text("vTypes").filter(|names| !names.trim().is_empty()) {
            self.types.push((place, names.to_owned(), attributes.at()));
        }
    }

    /// `types_named` knows all types of the scenario.
    pub fn finish(mut self, types_named: impl Fn(&str) -> Option<Vec<TypeId>>) -> Result<OutputRequests, InputError> {
        for (place, names, at) in self.types {
            let mut vtypes = Vec::new();
            for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
                let unknown = || InputError::new(at.clone(), format!("vehicle type '{}' is not known", shorten(name)));
                vtypes.extend(types_named(name).ok_or_else(unknown)?);
            }
            match place {
                Place::Detector(n) => self.requests.detectors[n].vtypes = vtypes.into(),
                Place::MeanData(n) => self.requests.mean_data[n].vtypes = vtypes.into(),
            }
        }
        Ok(self.requests)
    }
}

/// `period`, in old files `freq`; `None`: one interval.
fn period(attributes: Attributes<'_>) -> Result<Option<i64>, InputError> {
    let key = if attributes.has("period") { "period" } else { "freq" };
    Ok(attributes.time_ms(key)?.filter(|ms| *ms > 0))
}

/// Relative to the directory of the file that names it.
fn file(attributes: Attributes<'_>) -> Result<PathBuf, InputError> {
    let base = Path::new(attributes.file()).parent().unwrap_or(Path::new(""));
    Ok(base.join(attributes.required("file")?.trim()))
}
