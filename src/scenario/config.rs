//! What to run: the options of a SUMO configuration and of the command line, in one place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::expand::{decode_percent, expand_variables};
use super::options::{Effect, Options};
use super::sumo_option::{Kind, Status, SumoOption};
use super::{OutputPaths, Report, Settings, Source};
use crate::demand::{DefaultEmergencyDecel, DepartureDefaults};
use crate::diagnostics::{InputError, Location, Warnings};
use crate::xml::{Node, XmlReader};

/// Everything that a `.sumocfg` (or SUMO's command line) says about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunConfig {
    /// `net-file`.
    pub net: Option<PathBuf>,
    /// `route-files`.
    pub routes: Vec<PathBuf>,
    /// `additional-files`.
    pub additional: Vec<PathBuf>,
    pub settings: Settings,
    pub outputs: OutputPaths,
    /// `scale`: multiplies the demand.
    pub scale: f64,
    /// `route-steps` above 0, SUMO's default: route files are sorted by departure time.
    pub sorted_routes: bool,
    /// `junction-taz`: trips may begin and end at junctions.
    pub junction_zones: bool,
    /// `ignore-route-errors`: teleport vehicles over gaps of their routes, and leave those out that cannot depart.
    pub ignore_route_errors: bool,
    /// `default.departlane`, `default.departspeed`.
    pub departure_defaults: DepartureDefaults,
    /// `random`: the caller draws a new seed for the run.
    pub random_seed: bool,
    /// `random-depart-offset`: departures are later by a random time up to this.
    pub random_depart_offset_ms: i64,
    /// `default.emergencydecel`.
    pub emergency_decel: DefaultEmergencyDecel,
    pub report: Report,
    /// All options that were set, with their values as they are written in a configuration.
    pub given: BTreeMap<&'static str, String>,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            net: None,
            routes: Vec::new(),
            additional: Vec::new(),
            settings: Settings::default(),
            outputs: OutputPaths::default(),
            scale: 1.0,
            sorted_routes: true,
            junction_zones: false,
            ignore_route_errors: false,
            departure_defaults: DepartureDefaults::default(),
            random_seed: false,
            random_depart_offset_ms: 0,
            emergency_decel: DefaultEmergencyDecel::default(),
            report: Report::default(),
            given: BTreeMap::new(),
        }
    }
}

impl RunConfig {
    /// Reads a `.sumocfg`; its paths are relative to its directory.
    pub fn read(path: &Path, warnings: &mut Warnings) -> Result<Self, InputError> {
        let mut config = Self::default();
        let mut reader = XmlReader::new(path.display().to_string(), Source::open(path)?);
        let base = path.parent().unwrap_or(Path::new(""));
        let mut is_root = true;
        while let Some(node) = reader.next()? {
            let Node::Start(element) = node else { continue };
            if std::mem::take(&mut is_root) {
                if !matches!(element.name.as_str(), "configuration" | "sumoConfiguration") {
                    let message = format!("'{}' is not the root of a SUMO configuration", element.name);
                    return Err(reader.error(&element, message));
                }
                continue;
            }
            let at = reader.at(&element);
            let Some(value) = element.get("value").or_else(|| element.get("v")) else {
                // An element without a value is a section, and one of these has a name that an option has, too.
                if element.name != "configuration" && SumoOption::find(&element.name).is_some() {
                    return Err(InputError::new(at, "attribute 'value' is missing"));
                }
                continue;
            };
            let option = SumoOption::find(&element.name)
                .ok_or_else(|| InputError::new(at.clone(), SumoOption::unknown(&element.name)))?;
            if config.given.contains_key(option.name) {
                return Err(InputError::new(at, format!("option {} is set twice", option.name)));
            }
            let value =
                if matches!(option.kind, Kind::File | Kind::Files) { decode_percent(value) } else { value.to_owned() };
            config.set(&element.name, &value, base, at, warnings)?;
        }
        Ok(config)
    }

