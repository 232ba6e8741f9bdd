//! Whether all indices of a scenario point to something. The readers make no others; bytes from elsewhere may hold any, and
//! the kernel indexes by them unchecked.

use super::{OutputRequests, Settings};
use crate::demand::Demand;
use crate::graph::partition::Cut;
use crate::graph::{Network, Phase, Signal, Span};
use crate::ids::{EdgeId, LaneId, LinkId};

/// Internal lanes in a row; two are usual.
const MAX_INTERNAL_LANES: usize = 1000;
/// Times beyond this many ms would overflow when they are added; that is 30 million years.
const MAX_TIME_MS: u64 = 1 << 60;

type Checked = Result<(), String>;

/// # Errors
/// Says which object is wrong.
pub fn check(network: &Network, demand: &Demand, settings: &Settings, requests: &OutputRequests, cut: &Cut) -> Checked {
    edges_and_lanes(network)?;
    links(network)?;
    network.signals.iter().enumerate().try_for_each(|(at, s)| holds(signal(network, s), || format!("signal {at}")))?;
    routes(network, demand)?;
    requested(network, demand, requests)?;
    let Settings { begin_ms, end_ms, step_ms, .. } = settings;
    let in_time = |ms: &i64| ms.unsigned_abs() < MAX_TIME_MS;
    holds(*step_ms > 0 && [begin_ms, step_ms].into_iter().chain(end_ms).all(in_time), || "the times".to_owned())?;
    departures(network, demand, settings)?;
    let parts = usize::from(u16::MAX).min(network.edges.len().max(1));
    holds(
        (1..=parts as u32).contains(&cut.parts)
            && cut.part_of_edge.len() == network.edges.len()
            && cut.part_of_edge.iter().all(|part| u32::from(*part) < cut.parts)
            && (cut.workers.is_empty() || cut.workers.len() == cut.parts as usize),
        || "the cut".to_owned(),
    )
}

fn holds(condition: bool, what: impl FnOnce() -> String) -> Checked {
    if condition { Ok(()) } else { Err(format!("{} is wrong", what())) }
}

fn within<T>(span: Span, pool: &[T]) -> bool {
    u64::from(span.start) + u64::from(span.len) <= pool.len() as u64
}

/// Each lane belongs to one edge, at the place that it says.
fn edges_and_lanes(network: &Network) -> Checked {
    let Network { edges, lanes, links, junctions, .. } = network;
    // Ids have 32 bits, and the greatest stands for nothing.
    let most = [edges.len(), lanes.len(), links.len(), junctions.len()].into_iter().max().unwrap_or(0);
    holds(most < u32::MAX as usize, || "the size of the network".to_owned())?;
    let mut owned = 0;
    for (at, edge) in edges.iter().enumerate() {
        let span = Span { start: edge.first_lane.0, len: edge.lane_count };
        let is_whole = || {
            edge.lanes().zip(0..).all(|(lane, index)| {
                let lane = network.lane(lane);
                (lane.edge, lane.index) == (EdgeId::new(at), index)
            })
        };
        let has_ends = [edge.from, edge.to].iter().all(|junction| junction.index() < junctions.len());
        holds(edge.lane_count > 0 && within(span, lanes) && has_ends && is_whole(), || format!("edge {at}"))?;
        owned += edge.lane_count as usize;
    }
    holds(owned == lanes.len(), || "the number of lanes".to_owned())?;
    let class_limits = network.class_limits.iter().flat_map(|limits| &limits.mps);
    let are_speeds = class_limits.map(|(_, mps)| *mps).all(|mps| mps.is_finite() && mps >= 0.0);
    holds(are_speeds, || "the speed limits of classes".to_owned())?;
    for (at, lane) in lanes.iter().enumerate() {
        let spans = within(lane.links, links)
            && within(lane.incoming, &network.incoming)
            && within(lane.conflicts, &network.conflicts)
            && within(lane.shape, &network.points);
        let leaves = || links[lane.links.range()].iter().all(|link| link.from == LaneId::new(at));
        let entry = lane.entry.is_none() || lane.entry.index() < links.len();
        let sizes = [lane.length_m, lane.speed_mps, lane.width_m].iter().all(|size| size.is_finite() && *size >= 0.0);
        let limits = usize::from(lane.class_limits) <= network.class_limits.len();
        holds(spans && leaves() && entry && sizes && limits, || format!("lane {at}"))?;
    }
    Ok(())
}

fn links(network: &Network) -> Checked {
    let is_lane = |lane: LaneId| lane.index() < network.lanes.len();
    let is_link = |link: &LinkId| link.index() < network.links.len();
    for (at, link) in network.links.iter().enumerate() {
        let ends = is_lane(link.from)
            && is_lane(link.next)
            && is_lane(link.to)
            && link.junction.index() < network.junctions.len()
            && (link.signal.is_none() || link.signal.index() < network.signals.len());
        let foes = within(link.yields_to, &network.foe_links) && within(link.foes, &network.foe_links);
        holds(ends && foes, || format!("link {at}"))?;
    }
    holds(network.foe_links.iter().all(is_link), || "the list of foes".to_owned())?;
    holds(network.incoming.iter().all(is_link), || "the list of incoming links".to_owned())?;
    holds(network.conflicts.iter().all(|c| is_lane(c.foe)), || "the list of conflicts".to_owned())?;
    // A way through a junction comes out of it.
    for (at, link) in network.links.iter().enumerate() {
        let onward = |lane: &LaneId| {
            let lane = network.lane(*lane);
            lane.internal.then_some(lane.only_link()).filter(|l| l.is_some()).map(|l| network.link(l).next)
        };
        let way = std::iter::successors(Some(link.next), onward);
        holds(way.take(MAX_INTERNAL_LANES).count() < MAX_INTERNAL_LANES, || format!("the way behind link {at}"))?;
    }
    Ok(())
}

