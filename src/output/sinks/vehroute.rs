//! `vehroute-output`: the routes that vehicles took, with those that they gave up.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::demand::{ArrivalPos, DepartLane, DepartPos, DepartSpeed, Departure};
use crate::ids::{EdgeId, VehicleId};
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::scenario::VehrouteOptions;
use crate::sim::NewVehicle;
use crate::sim::report::{ReplacedRoute, TripRecord};

/// What is remembered between steps.
#[derive(Default, Serialize, Deserialize)]
struct State {
    /// By vehicle under way: when it left the edges of its route, ms; -1: not known.
    exits_ms: BTreeMap<VehicleId, Vec<i64>>,
    replaced: BTreeMap<VehicleId, Vec<ReplacedRoute>>,
    /// Sorted output: vehicles that departed, by time, until all before them are written; with their trips once these ended.
    queue: BTreeMap<(i64, VehicleId), Option<TripRecord>>,
}

pub struct Vehroute {
    names: Names,
    options: VehrouteOptions,
    state: State,
}

/// A number as SUMO writes departure positions and speeds: four decimal places, of which zeros at the end are left out down to
/// two.
fn up_to_four(value: f64) -> impl Fn(u8) -> u8 {
    move |_| {
        let units = (value * 1e4).round();
        match () {
            () if units % 100.0 == 0.0 => 2,
            () if units % 10.0 == 0.0 => 3,
            () => 4,
        }
    }
}

impl Vehroute {
    pub fn new(names: Names, options: VehrouteOptions) -> Self {
        Self { names, options, state: State::default() }
    }

    fn ended(&mut self, trip: &TripRecord, out: &mut Document) {
        if self.options.sorted {
            if let Some(place) = self.state.queue.get_mut(&(trip.depart_ms, trip.vehicle)) {
                *place = Some(trip.clone());
            }
        } else {
            self.write(trip, true, out);
        }
    }

    fn write(&mut self, trip: &TripRecord, arrived: bool, out: &mut Document) {
        let mut exits_ms = self.state.exits_ms.remove(&trip.vehicle).unwrap_or_default();
        let replaced = self.state.replaced.remove(&trip.vehicle).unwrap_or_default();
        exits_ms.resize(trip.edges.len(), -1);
        if let Some(last) = exits_ms.last_mut().filter(|_| arrived) {
            *last = trip.arrival_ms;
        }
        self.head(trip, arrived, out).open();
        let with_old = !self.options.last_route && !replaced.is_empty();
        if with_old {
            Tag::new(out, 2, "routeDistribution").open();
            replaced.iter().for_each(|old| self.old_route(old, out));
        }
        let mut tag = Tag::new(out, if with_old { 3 } else { 2 }, "route");
        if self.options.cost {
            // Costs are those of the search for the route, which are not kept.
            tag = tag.number("cost", -1.0).number("savings", 0.0);
        }
        tag = tag.words("edges", self.edges(&trip.edges));
        if self.options.exit_times {
            tag = tag.times("exitTimes", &exits_ms);
        }
        tag.empty();
        if with_old {
            out.end_tag(2, "routeDistribution");
        }
        out.end_tag(1, "vehicle");
        out.empty_line();
    }

    fn edges<'n>(&'n self, edges: &'n [EdgeId]) -> impl Iterator<Item = &'n str> + Clone {
        edges.iter().map(|edge| &*self.names.network.edge(*edge).name)
    }