    /// A configuration file, if one is given, overridden by options of the command line, whose paths are relative to the
    /// working directory.
    pub fn from_command_line<'o>(
        file: Option<&Path>,
        options: impl IntoIterator<Item = (&'o str, &'o str)>,
        warnings: &mut Warnings,
    ) -> Result<Self, InputError> {
        let mut config = file.map_or_else(|| Ok(Self::default()), |path| Self::read(path, warnings))?;
        for (option, value) in options {
            let at = Location::file("command line");
            config.set(option, value, Path::new(""), at, warnings)?;
        }
        config.validate(&file.map_or("command line".to_owned(), |path| path.display().to_string()))?;
        Ok(config)
    }

    /// Sets one option by a name that SUMO knows. Relative paths are taken from `base`; `at` is named in messages. An option that
    /// is not supported gives a warning, unless road traffic and outputs do not depend on it or the value is its default.
    pub fn set(
        &mut self,
        name: &str,
        value: &str,
        base: &Path,
        at: Location,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let option = SumoOption::find(name).ok_or_else(|| InputError::new(at.clone(), SumoOption::unknown(name)))?;
        let value = expand_variables(value);
        let bad = |expected: &str| {
            InputError::new(at.clone(), format!("option {}: '{value}' has to be {expected}", option.name))
        };
        option.check(&value).map_err(bad)?;
        let effect = Options { config: self, base }.set(option.name, &value).map_err(bad)?;
        self.given.insert(option.name, in_configuration(option, &value, base));
        match effect {
            Effect::Changed(instead) => {
                warnings.add(format!("option '{}' is not fully supported", option.name), at, instead);
            }
            Effect::NotTaken if option.status == Status::Warned && !option.is_default(&value) => {
                warnings.add(format!("option '{}' is not supported", option.name), at, option.note);
            }
            Effect::Done | Effect::NotTaken => {}
        }
        Ok(())
    }

    /// Checks what options demand of each other; `source` is named in messages.
    pub fn validate(&self, source: &str) -> Result<(), InputError> {
        let fail = |message: String| Err(InputError::file(source, message));
        if self.net.is_none() {
            return fail("no road network given; set net-file".to_owned());
        }
        // A client would wait for a server that never answers.
        if let Some(port) = self.given.get("remote-port").filter(|port| port.trim().parse() != Ok(0)) {
            return fail(format!("option remote-port: '{port}' has to be 0: this version has no TraCI server"));
        }
        let Settings { begin_ms, end_ms, .. } = self.settings;
        if let Some(end_ms) = end_ms
            && end_ms < begin_ms
        {
            let (begin_s, end_s) = (begin_ms as f64 / 1000.0, end_ms as f64 / 1000.0);
            return fail(format!("the end ({end_s} s) is before the begin ({begin_s} s)"));
        }
        Ok(())
    }
}

