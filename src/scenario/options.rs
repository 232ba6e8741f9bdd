//! What SUMO's options change in a run. Whether one does is said by the table of options, too (`option_table.rs`).

use std::path::{Path, PathBuf};

use super::expand::expand_time;
use super::{CollisionAction, ColumnHeader, OutputFormat, Rerouting, RunConfig};
use crate::attributes::{TIME_FORMS, parse_bool, parse_number, parse_time_ms};
use crate::demand::DefaultEmergencyDecel;

/// What became of an option.
pub(super) enum Effect {
    Done,
    /// None of those that are taken.
    NotTaken,
    /// Taken, but not as SUMO would: says what happens instead.
    Changed(&'static str),
}

/// Sets options of a [`RunConfig`].
pub(super) struct Options<'a> {
    pub config: &'a mut RunConfig,
    /// Where relative paths start.
    pub base: &'a Path,
}

type Parsed<T> = Result<T, &'static str>;

impl Options<'_> {
    /// Takes the value of an option by its name in the table. `Err` says what the value would have to be.
    pub fn set(&mut self, option: &str, value: &str) -> Parsed<Effect> {
        if self.set_input_or_output(option, value)?
            || self.set_style(option, value)?
            || self.set_report(option, value)?
            || self.set_time(option, value)?
            || self.set_collision(option, value)?
        {
            return Ok(Effect::Done);
        }
        if let Some(name) = option.strip_prefix("device.rerouting.") {
            return self.set_rerouting(name, value);
        }
        self.set_processing(option, value)
    }

    fn path(&self, value: &str) -> PathBuf {
        self.base.join(value.trim())
    }

    fn optional_path(&self, value: &str) -> Option<PathBuf> {
        (!value.trim().is_empty()).then(|| self.path(value))
    }

    fn paths(&self, value: &str) -> Vec<PathBuf> {
        value.split(',').filter(|v| !v.trim().is_empty()).map(|v| self.path(v)).collect()
    }

    fn set_input_or_output(&mut self, option: &str, value: &str) -> Parsed<bool> {
        let output = self.optional_path(value);
        let (inputs, path) = (self.paths(value), output.clone());
        let outputs = &mut self.config.outputs;
        match option {
            "net-file" => self.config.net = path,
            "route-files" => self.config.routes = inputs,
            "additional-files" => self.config.additional = inputs,
            "tripinfo-output" => outputs.tripinfo = output,
            "tripinfo-output.write-unfinished" => outputs.tripinfo_unfinished = boolean(value)?,
            "summary-output" => outputs.summary = output,
            "summary-output.period" => outputs.summary_period_ms = time(value)?.max(0),
            "edgedata-output" => outputs.edgedata = output,
            "lanedata-output" => outputs.lanedata = output,
            "fcd-output" => outputs.fcd = output,
            "device.fcd.period" => outputs.fcd_period_ms = time(value)?.max(0),
            "statistic-output" => outputs.statistic = output,
            "vehroute-output" => outputs.vehroute = output,
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
            "stop-output" => outputs.stops = output,
            "queue-output" => outputs.queues = output,
            "queue-output.period" => outputs.queue_options.period_ms = time(value)?.max(0),
            "queue-output.speed-threshold" => outputs.queue_options.slow_mps = non_negative(value)?,
            "queue-output.skip-empty" => outputs.queue_options.skip_empty = boolean(value)?,
            "netstate-dump" => outputs.netstate = output,
            "netstate-dump.empty-edges" => outputs.netstate_empty_edges = boolean(value)?,
            "netstate-dump.precision" => outputs.netstate_precision = Some(decimals(value)?),
            "output-prefix" => outputs.prefix = expand_time(value),
            "output-suffix" => outputs.suffix = expand_time(value),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_report(&mut self, option: &str, value: &str) -> Parsed<bool> {
        let path = self.optional_path(value);
        let report = &mut self.config.report;
        match option {
            "verbose" => report.verbose = boolean(value)?,
            "no-warnings" => report.no_warnings = boolean(value)?,
            "no-step-log" => report.no_step_log = boolean(value)?,
            "duration-log.disable" => report.no_performance = boolean(value)?,
            "duration-log.statistics" => report.statistics = boolean(value)?,
            "print-options" => report.print_options = boolean(value)?,
            "log" => report.log = path,
            "message-log" => report.message_log = path,
            "error-log" => report.error_log = path,
            "log.timestamps" => report.timestamps = boolean(value)?,
            "log.processid" => report.process_id = boolean(value)?,
            "save-configuration" => report.save_configuration = path,
            "save-template" => report.save_template = path,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How outputs are written.
    fn set_style(&mut self, option: &str, value: &str) -> Parsed<bool> {
        let style = &mut self.config.outputs.style;
        match option {
            "precision" => style.precision = Some(decimals(value)?),
            "human-readable-time" => style.human_readable_time = boolean(value)?,
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
            "begin" => {
                settings.begin_ms = unless_negative(time(value)?).ok_or("a time that is not negative")?;
            }
            "end" => settings.end_ms = unless_negative(time(value)?),
            "step-length" => match time(value)? {
                ms if ms > 0 => settings.step_ms = ms,
                _ => return Err("a time of at least 0.001 s"),
            },
            "time-to-teleport" => settings.time_to_teleport_ms = Some(time(value)?).filter(|ms| *ms > 0),
            "time-to-teleport.highways" => {
                settings.time_to_teleport_highways_ms = Some(time(value)?).filter(|ms| *ms > 0);
            }
            "time-to-teleport.highways.min-speed" => settings.highway_min_speed_mps = number(value)?,
            "time-to-teleport.disconnected" => {
                settings.time_to_teleport_disconnected_ms = unless_negative(time(value)?);
            }
            "time-to-teleport.remove" => settings.teleports_remove = boolean(value)?,
            "time-to-impatience" => settings.time_to_impatience_ms = time(value)?,
            "max-depart-delay" => settings.max_depart_delay_ms = unless_negative(time(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_collision(&mut self, option: &str, value: &str) -> Parsed<bool> {
        let collisions = &mut self.config.settings.collisions;
        match option {
            "ignore-accidents" => {
                if boolean(value)? {
                    collisions.action = CollisionAction::Ignore;
                }
            }
            "collision.action" => {
                collisions.action = match value.trim() {
                    "none" => CollisionAction::Ignore,
                    "warn" => CollisionAction::Warn,
                    "teleport" => CollisionAction::Teleport,
                    "remove" => CollisionAction::Remove,
                    _ => return Err("one of none, warn, teleport, remove"),
                };
            }
            "collision.mingap-factor" => {
                collisions.min_gap_factor = Some(number(value)?).filter(|factor| *factor >= 0.0);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_rerouting(&mut self, name: &str, value: &str) -> Parsed<Effect> {
        let mut rerouting = self.config.settings.rerouting.clone().unwrap_or(Rerouting {
            probability: 0.0,
            period_ms: 0,
            pre_period_ms: 60_000,
            adaptation_interval_ms: 1000,
            adaptation_steps: 180,
            adaptation_weight: 0.0,
        });
        let mut effect = Effect::Done;
        match name {
            // Negative: SUMO's word for "not set".
            "probability" => rerouting.probability = number(value)?.clamp(0.0, 1.0),
            "period" => rerouting.period_ms = time(value)?.max(0),
            "pre-period" => rerouting.pre_period_ms = time(value)?.max(0),
            "adaptation-interval" => match time(value)? {
                ms if ms >= 0 => rerouting.adaptation_interval_ms = ms,
                _ => return Err("a time that is not negative"),
            },
            "adaptation-steps" => {
                rerouting.adaptation_steps = whole(value)?.clamp(0, 1 << 20) as u32;
                if rerouting.adaptation_steps == 0 {
                    effect = Effect::Changed("edge speeds are averaged over the last half minute");
                }
            }
            "adaptation-weight" => {
                rerouting.adaptation_weight = number(value)?.clamp(0.0, 1.0);
                if rerouting.adaptation_weight > 0.0 {
                    effect = Effect::Changed("edge speeds are averaged over adaptation-steps");
                }
            }
            _ => return Ok(Effect::NotTaken),
        }
        self.config.settings.rerouting = Some(rerouting);
        Ok(effect)
    }

    fn set_processing(&mut self, option: &str, value: &str) -> Parsed<Effect> {
        let config = &mut *self.config;
        match option {
            "seed" => config.settings.seed = whole(value)? as u64,
            "random" => config.random_seed = boolean(value)?,
            "scale" => config.scale = non_negative(value)?,
            "random-depart-offset" => config.random_depart_offset_ms = time(value)?.max(0),
            "ignore-route-errors" => config.ignore_route_errors = boolean(value)?,
            "route-steps" => config.sorted_routes = time(value)? > 0,
            "junction-taz" => config.junction_zones = boolean(value)?,
            "default.speeddev" => {
                config.settings.default_speed_deviation = Some(number(value)?).filter(|deviation| *deviation >= 0.0);
            }
            "default.emergencydecel" => {
                config.emergency_decel = match value.trim() {
                    "default" => DefaultEmergencyDecel::OfClass,
                    "decel" => DefaultEmergencyDecel::AsDecel,
                    number => DefaultEmergencyDecel::Fixed(
                        parse_number(number)
                            .filter(|decel| *decel > 0.0)
                            .ok_or("a number above 0, 'decel' or 'default'")?,
                    ),
                };
            }
            // A bad value is found, and its place told, at the first vehicle that it counts for.
            "default.departlane" => config.departure_defaults.lane = value.to_owned(),
            "default.departspeed" => config.departure_defaults.speed = value.to_owned(),
            "ignore-junction-blocker" => {
                config.settings.ignore_junction_blocker_ms = Some(time(value)?).filter(|ms| *ms >= 0);
            }
            "tls.actuated.jam-threshold" => {
                config.settings.actuated_jam_threshold_ms = Some(time(value)?).filter(|ms| *ms > 0);
            }
            "lanechange.duration" => {
                config.settings.lanechange_duration_ms = time(value)?.max(0);
                if config.settings.lanechange_duration_ms > 0 {
                    return Ok(Effect::Changed("lane changes take no time"));
                }
            }
            // Refused with the other options, since a later value may be 0.
            "remote-port" => {}
            "configuration-file" | "threads" | "help" | "version" => {}
            _ => return Ok(Effect::NotTaken),
        }
        Ok(Effect::Done)
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
