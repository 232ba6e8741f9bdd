//! Loads all that a run needs, in SUMO's order: the network, then additional files, then routes.

use std::path::Path;

use super::detectors::DetectorReader;
use super::walk::walk;
use super::{OutputRequests, RunConfig, Settings, Source};
use crate::attributes::Attributes;
use crate::coverage::check_left_out;
use crate::demand::{Demand, DemandBuilder, DemandOptions, RoadGraph};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::Network;
use crate::graph::sumo::{NetworkBuilder, NetworkIndex};
use crate::xml::{Element, XmlReader};

/// Everything that a run starts from.
#[derive(Debug)]
pub struct Scenario {
    pub network: Network,
    pub demand: Demand,
    pub settings: Settings,
    pub requests: OutputRequests,
}

/// Time from the beginning of a run in which no routes by its traffic can be had yet, ms; at least.
const UNMEASURED_MS: i64 = 60_000;

/// Reads the files of a configuration.
pub fn load(config: &RunConfig, warnings: &mut Warnings) -> Result<Scenario, InputError> {
    config.validate("configuration")?;
    let network = load_network(config, warnings)?;
    let index = NetworkIndex::new(&network);
    let graph = RoadGraph::new(&network);
    let mut settings = config.settings.clone();
    // As SUMO, a run whose end is its begin does one step.
    if settings.end_ms == Some(settings.begin_ms) {
        settings.end_ms = Some(settings.begin_ms + settings.step_ms);
    }
    let options = DemandOptions {
        begin_ms: settings.begin_ms,
        end_ms: settings.end_ms,
        step_ms: settings.step_ms,
        seed: settings.seed,
        scale: config.scale,
        ignore_route_errors: config.ignore_route_errors,
        junction_zones: config.junction_zones,
        default_speed_deviation: settings.default_speed_deviation,
        emergency_decel: config.emergency_decel,
        random_depart_offset_ms: config.random_depart_offset_ms,
        departure_defaults: config.departure_defaults.clone(),
        rerouting_share: settings.rerouting.as_ref().map_or(0.0, |rerouting| rerouting.probability),
        // Until the first routes by the traffic are there; without measured travel times, always.
        unmeasured_until_ms: match &settings.rerouting {
            Some(rerouting) if rerouting.adaptation_interval_ms == 0 => i64::MAX,
            _ => settings.begin_ms.saturating_add(UNMEASURED_MS).saturating_add(2 * settings.step_ms),
        },
    };
    let mut reader = ScenarioReader {
        network: &network,
        index: &index,
        demand: DemandBuilder::new(&network, &index, &graph, options),
        detectors: DetectorReader::default(),
        in_routes: false,
        warnings,
    };
    for (in_routes, files) in [(false, &config.additional), (true, &config.routes)] {
        reader.in_routes = in_routes;
        for path in files {
            reader.demand.begin_file(in_routes && config.sorted_routes);
            walk(path, &mut |file, element| reader.read(file, element))?;
        }
    }
    let ScenarioReader { demand, detectors, .. } = reader;
    let requests = detectors.finish(|name| demand.types_named(name), warnings)?;
    let demand = demand.finish(warnings);
    Ok(Scenario { network, demand, settings, requests })
}

/// The network with the signal programs of additional files, which complete it; all else in these files refers to it and is
/// read when it is complete.
fn load_network(config: &RunConfig, warnings: &mut Warnings) -> Result<Network, InputError> {
    let path = config.net.as_deref().unwrap_or(Path::new(""));
    let mut builder = NetworkBuilder::new().with_begin_ms(config.settings.begin_ms);
    let mut reader = XmlReader::new(path.display().to_string(), Source::open(path)?);
    builder.read_net(&mut reader, warnings)?;
    for path in &config.additional {
        walk(path, &mut |reader, element| match element.name.as_str() {
            "tlLogic" => builder.read_tl_logic(reader, element, warnings),
            "WAUT" => builder.read_waut(reader, element, warnings),
            "wautJunction" => builder.read_waut_junction(reader, element, warnings),
            "type" => builder.read_type(reader, element, warnings),
            _ => reader.skip(),
        })?;
    }
    builder.finish(warnings)
}

/// Sends each element of a route or additional file to the one who knows it.
struct ScenarioReader<'n, 'w> {
    network: &'n Network,
    index: &'n NetworkIndex,
    demand: DemandBuilder<'n>,
    detectors: DetectorReader,
    /// The file is a route file, not an additional file.
    in_routes: bool,
    warnings: &'w mut Warnings,
}

impl ScenarioReader<'_, '_> {
    fn read(&mut self, reader: &mut XmlReader<Source>, element: &Element) -> Result<(), InputError> {
        if self.demand.read(reader, element, self.warnings)? {
            return Ok(());
        }
        if self.detectors.read(reader, element, self.network, self.index, self.warnings)? {
            return Ok(());
        }
        let attributes = Attributes::new(reader.file(), element);
        match element.name.as_str() {
            // Read with the network.
            "tlLogic" | "WAUT" | "wautJunction" if !self.in_routes => {}
            name @ ("tlLogic" | "WAUT" | "wautJunction") => {
                let kind = format!("element '{name}' in a route file");
                self.warnings.add(kind, attributes.at(), "it is left out; put it into an additional file");
            }
            // Read with the network.
            "type" if !self.in_routes => {}
            _ => {
                let parent = if self.in_routes { "routes" } else { "additional" };
                check_left_out(element, parent, attributes.at(), self.warnings);
            }
        }
        reader.skip()
    }
}
