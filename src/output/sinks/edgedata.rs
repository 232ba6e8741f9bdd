//! `edgeData` and `laneData`: traffic measures per edge or lane and interval ("meandata").
//!
//! The measures are those of SUMO's manual ("Lane/edge-based Traffic Measures"). Where it does not say whether a vehicle
//! counts by its front or by its whole body, experiments with SUMO 1.28 do: `traveltime`, `density`, `laneDensity`,
//! `flow` and `distance` follow the front; `sampledSeconds`, `speed`, `overlapTraveltime` and `overlapDensity` the body.

use std::io;

use crate::demand::VehicleClass;
use crate::graph::{Edge, EdgeKind};
use crate::ids::{EdgeId, LaneId};
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::scenario::{EmptyEdges, MeanDataLevel, MeanDataRequest};
use crate::sim::report::{IntervalReport, LaneStats, MICRO};

/// One file; several requests may share it.
pub struct MeanData {
    names: Names,
    /// By index of the request; `None`: writes to another file.
    requests: Vec<Option<MeanDataRequest>>,
}

/// What the measures of an element refer to: an edge or one of its lanes.
struct Extent {
    length_m: f64,
    speed_limit_mps: f64,
    lanes: f64,
    period_s: f64,
}

impl MeanData {
    /// The file of those requests of the run that `writes_here` selects.
    pub fn new(
        names: Names,
        requests: &[MeanDataRequest],
        mut writes_here: impl FnMut(&MeanDataRequest) -> bool,
    ) -> Self {
        Self { names, requests: requests.iter().map(|r| writes_here(r).then(|| r.clone())).collect() }
    }

    fn intervals(&self, reports: &[IntervalReport], out: &mut Document) {
        for report in reports {
            let Some(Some(request)) = self.requests.get(report.request as usize) else { continue };
            self.interval(request, report, out);
        }
    }

    fn interval(&self, request: &MeanDataRequest, report: &IntervalReport, out: &mut Document) {
        let mut opened = false;
        let mut lanes = report.lanes.as_slice();
        let period_s = (report.end_ms - report.begin_ms) as f64 / 1e3;
        for (index, edge) in self.names.network.edges.iter().enumerate() {
            // Both lists are ordered by lane, so what belongs to the edge stands at the front.
            let before = lanes.partition_point(|(lane, _)| *lane < edge.first_lane);
            lanes = &lanes[before..];
            let count = lanes.partition_point(|(lane, _)| lane.0 < edge.first_lane.0 + edge.lane_count);
            let (here, rest) = lanes.split_at(count);
            lanes = rest;
            if !is_asked_for(request, EdgeId::new(index), edge) || is_left_out(request, here) {
                continue;
            }
            if !opened {
                interval_head(request, report, out).open();
                opened = true;
            }
            match request.level {
                MeanDataLevel::Edge => self.edge(request, edge, here, period_s, out),
                MeanDataLevel::Lane => self.lanes(request, edge, here, period_s, out),
            }
        }
        if opened {
            out.end_tag(1, "interval");
        } else {
            interval_head(request, report, out).empty();
        }
    }

    fn edge(
        &self,
        request: &MeanDataRequest,
        edge: &Edge,
        lanes: &[(LaneId, LaneStats)],
        period_s: f64,
        out: &mut Document,
    ) {
        let mut sum = LaneStats::default();
        lanes.iter().for_each(|(_, stats)| sum += *stats);
        let network = &self.names.network;
        let speed_limit_mps = edge.lanes().map(|lane| network.lane(lane).speed_mps).fold(0.0, f64::max);
        // As in SUMO, lanes on which only pedestrians may go, or no class at all, do not count.
        let walkers = VehicleClass::Pedestrian.bit();
        let driven = edge.lanes().filter(|lane| network.lane(*lane).allowed.0 & !walkers != 0).count().max(1);
        let extent = Extent { length_m: edge.length_m, speed_limit_mps, lanes: driven as f64, period_s };
        measures(Tag::new(out, 2, "edge").text("id", &edge.name), request, &extent, &sum).empty();
    }