    /// What the vehicle said about its departure, and what came of it.
    fn head<'d>(&self, trip: &TripRecord, arrived: bool, out: &'d mut Document) -> Tag<'d> {
        let departure = self.names.departure(trip.vehicle);
        let depart_ms = if self.options.intended_depart { departure.depart_ms } else { trip.depart_ms };
        let Departure { depart_lane, depart_pos, depart_speed, arrival_pos, .. } = departure;
        let gives_speed = *depart_speed != DepartSpeed::Avg;
        let mut tag = Tag::new(out, 1, "vehicle")
            .text("id", &departure.name)
            .text("type", &self.names.vehicle_type(trip.vehicle).name)
            .time("depart", depart_ms);
        if *depart_lane != DepartLane::BestProb {
            tag = tag.count("departLane", self.names.network.lane(trip.depart_lane).index.into());
        }
        if *depart_pos != DepartPos::Base {
            tag = tag.number_with("departPos", trip.depart_pos_m, up_to_four(trip.depart_pos_m));
        }
        if gives_speed {
            tag = tag.number_with("departSpeed", trip.depart_speed_mps, up_to_four(trip.depart_speed_mps));
        }
        match arrival_pos {
            ArrivalPos::Given(pos_m) => tag = tag.number("arrivalPos", *pos_m),
            ArrivalPos::Random => tag = tag.text("arrivalPos", "random"),
            ArrivalPos::Center => tag = tag.text("arrivalPos", "center"),
            ArrivalPos::Max => {}
        }
        if gives_speed {
            tag = tag.number_with("speedFactor", trip.speed_factor, |decimals| decimals.max(4));
        }
        if arrived {
            tag = tag.time("arrival", trip.arrival_ms);
        }
        if self.options.route_length {
            tag = tag.number("routeLength", trip.route_length_m);
        }
        tag
    }

    fn old_route(&self, old: &ReplacedRoute, out: &mut Document) {
        let on = old.edges.get(usize::from(old.at_index)).map_or("", |edge| &*self.names.network.edge(*edge).name);
        let mut tag = Tag::new(out, 3, "route")
            .text("replacedOnEdge", on)
            .text("reason", if old.ordered { "traci" } else { "device.rerouting" })
            .time("replacedAtTime", old.time_ms)
            .count("probability", 0);
        if self.options.cost {
            tag = tag.number("cost", -1.0);
        }
        tag.words("edges", self.edges(&old.edges)).empty();
    }

    /// Writes what no vehicle that departed earlier holds up.
    fn write_sorted(&mut self, out: &mut Document) {
        while let Some(trip) = self.state.queue.first_entry().and_then(|first| first.get().clone()) {
            self.state.queue.pop_first();
            self.write(&trip, true, out);
        }
    }
}

