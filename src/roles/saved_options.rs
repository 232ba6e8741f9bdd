//! SUMO's options `print-options`, `save-configuration` and `save-template`: what is set, as text and as files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::given::configuration;
use crate::cli::{InputArgs, template};
use crate::diagnostics::{InputError, Warnings};
use crate::scenario::{OptionKind, SUMO_OPTIONS, SumoOption, Topic};

/// Writes what the command line asks for about its options. `true`: that was all.
///
/// # Errors
/// A file cannot be written, or the options are bad.
pub fn wrote_options(args: &InputArgs) -> Result<bool, InputError> {
    const ASKING: &[&str] = &["print-options", "save-configuration", "save-template"];
    if !args.sumo_options().any(|(name, _)| ASKING.contains(&name)) {
        return Ok(false);
    }
    let config = configuration(args.configuration.as_deref(), args, &mut Warnings::default())?;
    if config.report.print_options {
        print!("{}", listed(&config.given));
    }
    let report = &config.report;
    if let Some(path) = &report.save_template {
        write(path, &template())?;
    }
    if let Some(path) = &report.save_configuration {
        write(path, &saved(&config.given, path))?;
    }
    Ok(report.save_template.is_some() || report.save_configuration.is_some())
}

fn write(path: &Path, text: &str) -> Result<(), InputError> {
    std::fs::write(path, text)
        .map_err(|error| InputError::file(path.display().to_string(), format!("the file cannot be written: {error}")))
}

/// All options with their values.
fn listed(given: &BTreeMap<&'static str, String>) -> String {
    let mut text = "Options set:\n".to_owned();
    for option in SUMO_OPTIONS {
        let value = given.get(option.name).map_or(option.default, String::as_str);
        let _ = writeln!(text, "{}: {}", option.name, if value.is_empty() { "<INVALID>" } else { value });
    }
    text
}

/// The options that are set, as a configuration in the file `path`.
fn saved(given: &BTreeMap<&'static str, String>, path: &Path) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n<configuration>\n".to_owned();
    for topic in Topic::ALL {
        let options: Vec<(&SumoOption, &String)> = given
            .iter()
            .filter_map(|(name, value)| Some((SumoOption::find(name)?, value)))
            .filter(|(option, _)| option.topic == topic && topic != Topic::Configuration)
            .collect();
        if options.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n    <{}>", topic.section());
        for (option, value) in options {
            let value = match option.kind {
                OptionKind::File => from_folder(path, value),
                OptionKind::Files => value.split(',').map(|file| from_folder(path, file)).collect::<Vec<_>>().join(","),
                _ => value.clone(),
            };
            let _ = writeln!(text, "        <{} value=\"{}\"/>", option.name, escaped(&value));
        }
        let _ = writeln!(text, "    </{}>", topic.section());
    }
    text + "\n</configuration>\n"
}

/// A path that is relative to the working directory, as it is from the folder of `configuration`.
fn from_folder(configuration: &Path, file: &str) -> String {
    let folder = configuration.parent().unwrap_or(Path::new(""));
    if file.is_empty() || folder.as_os_str().is_empty() || Path::new(file).is_absolute() {
        return file.to_owned();
    }
    let is_plain = |part| matches!(part, std::path::Component::Normal(_));
    if let Ok(inside) = Path::new(file).strip_prefix(folder) {
        return inside.display().to_string();
    }
    if folder.is_relative() && folder.components().all(is_plain) {
        let up = "../".repeat(folder.components().count());
        return format!("{up}{file}");
    }
    std::path::absolute(file).map_or(file.to_owned(), |path| path.display().to_string())
}

fn escaped(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_configuration_holds_what_is_set_with_paths_from_its_folder() {
        let given = BTreeMap::from([
            ("net-file", "town/a.net.xml".to_owned()),
            ("route-files", "out/b.rou.xml,/abs/c.rou.xml".to_owned()),
            ("output-prefix", "a&b".to_owned()),
            ("seed", "7".to_owned()),
            ("save-configuration", "out/run.sumocfg".to_owned()),
        ]);
        let text = saved(&given, Path::new("out/run.sumocfg"));
        for line in [
            "<input>\n        <net-file value=\"../town/a.net.xml\"/>",
            "<route-files value=\"b.rou.xml,/abs/c.rou.xml\"/>",
            "<output-prefix value=\"a&amp;b\"/>",
            "<random_number>\n        <seed value=\"7\"/>",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains("save-configuration"));
    }

    #[test]
    fn all_options_are_listed_with_their_values() {
        let text = listed(&BTreeMap::from([("seed", "7".to_owned())]));
        assert!(text.contains("\nseed: 7\n") && text.contains("\nend: -1\n") && text.contains("net-file: <INVALID>\n"));
    }
}