/// A value as it is written in a configuration in the working directory.
fn in_configuration(option: &SumoOption, value: &str, base: &Path) -> String {
    let join = |path: &str| base.join(path.trim()).display().to_string();
    match option.kind {
        _ if value.is_empty() => String::new(),
        Kind::File => join(value),
        Kind::Files => value.split(',').map(join).collect::<Vec<_>>().join(","),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> (Result<RunConfig, String>, Vec<String>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("run.sumocfg");
        std::fs::write(&path, xml).expect("writing");
        let mut warnings = Warnings::default();
        let config = RunConfig::read(&path, &mut warnings).map_err(|e| {
            let text = e.to_string();
            text.split_once("run.sumocfg").map_or(text.clone(), |(_, rest)| rest.to_owned())
        });
        // Paths relative to the directory again, which differs in every run.
        let config = config.map(|mut c| {
            let relative = |p: &mut PathBuf| {
                if let Ok(rest) = p.strip_prefix(directory.path()) {
                    *p = rest.to_owned();
                }
            };
            c.net
                .iter_mut()
                .chain(&mut c.routes)
                .chain(&mut c.additional)
                .chain(&mut c.outputs.tripinfo)
                .for_each(relative);
            c
        });
        (config, warnings.iter().map(|(kind, ..)| kind.to_owned()).collect())
    }

    #[test]
    fn a_configuration_with_sections_is_read() {
        let (config, warnings) = read(
            r#"<?xml version="1.0"?>
            <configuration>
                <input>
                    <net-file value="a.net.xml"/>
                    <route-files value="b.rou.xml, sub/c.rou.xml.gz"/>
                    <additional-files value="/abs/d.add.xml"/>
                </input>
                <time><begin value="08:00:00"/><end value="30000"/><step-length value="0.5"/></time>
                <processing>
                    <time-to-teleport value="-1"/>
                    <ignore-route-errors value="true"/>
                    <lateral-resolution value="0.8"/>
                    <max-depart-delay value="900"/>
                    <device.rerouting.probability value="0.3"/>
                    <device.rerouting.period value="60"/>
                    <max-num-vehicles value="3"/>
                    <sloppy-insert value="false"/>
                </processing>
                <output><tripinfo-output value="out/t.xml"/></output>
                <report><verbose value="true"/><no-step-log value="true"/></report>
                <gui_only><gui-settings-file value="view.xml"/><start value="true"/></gui_only>
                <random_number><seed value="42"/></random_number>
            </configuration>"#,
        );
        let config = config.expect("a good configuration");
        assert_eq!(config.net, Some("a.net.xml".into()));
        assert_eq!(config.routes, [PathBuf::from("b.rou.xml"), "sub/c.rou.xml.gz".into()]);
        assert_eq!(config.additional, [PathBuf::from("/abs/d.add.xml")]);
        assert_eq!(config.outputs.tripinfo, Some("out/t.xml".into()));
        let settings = &config.settings;
        assert_eq!((settings.begin_ms, settings.end_ms, settings.step_ms), (28_800_000, Some(30_000_000), 500));
        assert_eq!((settings.seed, settings.time_to_teleport_ms), (42, None));
        assert_eq!(settings.max_depart_delay_ms, Some(900_000));
        let rerouting = settings.rerouting.as_ref().expect("rerouting");
        assert_eq!((rerouting.probability, rerouting.period_ms, rerouting.adaptation_steps), (0.3, 60_000, 180));
        assert!(config.ignore_route_errors);
        assert_eq!(
            warnings,
            ["option 'lateral-resolution' is not supported", "option 'max-num-vehicles' is not supported"]
        );
    }

    #[test]
    fn bad_configurations_are_errors_that_say_where() {
        let check = |xml: &str, expected: &str| {
            assert_eq!(read(xml).0.expect_err(xml), expected);
        };
        check("<net/>", ":1: net: 'net' is not the root of a SUMO configuration");
        check(
            "<configuration>\n<begin value=\"soon\"/></configuration>",
            ":2: begin: option begin: 'soon' has to be a time in seconds, as HH:MM:SS or as D:HH:MM:SS",
        );
        check(
            "<configuration><step-length value=\"0\"/></configuration>",
            ":1: step-length: option step-length: '0' has to be a time of at least 0.001 s",
        );
        check(
            "<configuration><seed value=\"NaN\"/></configuration>",
            ":1: seed: option seed: 'NaN' has to be a whole number",
        );
        assert!(read("<configuration>").0.expect_err("cut off").contains("cut off"));
        check(
            "<configuration><route-file value=\"a\"/></configuration>",
            ":1: route-file: SUMO has no option 'route-file'; did you mean 'route-files'?",
        );
        check(
            "<configuration><begin value=\"1\"/>\n<b value=\"2\"/></configuration>",
            ":2: b: option begin is set twice",
        );
        check(
            "<configuration><route-files>a.xml</route-files></configuration>",
            ":1: route-files: attribute 'value' is missing",
        );
    }

    #[test]
    fn an_end_before_the_begin_and_a_missing_net_are_refused() {
        let mut config = RunConfig::default();
        assert!(config.validate("x").expect_err("no net").message.contains("net-file"));
        config.net = Some("n".into());
        assert!(config.validate("x").is_ok());
        config.settings.begin_ms = 10;
        config.settings.end_ms = Some(5);
        assert!(config.validate("x").expect_err("end").message.contains("before the begin"));
    }
}
