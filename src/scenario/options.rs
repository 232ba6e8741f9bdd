//! SUMO's options: which are taken, which are without effect on a result, and which are not supported.

use std::path::{Path, PathBuf};

use super::{ColumnHeader, OutputFormat, Rerouting, RunConfig};
use crate::attributes::{TIME_FORMS, parse_bool, parse_time_ms};

/// What became of an option.
pub(super) enum Effect {
    /// Taken, or without influence on the run.
    Done,
    /// Not supported; has no effect.
    Unknown,
    /// Taken, but not as SUMO would: says what happens instead.
    Changed(&'static str),
}

/// Options about looks, logging, speed of computation, formats, persons, railways and engines: the road traffic of a run does
/// not depend on them.
const WITHOUT_EFFECT: &[&str] = &[
    "verbose",
    "print-options",
    "no-warnings",
    "no-step-log",
    "step-log.period",
    "duration-log.disable",
    "duration-log.statistics",
    "log",
    "message-log",
    "error-log",
    "aggregate-warnings",
    "language",
    "write-license",
    "write-metadata",
    "save-template",
    "save-configuration",
    "configuration-file",
    "gui-settings-file",
    "quit-on-end",
    "start",
    "delay",
    "game",
    "demo",
    "disable-textures",
    "registry-viewport",
    "breakpoints",
    "tracker-interval",
    "window-size",
    "window-pos",
    "route-steps",
    "threads",
    "routing-algorithm",
    "device.rerouting.threads",
    "device.rerouting.synchronize",
    "device.rerouting.output",
    "thread-rngs",
    "num-clients",
    "waiting-time-memory",
    "emergencydecel.warning-threshold",
    "pedestrian.model",
    "railsignal-moving-block",
    "default.action-step-length.warn",
    "collision.check-junctions.mingap",
    "time-to-teleport.ride",
    "time-to-teleport.railsignal-deadlock",
    "time-to-teleport.bidi",
    "max-num-persons",
    "persontrip.walkfactor",
    "persontrip.transfer.car-walk",
    "tls.actuated.show-detectors",
];

/// The same for families of options.
const PREFIXES_WITHOUT_EFFECT: &[&str] =
    &["gui-", "xml-validation", "pedestrian.", "persontrip.", "person-device.", "railsignal", "overhead-wire."];

/// Sets options of a [`RunConfig`].
pub(super) struct Options<'a> {
    pub config: &'a mut RunConfig,
    /// Where relative paths start.
    pub base: &'a Path,
}

type Parsed<T> = Result<T, &'static str>;