fn signal(network: &Network, signal: &Signal) -> bool {
    let is_program = |program: u32| (program as usize) < signal.programs.len();
    let has_cycle = |phases: &[Phase]| {
        let cycle = phases.iter().try_fold(0u64, |sum, p| sum.checked_add(u64::try_from(p.duration_ms).ok()?));
        cycle.is_some_and(|ms| ms < MAX_TIME_MS)
    };
    signal.lanes.iter().all(|lane| lane.is_none() || lane.index() < network.lanes.len())
        && is_program(signal.initial)
        && signal.switches.iter().all(|switch| is_program(switch.program))
        && signal.programs.iter().all(|program| {
            let phases = program.phases.len();
            program.offset_ms.unsigned_abs() < MAX_TIME_MS
                && has_cycle(&program.phases)
                && program.phases.iter().flat_map(|phase| &phase.next).all(|next| (*next as usize) < phases)
        })
}

fn routes(network: &Network, demand: &Demand) -> Checked {
    let is_edge = |edge: &EdgeId| edge.index() < network.edges.len();
    holds(demand.route_edges.iter().all(is_edge), || "the list of route edges".to_owned())?;
    holds(demand.vias.iter().all(is_edge), || "the list of vias".to_owned())?;
    for (at, route) in demand.routes.iter().enumerate() {
        // Vehicles count the edges of their routes with 16 bits.
        let length = 1..=u32::from(u16::MAX);
        holds(length.contains(&route.len) && within(*route, &demand.route_edges), || format!("route {at}"))?;
    }
    Ok(())
}

fn departures(network: &Network, demand: &Demand, settings: &Settings) -> Checked {
    // Vehicles hold their type with 16 bits.
    holds(demand.types.len() <= usize::from(u16::MAX), || "the number of types".to_owned())?;
    holds(demand.departures.len() < u32::MAX as usize, || "the number of vehicles".to_owned())?;
    for (at, departure) in demand.departures.iter().enumerate() {
        let known = departure.vtype.index() < demand.types.len()
            && departure.route.index() < demand.routes.len()
            && within(departure.via, &demand.vias)
            && within(departure.stops, &demand.stops)
            && departure.depart_ms.unsigned_abs() < MAX_TIME_MS;
        let stops_on_the_way = || {
            let route = demand.route(departure.route);
            demand.stops[departure.stops.range()].iter().all(|stop| {
                let edge = route.get(stop.route_index as usize);
                let is_there = |edge: &EdgeId| {
                    let lane = network.lanes.get(stop.lane.index());
                    lane.is_some_and(|lane| lane.edge == *edge || lane.internal)
                };
                edge.is_some_and(is_there)
                    && stop.place_index.is_none_or(|place| (place as usize) < demand.places.len())
            })
        };
        holds(known && stops_on_the_way(), || format!("departure {at}"))?;
    }
    let is_ordered = demand.departures.is_sorted_by_key(|d| d.step(settings.begin_ms, settings.step_ms));
    holds(is_ordered, || "the order of the departures".to_owned())
}

fn requested(network: &Network, demand: &Demand, requests: &OutputRequests) -> Checked {
    let are_types =
        |types: &[crate::ids::TypeId]| types.iter().all(|vtype| vtype.is_none() || vtype.index() < demand.types.len());
    let is_period = |period_ms: Option<i64>| period_ms.is_none_or(|ms| ms > 0 && ms.unsigned_abs() < MAX_TIME_MS);
    let is_lane = |lane: LaneId| lane.index() < network.lanes.len();
    holds(requests.watched_stretches().all(|(lane, _)| is_lane(lane)), || "the lanes of a detector".to_owned())?;
    for (at, (vtypes, period_ms)) in requests.counted_types().enumerate() {
        holds(are_types(vtypes) && is_period(period_ms), || format!("detector {at}"))?;
    }
    let known = |request: &super::SignalRequest| request.signal.index() < network.signals.len();
    holds(requests.signals.iter().all(known), || "the recorded signals".to_owned())?;
    let mut crossed = requests.crossings.iter().flat_map(|request| &request.edges);
    holds(crossed.all(|edge| edge.index() < network.edges.len()), || "the region".to_owned())?;
    for (at, request) in requests.mean_data.iter().enumerate() {
        let valid = request.edges.iter().all(|edge| edge.index() < network.edges.len());
        holds(valid && are_types(&request.vtypes) && is_period(request.period_ms), || format!("mean data {at}"))?;
    }
    Ok(())
}
