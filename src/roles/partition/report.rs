//! What a cut means for each partition.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::demand::Demand;
use crate::graph::partition::Cut;
use crate::graph::{EdgeKind, Network};
use crate::ids::EdgeId;
use crate::scenario::weights_of_traffic;
use crate::sim::{Mirror, Scope, World};

/// One partition of a cut.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartitionLine {
    pub partition: u16,
    /// Who should host it, if somebody was named.
    pub worker: Option<Box<str>>,
    /// Roads, without the ways through junctions.
    pub edges: usize,
    pub lane_m: f64,
    /// Vehicles on its roads at once, in the mean, if all drove as on empty roads.
    pub vehicles: f64,
    /// Lanes of others that it mirrors.
    pub halo_lanes: usize,
    /// Who sends it frames.
    pub neighbours: Vec<u16>,
}

/// A cut in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartitionReport {
    pub partitions: Vec<PartitionLine>,
    /// Roads that traffic may come onto from another partition, of all.
    pub cut_edges: usize,
    pub edges: usize,
    /// Share of the traffic that passes over them, 0…1.
    pub cut_share: f64,
    /// Expected work of the fullest partition over the mean.
    pub balance: f64,
}

impl PartitionReport {
    pub fn of(world: &Arc<World>, cut: &Cut) -> Self {
        let network = &world.network;
        let vehicles = vehicles_at_once(world);
        let scopes: Vec<Scope> = (0..cut.parts as u16).map(|part| Scope::new(world, part, &cut.part_of_edge)).collect();
        let line = |own: &Scope| {
            let others = scopes.iter().filter(|other| other.part != own.part);
            let sends = |other: &&Scope| !Mirror::between(world, other, own).is_empty();
            let roads = own.own_edges.iter().filter(|edge| network.edge(**edge).kind == EdgeKind::Normal);
            let lanes = |edge: &EdgeId| network.edge(*edge).lanes().map(|lane| network.lane(lane).length_m);
            PartitionLine {
                partition: own.part,
                worker: cut.workers.get(usize::from(own.part)).cloned().flatten(),
                edges: roads.clone().count(),
                lane_m: roads.clone().flat_map(lanes).sum(),
                vehicles: roads.map(|edge| vehicles[edge.index()]).sum(),
                halo_lanes: own.known_lanes.len() - own.own_lanes.len(),
                neighbours: others.filter(sends).map(|other| other.part).collect(),
            }
        };
        let quality = cut.report(network, &weights_of_traffic(network, &world.demand));
        Self {
            partitions: scopes.iter().map(line).collect(),
            cut_edges: quality.cut_roads,
            edges: quality.roads,
            cut_share: quality.cut_share,
            balance: quality.balance,
        }
    }
}

/// By edge: vehicles at once, in the mean over the run.
fn vehicles_at_once(world: &World) -> Vec<f64> {
    let (network, demand): (&Network, &Demand) = (&world.network, &world.demand);
    let mut seconds = vec![0.0; network.edges.len()];
    let settings = &world.settings;
    let mut end_ms = settings.begin_ms;
    for departure in &demand.departures {
        end_ms = end_ms.max(departure.depart_ms);
        let vtype = &demand.types[departure.vtype.index()];
        for edge in demand.route(departure.route) {
            let road = network.edge(*edge);
            let limit = network.lane(road.first_lane).speed_mps * f64::from(departure.speed_factor);
            seconds[edge.index()] += road.length_m / limit.min(vtype.max_speed_mps).max(0.1);
        }
    }
    let duration_s = (settings.end_ms.unwrap_or(end_ms) - settings.begin_ms) as f64 / 1000.0;
    seconds.iter().map(|seconds| seconds / duration_s.max(1.0)).collect()
}

impl fmt::Display for PartitionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partitions, cut_edges, edges, cut_share, balance } = self;
        let percent = cut_share * 100.0;
        writeln!(
            f,
            "{} partitions, {cut_edges} of {edges} edges cut ({percent:.1} % of the traffic), balance {balance:.2}",
            partitions.len()
        )?;
        writeln!(f, "PARTITION   EDGES   LANE KM  VEHICLES  HALO LANES  NEIGHBOURS")?;
        for line in partitions {
            let PartitionLine { partition, worker, edges, lane_m, vehicles, halo_lanes, neighbours } = line;
            let neighbours: Vec<String> = neighbours.iter().map(u16::to_string).collect();
            let (neighbours, lane_km) = (neighbours.join(" "), lane_m / 1000.0);
            let row = format!("{partition:9}  {edges:6}  {lane_km:8.2}  {vehicles:8.1}  {halo_lanes:10}  {neighbours}");
            let worker = worker.as_ref().map(|worker| format!("  on {worker}")).unwrap_or_default();
            writeln!(f, "{}{worker}", row.trim_end())?;
        }
        Ok(())
    }
}
