//! What is said about SUMO's options: in the help, in `docs/options.md`, by `--version`, and in templates of configurations.

use std::fmt::Write;

use crate::scenario::{SUMO_OPTIONS, Status, SumoOption, Topic};

/// The version of SUMO whose options are known.
const SUMO_VERSION: &str = "1.28.0";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Columns of the help, and where the explanations start.
const COLUMNS: usize = 110;
const EXPLANATION: usize = 42;

/// The first line is like SUMO's, so that programs that look for a version in it find one.
pub(super) fn version() -> String {
    format!(
        "Eclipse SUMO sumo {SUMO_VERSION} options, by TessDS {VERSION}\n\
         TessDS is independent of SUMO; its traffic is validated against SUMO {SUMO_VERSION}.\n"
    )
}

/// What the program says when it is called without arguments.
pub(super) fn introduction() -> String {
    format!("{}Use --help to get the list of options.\n", version())
}

/// All options by topic.
pub(super) fn help() -> String {
    let mut text = format!(
        "{}\nUsage: tessds-sumo [OPTION]... or tessds-sumo CONFIGURATION\n\n\
         Options are given as --name VALUE, --name=VALUE or by a letter; switches may have a value. All options of SUMO\n\
         {SUMO_VERSION} are accepted: those marked with - have no effect, and those marked with ! give a warning.\n",
        version()
    );
    for topic in Topic::ALL {
        add_topic(&mut text, topic, |_| true);
    }
    text
}

/// The options that do something, for the help of `tessds run`.
pub(super) fn supported() -> String {
    let mut text =
        "Supported SUMO options (all SUMO options are accepted: docs/options.md, `tessds sumo --help`):\n".to_owned();
    for topic in Topic::ALL {
        let is_shown = |option: &SumoOption| {
            option.status == Status::Supported
                && !matches!(option.name, "configuration-file" | "help" | "version" | "threads")
        };
        add_topic(&mut text, topic, is_shown);
    }
    text
}

fn add_topic(text: &mut String, topic: Topic, is_shown: impl Fn(&SumoOption) -> bool) {
    let mut options: Vec<&SumoOption> =
        SUMO_OPTIONS.iter().filter(|option| option.topic == topic && is_shown(option)).collect();
    if options.is_empty() {
        return;
    }
    options.sort_by_key(|option| (option.status != Status::Supported, option.status == Status::Warned, option.name));
    let _ = writeln!(text, "\n{}:", topic.title());
    for option in options {
        let mark = match option.status {
            Status::Supported => ' ',
            Status::WithoutEffect => '-',
            Status::Warned => '!',
        };
        let letter = option.letter().map_or("    ".to_owned(), |letter| format!("-{letter}, "));
        let value = if option.is_switch() { String::new() } else { format!(" {}", option.value_name()) };
        let head = format!("{mark} {letter}--{}{value}", option.name);
        let _ = write!(text, "{head:EXPLANATION$}");
        let mut column = head.chars().count().max(EXPLANATION);
        for word in option.note.split_whitespace() {
            if column + word.chars().count() + 1 > COLUMNS {
                let _ = write!(text, "\n{:EXPLANATION$}", "");
                column = EXPLANATION;
            }
            let _ = write!(text, " {word}");
            column += word.chars().count() + 1;
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

/// A configuration with every option at its default, as `sumo --save-template` writes one.
pub fn template() -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n<configuration>\n".to_owned();
    for topic in Topic::ALL {
        let _ = writeln!(text, "\n    <{}>", topic.section());
        for option in SUMO_OPTIONS.iter().filter(|option| option.topic == topic) {
            let SumoOption { name, default, synonyms, .. } = option;
            let synonyms = if synonyms.is_empty() { String::new() } else { format!(" synonymes=\"{synonyms}\"") };
            let _ = writeln!(text, "        <{name} value=\"{default}\"{synonyms} type=\"{}\"/>", option.value_name());
        }
        let _ = writeln!(text, "    </{}>", topic.section());
    }
    text + "\n</configuration>\n"
}

/// The page `docs/options.md`.
#[cfg(test)]
fn page() -> String {
    let mut text = format!(
        "# SUMO's options\n\n\
         `tessds sumo`, and the program under the name `tessds-sumo` or `sumo`, accept the options of SUMO {SUMO_VERSION} in SUMO's \
         grammar.\n`tessds run` accepts them beside its own options, and configurations (`.sumocfg`) use the same names. This page \
         is generated\nfrom the table in `src/scenario/option_table.rs`.\n\n\
         *supported*: works as in SUMO. *no effect*: accepted silently; traffic and outputs do not depend on it.\n*warning*: not \
         supported; one warning is logged if its value differs from the default.\nAn option unknown to SUMO is an error, as in \
         SUMO.\n"
    );
    for topic in Topic::ALL {
        let _ = writeln!(text, "\n## {}\n\n| option | value | status | |\n| --- | --- | --- | --- |", topic.title());
        for option in SUMO_OPTIONS.iter().filter(|option| option.topic == topic) {
            let status = match option.status {
                Status::Supported => "supported",
                Status::WithoutEffect => "no effect",
                Status::Warned => "warning",
            };
            let names: Vec<String> = std::iter::once(option.name)
                .chain(option.other_names())
                .map(|name| if name.len() == 1 { format!("`-{name}`") } else { format!("`{name}`") })
                .collect();
            let default = if option.default.is_empty() { String::new() } else { format!(" ({})", option.default) };
            let (names, kind) = (names.join(", "), option.value_name());
            let _ = writeln!(text, "| {names} | {kind}{default} | {status} | {} |", option.note);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_options_says_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
        let expected = page();
        if std::env::var_os("TESSDS_WRITE_DOCS").is_some() {
            std::fs::write(path, &expected).expect("writing the page");
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == expected, "docs/options.md is not up to date: run this test with TESSDS_WRITE_DOCS=1");
    }

    #[test]
    fn the_help_names_all_options_and_fits_the_screen() {
        let help = help();
        for option in SUMO_OPTIONS {
            assert!(help.contains(&format!("--{}", option.name)), "{}", option.name);
        }
        assert!(help.lines().all(|line| line.chars().count() <= 120));
        let supported = supported();
        assert!(supported.contains("--begin TIME") && !supported.contains("--battery-output"));
    }

    #[test]
    fn the_version_is_found_where_programs_look_for_it() {
        assert!(version().starts_with("Eclipse SUMO sumo 1.28.0 "));
    }
}