    fn lanes(
        &self,
        request: &MeanDataRequest,
        edge: &Edge,
        seen: &[(LaneId, LaneStats)],
        period_s: f64,
        out: &mut Document,
    ) {
        let network = &self.names.network;
        Tag::new(out, 2, "edge").text("id", &edge.name).open();
        for id in edge.lanes() {
            let stats = seen.binary_search_by_key(&id, |&(lane, _)| lane).map(|i| seen[i].1).unwrap_or_default();
            if request.empty == EmptyEdges::Exclude && stats == LaneStats::default() {
                continue;
            }
            let lane = network.lane(id);
            let extent = Extent { length_m: lane.length_m, speed_limit_mps: lane.speed_mps, lanes: 1.0, period_s };
            measures(Tag::new(out, 3, "lane").lane("id", network, id), request, &extent, &stats).empty();
        }
        out.end_tag(2, "edge");
    }
}

fn interval_head<'a>(request: &MeanDataRequest, report: &IntervalReport, out: &'a mut Document) -> Tag<'a> {
    Tag::new(out, 1, "interval").time("begin", report.begin_ms).time("end", report.end_ms).text("id", &request.name)
}

fn is_asked_for(request: &MeanDataRequest, id: EdgeId, edge: &Edge) -> bool {
    let by_kind = match edge.kind {
        EdgeKind::Normal => true,
        EdgeKind::Internal => request.with_internal,
        EdgeKind::Pedestrian | EdgeKind::Removed => false,
    };
    by_kind && (request.edges.is_empty() || request.edges.contains(&id))
}

fn is_left_out(request: &MeanDataRequest, lanes: &[(LaneId, LaneStats)]) -> bool {
    request.empty == EmptyEdges::Exclude && lanes.iter().all(|(_, stats)| *stats == LaneStats::default())
}

/// The columns of all measures.
fn with_measures(table: Table, element: &'static str) -> Table {
    let sampled = [
        "sampledSeconds",
        "traveltime",
        "overlapTraveltime",
        "density",
        "overlapDensity",
        "laneDensity",
        "occupancy",
        "waitingTime",
        "timeLoss",
        "speed",
        "speedRelative",
    ];
    let counts =
        ["departed", "arrived", "entered", "left", "laneChangedFrom", "laneChangedTo", "vaporized", "teleported"];
    table.with(element, Number, &sampled).with(element, Count, &counts).with(element, Number, &["flow", "distance"])
}

/// Adds all measures to the tag of an edge or lane.
fn measures<'a>(tag: Tag<'a>, request: &MeanDataRequest, extent: &Extent, stats: &LaneStats) -> Tag<'a> {
    let Extent { length_m, speed_limit_mps, lanes, period_s } = *extent;
    let front_s = stats.sampled_us as f64 / MICRO;
    let front_m = stats.distance_um as f64 / MICRO;
    let body_s = (stats.sampled_us + stats.tail_us) as f64 / MICRO;
    let body_m = (stats.distance_um + stats.tail_distance_um) as f64 / MICRO;
    let is_sampled = stats.sampled_us + stats.tail_us > 0 && body_s > request.min_samples_s;

    let mut tag = tag.number("sampledSeconds", body_s);
    if is_sampled {
        let speed_mps = body_m / body_s;
        let travel_s = length_m * front_s / front_m;
        if front_m > 0.0 && travel_s <= request.max_travel_time_s {
            tag = tag.number("traveltime", travel_s);
        }
        let vehicle_m = stats.length_um_s as f64 / MICRO / body_s;
        let overlap_s = if body_m > 0.0 { (length_m + vehicle_m) / speed_mps } else { f64::INFINITY };
        let density = front_s / period_s * 1e3 / length_m;
        tag = tag
            .number("overlapTraveltime", overlap_s.min(request.max_travel_time_s))
            .number("density", density)
            .number("overlapDensity", body_s / period_s * 1e3 / length_m)
            .number("laneDensity", density / lanes)
            .number("occupancy", stats.occupied_um_s as f64 / MICRO / period_s / length_m / lanes * 100.0)
            .number("waitingTime", stats.waiting_ms as f64 / 1e3)
            .number("timeLoss", stats.time_loss_us as f64 / MICRO)
            .number("speed", speed_mps)
            .number("speedRelative", speed_mps / speed_limit_mps);
    } else if request.empty == EmptyEdges::Defaults {
        tag = tag
            .number("traveltime", (length_m / speed_limit_mps).min(request.max_travel_time_s))
            .number("speed", speed_limit_mps)
            .number("speedRelative", 1.0);
    }
    tag = tag
        .count("departed", stats.departed.into())
        .count("arrived", stats.arrived.into())
        .count("entered", stats.entered.into())
        .count("left", stats.left.into())
        .count("laneChangedFrom", stats.lane_changed_from.into())
        .count("laneChangedTo", stats.lane_changed_to.into());
    if stats.vaporized > 0 {
        tag = tag.count("vaporized", stats.vaporized.into());
    }
    if stats.teleported > 0 {
        tag = tag.count("teleported", stats.teleported.into());
    }
    if is_sampled {
        tag = tag.number("flow", front_m / length_m / period_s * 3600.0);
    }
    tag.number("distance", front_m)
}