impl Sink for Vehroute {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        let table = Table::new("routes", "routes_file")
            .with("vehicle", Text, &["id", "type"])
            .with("vehicle", Time, &["depart"])
            .with("vehicle", Count, &["departLane"])
            .with("vehicle", Number, &["departPos", "departSpeed"])
            .with("vehicle", Text, &["arrivalPos"])
            .with("vehicle", Number, &["speedFactor"])
            .with("vehicle", Time, &["arrival"]);
        let table = if self.options.route_length { table.with("vehicle", Number, &["routeLength"]) } else { table };
        let table = if self.options.last_route {
            table
        } else {
            table.with("route", Text, &["replacedOnEdge", "reason"]).with("route", Time, &["replacedAtTime"]).with(
                "route",
                Count,
                &["probability"],
            )
        };
        let table = if self.options.cost { table.with("route", Number, &["cost", "savings"]) } else { table };
        let table = table.with("route", Text, &["edges"]);
        if self.options.exit_times { table.with("route", Text, &["exitTimes"]) } else { table }
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        for &(vehicle, index) in &step.edges_left {
            let exits_ms = self.state.exits_ms.entry(vehicle).or_default();
            let index = usize::from(index);
            exits_ms.resize(exits_ms.len().max(index + 1), -1);
            exits_ms[index] = step.time_ms;
        }
        for old in &step.replaced_routes {
            self.state.replaced.entry(old.vehicle).or_default().push(old.clone());
        }
        if self.options.sorted {
            self.state.queue.extend(step.departed.iter().map(|(vehicle, _)| ((step.time_ms, *vehicle), None)));
        }
        step.arrivals.iter().chain(&step.removals).for_each(|trip| self.ended(trip, out));
        if self.options.sorted {
            self.write_sorted(out);
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        if !self.options.sorted && !self.options.write_unfinished {
            return Ok(());
        }
        let mut rest: BTreeMap<(i64, VehicleId), (TripRecord, bool)> = std::mem::take(&mut self.state.queue)
            .into_iter()
            .filter_map(|(key, trip)| Some((key, (trip?, true))))
            .collect();
        if self.options.write_unfinished {
            rest.extend(end.unfinished.iter().map(|trip| ((trip.depart_ms, trip.vehicle), (trip.clone(), false))));
        }
        for (trip, arrived) in rest.into_values() {
            self.write(&trip, arrived, out);
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        rmp_serde::to_vec(&self.state).expect("plain data is saved without error")
    }

    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        self.state = rmp_serde::from_slice(state).map_err(io::Error::other)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{names, trip, written};
    use crate::sim::report::StepReport;

    fn steps() -> Vec<MergedStep> {
        let way = vec![EdgeId(0), EdgeId(2)];
        let ends =
            |vehicle, depart_ms, arrival_ms| TripRecord { depart_ms, arrival_ms, edges: way.clone(), ..trip(vehicle) };
        let replaced =
            ReplacedRoute { vehicle: VehicleId(1), edges: way.clone(), at_index: 0, time_ms: 5_000, ordered: false };
        let step = |time_ms, report| MergedStep::of([StepReport { time_ms, ..report }]);
        vec![
            step(2_000, StepReport { departed: vec![(VehicleId(0), EdgeId(0))], ..StepReport::default() }),
            step(3_000, StepReport { departed: vec![(VehicleId(1), EdgeId(0))], ..StepReport::default() }),
            step(
                9_000,
                StepReport {
                    edges_left: vec![(VehicleId(1), 0)],
                    replaced_routes: vec![replaced],
                    ..StepReport::default()
                },
            ),
            step(20_000, StepReport { arrivals: vec![ends(1, 3_000, 20_000)], ..StepReport::default() }),
            step(22_000, StepReport { arrivals: vec![ends(0, 2_000, 22_000)], ..StepReport::default() }),
        ]
    }

    const OLD: &str = r#"    <vehicle id="b&amp;1" type="bus" depart="3.00" departLane="0" departSpeed="0.00" speedFactor="1.1000" arrival="20.00">
        <routeDistribution>
            <route replacedOnEdge="west" reason="device.rerouting" replacedAtTime="5.00" probability="0" edges="west east"/>
            <route edges="west east" exitTimes="9.00 20.00"/>
        </routeDistribution>
    </vehicle>

"#;

    fn body(options: VehrouteOptions, steps: &[MergedStep]) -> String {
        let text = written(&mut Vehroute::new(names(), options), steps, &RunEnd::default());
        let from = text.find("routes_file.xsd\">\n").unwrap() + "routes_file.xsd\">\n".len();
        text[from..].trim_end_matches("</routes>\n").to_owned()
    }

    #[test]
    fn routes_are_written_as_sumo_does() {
        let options = VehrouteOptions { exit_times: true, ..VehrouteOptions::default() };
        let text = body(options, &steps());
        assert!(text.starts_with(OLD), "{text}");
        assert!(text.contains("        <route edges=\"west east\" exitTimes=\"-1 22.00\"/>"), "{text}");
        let last = body(VehrouteOptions { last_route: true, ..VehrouteOptions::default() }, &steps());
        assert!(!last.contains("routeDistribution") && last.contains("        <route edges=\"west east\"/>"), "{last}");
    }

    #[test]
    fn sorted_vehicles_wait_for_those_that_departed_before() {
        let options = VehrouteOptions { sorted: true, ..VehrouteOptions::default() };
        let text = body(options, &steps());
        assert!(text.find("id=\"a\"").unwrap() < text.find("id=\"b&amp;1\"").unwrap(), "{text}");
        let unfinished = body(options, &steps()[..4]);
        assert!(!unfinished.contains("id=\"a\"") && unfinished.contains("id=\"b&amp;1\""), "{unfinished}");
    }

    #[test]
    fn a_sink_that_goes_on_writes_what_it_would_have_written() {
        let options = VehrouteOptions { exit_times: true, sorted: true, ..VehrouteOptions::default() };
        let steps = steps();
        let whole = body(options, &steps);
        let mut first = Vehroute::new(names(), options);
        let early = written(&mut first, &steps[..3], &RunEnd::default());
        assert!(!early.contains("<vehicle"));
        let mut first = Vehroute::new(names(), options);
        let table = first.table();
        let style = crate::scenario::OutputStyle::default();
        let numbers = crate::output::numbers::Numbers::new(&style, 1000);
        let mut out = Document::resumed(&table, crate::scenario::OutputFormat::Xml, &style, numbers).unwrap();
        steps[..3].iter().for_each(|step| first.step(step, &mut out).unwrap());
        let mut second = Vehroute::new(names(), options);
        second.restore(&first.save()).unwrap();
        assert_eq!(body_of(&mut second, &steps[3..]), whole);
    }

    fn body_of(sink: &mut Vehroute, steps: &[MergedStep]) -> String {
        let text = written(sink, steps, &RunEnd::default());
        let from = text.find("routes_file.xsd\">\n").unwrap() + "routes_file.xsd\">\n".len();
        text[from..].trim_end_matches("</routes>\n").to_owned()
    }
}