impl Options<'_> {
    /// `Err` says what the value would have to be.
    pub fn set(&mut self, option: &str, value: &str) -> Parsed<Effect> {
        if self.set_input_or_output(option, value)? || self.set_time(option, value)? {
            return Ok(Effect::Done);
        }
        if self.set_style(option, value)? {
            return Ok(Effect::Done);
        }
        if let Some(effect) = self.set_rerouting(option, value)? {
            return Ok(effect);
        }
        if let Some(effect) = self.set_processing(option, value)? {
            return Ok(effect);
        }
        let quiet = WITHOUT_EFFECT.contains(&option)
            || PREFIXES_WITHOUT_EFFECT.iter().any(|prefix| option.starts_with(prefix))
            // A switch that is off, or a name that is empty, asks for nothing.
            || value.is_empty()
            || value == "false";
        Ok(if quiet { Effect::Done } else { Effect::Unknown })
    }

    fn path(&self, value: &str) -> PathBuf {
        self.base.join(value.trim())
    }

    fn paths(&self, value: &str) -> Vec<PathBuf> {
        value.split(',').filter(|v| !v.trim().is_empty()).map(|v| self.path(v)).collect()
    }

    fn set_input_or_output(&mut self, option: &str, value: &str) -> Parsed<bool> {
        let output = (!value.trim().is_empty()).then(|| self.path(value));
        let (inputs, path) = (self.paths(value), output.clone());
        let outputs = &mut self.config.outputs;
        match option {
            "net-file" | "net" | "n" => self.config.net = path,
            "route-files" | "routes" | "r" => self.config.routes = inputs,
            "additional-files" | "additional" | "a" => self.config.additional = inputs,
            "tripinfo-output" | "tripinfo" => outputs.tripinfo = output,
            "tripinfo-output.write-unfinished" => outputs.tripinfo_unfinished = boolean(value)?,
            "summary-output" | "summary" => outputs.summary = output,
            "summary-output.period" => outputs.summary_period_ms = time(value)?.max(0),
            "edgedata-output" => outputs.edgedata = output,
            "lanedata-output" => outputs.lanedata = output,
            "fcd-output" => outputs.fcd = output,
            "device.fcd.period" => outputs.fcd_period_ms = time(value)?.max(0),
            "statistic-output" | "statistics-output" => outputs.statistic = output,
            "vehroute-output" | "vehroutes" => outputs.vehroute = output,
            "vehroute-output.exit-times" => outputs.vehroute_options.exit_times = boolean(value)?,
            "vehroute-output.last-route" => outputs.vehroute_options.last_route = boolean(value)?,
            "vehroute-output.sorted" => outputs.vehroute_options.sorted = boolean(value)?,
            "vehroute-output.write-unfinished" => outputs.vehroute_options.write_unfinished = boolean(value)?,
            "vehroute-output.cost" => outputs.vehroute_options.cost = boolean(value)?,
            "vehroute-output.route-length" => outputs.vehroute_options.route_length = boolean(value)?,
            "vehroute-output.intended-depart" => outputs.vehroute_options.intended_depart = boolean(value)?,
            // Public transport is not told apart.
            "vehroute-output.skip-ptlines" => drop(boolean(value)?),
            "lanechange-output" => outputs.lane_changes = output,
            // Lane changes take no time here.
            "lanechange-output.started" | "lanechange-output.ended" => drop(boolean(value)?),
            "collision-output" => outputs.collisions = output,
            "queue-output" => outputs.queues = output,
            "queue-output.period" => outputs.queue_options.period_ms = time(value)?.max(0),
            "queue-output.speed-threshold" => outputs.queue_options.slow_mps = non_negative(value)?,
            "queue-output.skip-empty" => outputs.queue_options.skip_empty = boolean(value)?,
            "netstate-dump" | "ndump" | "netstate" | "netstate-output" => outputs.netstate = output,
            "netstate-dump.empty-edges" => outputs.netstate_empty_edges = boolean(value)?,
            "netstate-dump.precision" => outputs.netstate_precision = Some(decimals(value)?),
            "output-prefix" => outputs.prefix = value.to_owned(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How outputs are written.
    fn set_style(&mut self, option: &str, value: &str) -> Parsed<bool> {
        let style = &mut self.config.outputs.style;
        match option {
            "precision" => style.precision = Some(decimals(value)?),
            "human-readable-time" | "H" => style.human_readable_time = boolean(value)?,
            "output.format" => {
                style.format = match value {
                    "xml" | "" => OutputFormat::Xml,
                    "csv" => OutputFormat::Csv,
                    "parquet" => OutputFormat::Parquet,
                    _ => return Err("one of xml, csv, parquet"),
                }
            }
            "output.column-header" => {
                style.column_header = match value {
                    "none" => ColumnHeader::None,
                    "tag" => ColumnHeader::Tag,
                    "auto" | "" => ColumnHeader::Auto,
                    "plain" => ColumnHeader::Plain,
                    "full" => ColumnHeader::Full,
                    _ => return Err("one of none, tag, auto, plain, full"),
                }
            }
            "output.column-separator" => style.column_separator = Some(value.to_owned()).filter(|s| !s.is_empty()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_time(&mut self, option: &str, value: &str) -> Parsed<bool> {
        let settings = &mut self.config.settings;
        // SUMO says "never" with a negative time, for teleports also with 0.
        let unless_negative = |ms: i64| (ms >= 0).then_some(ms);
        match option {
            "begin" | "b" => {
                settings.begin_ms = unless_negative(time(value)?).ok_or("a time that is not negative")?;
            }
            "end" | "e" => settings.end_ms = unless_negative(time(value)?),
            "step-length" => match time(value)? {
                ms if ms > 0 => settings.step_ms = ms,
                _ => return Err("a time of at least 0.001 s"),
            },
            "time-to-teleport" => settings.time_to_teleport_ms = Some(time(value)?).filter(|ms| *ms > 0),
            "time-to-impatience" => settings.time_to_impatience_ms = time(value)?,
            "max-depart-delay" => settings.max_depart_delay_ms = unless_negative(time(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `None`: not one of these.
    fn set_rerouting(&mut self, option: &str, value: &str) -> Parsed<Option<Effect>> {
        let prefixes = ["device.rerouting.", "device.routing."];
        let Some(name) = prefixes.iter().find_map(|prefix| option.strip_prefix(prefix)) else { return Ok(None) };
        let rerouting = self.config.settings.rerouting.get_or_insert(Rerouting {
            probability: 0.0,
            period_ms: 0,
            pre_period_ms: 60_000,
            adaptation_interval_ms: 1000,
            adaptation_steps: 180,
            adaptation_weight: 0.0,
        });
        match name {
            // Negative: SUMO's word for "not set".
            "probability" => rerouting.probability = number(value)?.clamp(0.0, 1.0),
            "period" => rerouting.period_ms = time(value)?.max(0),
            "pre-period" => rerouting.pre_period_ms = time(value)?.max(0),
            "adaptation-interval" => rerouting.adaptation_interval_ms = time(value)?.max(0),
            "adaptation-steps" => {
                rerouting.adaptation_steps = whole(value)?.clamp(0, 1 << 20) as u32;
                if rerouting.adaptation_steps == 0 {
                    return Ok(Some(Effect::Changed("edge speeds are averaged over the last half minute")));
                }
            }
            "adaptation-weight" => {
                rerouting.adaptation_weight = number(value)?.clamp(0.0, 1.0);
                if rerouting.adaptation_weight > 0.0 {
                    return Ok(Some(Effect::Changed("edge speeds are averaged over adaptation-steps")));
                }
            }
            _ => return Ok(None),
        }
        Ok(Some(Effect::Done))
    }

    /// `None`: not one of these.
    fn set_processing(&mut self, option: &str, value: &str) -> Parsed<Option<Effect>> {
        let config = &mut *self.config;
        match option {
            "seed" => config.settings.seed = whole(value)? as u64,
            "random" => config.random_seed = boolean(value)?,
            "scale" => config.scale = non_negative(value)?,
            "ignore-route-errors" => config.ignore_route_errors = boolean(value)?,
            "default.speeddev" => {
                config.settings.default_speed_deviation = Some(number(value)?).filter(|deviation| *deviation >= 0.0);
            }
            // A bad value is found, and its place told, at the first vehicle that it counts for.
            "default.departlane" => config.departure_defaults.lane = value.to_owned(),
            "default.departspeed" => config.departure_defaults.speed = value.to_owned(),
            "ignore-accidents" => config.settings.collisions_ignored |= boolean(value)?,
            "collision.action" => match value {
                "none" => config.settings.collisions_ignored = true,
                "teleport" => config.settings.collisions_ignored = false,
                "warn" => {
                    config.settings.collisions_ignored = true;
                    return Ok(Some(Effect::Changed("collisions are not reported")));
                }
                "remove" => {
                    config.settings.collisions_ignored = false;
                    return Ok(Some(Effect::Changed("vehicles that collide are teleported")));
                }
                _ => return Err("one of none, warn, teleport, remove"),
            },
            "ignore-junction-blocker" => {
                config.settings.ignore_junction_blocker_ms = Some(time(value)?).filter(|ms| *ms >= 0);
            }
            "lanechange.duration" => {
                config.settings.lanechange_duration_ms = time(value)?.max(0);
                if config.settings.lanechange_duration_ms > 0 {
                    return Ok(Some(Effect::Changed("lane changes take no time")));
                }
            }
            "lateral-resolution" if number(value)? > 0.0 => {
                return Ok(Some(Effect::Changed("vehicles keep to the middle of their lanes")));
            }
            "lateral-resolution" => {}
            _ => return Ok(None),
        }
        Ok(Some(Effect::Done))
    }
}

fn time(value: &str) -> Parsed<i64> {
    parse_time_ms(value).ok_or(TIME_FORMS)
}

fn boolean(value: &str) -> Parsed<bool> {
    parse_bool(value).ok_or("'true' or 'false'")
}

fn number(value: &str) -> Parsed<f64> {
    value.trim().parse().ok().filter(|v: &f64| v.is_finite()).ok_or("a finite number")
}

fn non_negative(value: &str) -> Parsed<f64> {
    number(value)?.ge(&0.0).then(|| number(value)).ok_or("a number that is not negative")?
}

/// Decimal places.
fn decimals(value: &str) -> Parsed<u8> {
    u8::try_from(whole(value)?).ok().filter(|places| *places <= 16).ok_or("a whole number from 0 to 16")
}

fn whole(value: &str) -> Parsed<i64> {
    value.trim().parse().map_err(|_| "a whole number")
}