impl Sink for MeanData {
    fn table(&self) -> Table {
        let table = Table::new("meandata", "meandata_file")
            .with("interval", Time, &["begin", "end"])
            .with("interval", Text, &["id"])
            .with("edge", Text, &["id"]);
        let mut selected = self.requests.iter().flatten();
        if selected.clone().any(|request| request.level == MeanDataLevel::Lane) {
            let table = table.with("lane", Text, &["id"]);
            // Edges and lanes may share a file.
            return match selected.any(|request| request.level == MeanDataLevel::Edge) {
                true => with_measures(with_measures(table, "edge"), "lane"),
                false => with_measures(table, "lane"),
            };
        }
        with_measures(table, "edge")
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        self.intervals(&step.intervals, out);
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        self.intervals(&end.tail.intervals, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{mean_data, names, written};
    use std::sync::Arc;

    use crate::graph::Permissions;
    use crate::sim::report::StepReport;

    /// Five vehicles of 4.3 m that crossed an edge of 22.36 m: the numbers of a run of SUMO 1.28.
    fn crossed() -> LaneStats {
        LaneStats {
            sampled_us: 15_272_000,
            distance_um: 111_800_000,
            tail_us: 2_938_000,
            tail_distance_um: 21_500_000,
            length_um_s: 78_303_000,
            time_loss_us: 1_790_000,
            occupied_um_s: 66_400_000,
            entered: 5,
            left: 5,
            ..LaneStats::default()
        }
    }

    fn text_of(request: MeanDataRequest, lanes: Vec<(LaneId, LaneStats)>) -> String {
        text_with(names(), request, lanes)
    }

    fn text_with(names: Names, request: MeanDataRequest, lanes: Vec<(LaneId, LaneStats)>) -> String {
        let interval = IntervalReport { request: 0, begin_ms: 0, end_ms: 900_000, lanes };
        let step = MergedStep::of([StepReport { intervals: vec![interval], ..StepReport::default() }]);
        written(&mut MeanData::new(names, &[request], |_| true), &[step], &RunEnd::default())
    }

    const MEASURES: &str = r#"sampledSeconds="18.21" traveltime="3.05" overlapTraveltime="3.64" density="0.76" overlapDensity="0.90" laneDensity="0.76" occupancy="0.33" waitingTime="0.00" timeLoss="1.79" speed="7.32" speedRelative="0.88" departed="0" arrived="0" entered="5" left="5" laneChangedFrom="0" laneChangedTo="0" flow="20.00" distance="111.80""#;

    #[test]
    fn an_edge_is_written_as_sumo_does() {
        let mut request = mean_data(MeanDataLevel::Edge);
        request.empty = EmptyEdges::Include;
        assert_eq!(
            text_of(request, vec![(LaneId(0), crossed())]),
            format!(
                r#"<?xml version="1.0" encoding="UTF-8"?>

<meandata xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://sumo.dlr.de/xsd/meandata_file.xsd">
    <interval begin="0.00" end="900.00" id="m">
        <edge id="west" {MEASURES}/>
        <edge id="east" sampledSeconds="0.00" departed="0" arrived="0" entered="0" left="0" laneChangedFrom="0" laneChangedTo="0" distance="0.00"/>
    </interval>
</meandata>
"#
            )
        );
    }

    #[test]
    fn lanes_for_pedestrians_do_not_count() {
        let lane_density = |allowed: Permissions| {
            let mut names = names();
            Arc::make_mut(&mut names.network).lanes[3].allowed = allowed;
            let text = text_with(names, mean_data(MeanDataLevel::Edge), vec![(LaneId(2), crossed())]);
            text.split(" laneDensity=").nth(1).and_then(|rest| rest.split('"').nth(1)).map(str::to_owned)
        };
        let walkers = Permissions(VehicleClass::Pedestrian.bit());
        let both = Permissions(VehicleClass::Bicycle.bit() | walkers.0);
        let found = [Permissions::ALL, both, walkers, Permissions::NONE].map(lane_density);
        assert_eq!(found.map(Option::unwrap_or_default), ["0.08", "0.08", "0.17", "0.17"]);
    }

    #[test]
    fn lanes_are_grouped_by_edge_and_empty_ones_left_out() {
        let teleported = LaneStats { teleported: 1, vaporized: 2, ..LaneStats::default() };
        let text = text_of(mean_data(MeanDataLevel::Lane), vec![(LaneId(3), teleported), (LaneId(0), crossed())]);
        let body: Vec<_> = text.lines().skip(4).collect();
        assert_eq!(
            body,
            [
                "        <edge id=\"west\">",
                &format!("            <lane id=\"west_0\" {MEASURES}/>"),
                "        </edge>",
                "        <edge id=\"east\">",
                "            <lane id=\"east_1\" sampledSeconds=\"0.00\" departed=\"0\" arrived=\"0\" entered=\"0\" \
                 left=\"0\" laneChangedFrom=\"0\" laneChangedTo=\"0\" vaporized=\"2\" teleported=\"1\" \
                 distance=\"0.00\"/>",
                "        </edge>",
                "    </interval>",
                "</meandata>",
            ]
        );
    }

    #[test]
    fn internal_edges_are_written_only_when_asked_for() {
        let mut request = mean_data(MeanDataLevel::Edge);
        assert!(text_of(request.clone(), vec![(LaneId(1), crossed())]).contains("id=\"m\"/>"));
        request.with_internal = true;
        assert!(text_of(request, vec![(LaneId(1), crossed())]).contains("<edge id=\":mid_0\" "));
    }

    #[test]
    fn empty_edges_get_free_flow_values_when_asked_for() {
        let mut request = mean_data(MeanDataLevel::Edge);
        request.empty = EmptyEdges::Defaults;
        request.edges = Box::new([EdgeId(2)]);
        let text = text_of(request, Vec::new());
        assert_eq!(text.matches("<edge ").count(), 1);
        assert!(
            text.contains(r#"sampledSeconds="0.00" traveltime="7.20" speed="13.89" speedRelative="1.00" departed"#)
        );
    }

    #[test]
    fn a_standing_queue_has_a_bounded_overlap_travel_time_and_no_travel_time() {
        let stats = LaneStats { sampled_us: 1_000_000, waiting_ms: 1000, ..LaneStats::default() };
        let text = text_of(mean_data(MeanDataLevel::Edge), vec![(LaneId(0), stats)]);
        assert!(text.contains(r#"sampledSeconds="1.00" overlapTraveltime="100000.00" density="0.05""#), "{text}");
        assert!(text.contains(r#"speed="0.00" speedRelative="0.00""#));
    }
}
