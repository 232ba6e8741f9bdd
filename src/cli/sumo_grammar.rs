//! SUMO's grammar of options: `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`, `-n=VALUE`, `"-n VALUE"` in one argument,
//! switches with or without a value (also several letters in one argument: `-vSQ`), and a configuration without `-c`.

use std::ffi::OsString;
use std::iter::Peekable;
use std::vec::IntoIter;

use clap::Command;

use crate::attributes::parse_bool;
use crate::scenario::SumoOption;
use crate::suggest::nearest;

/// The arguments of a command, told apart.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// SUMO's options by their names, in the order in which they were given.
    pub sumo: Vec<(&'static str, String)>,
    /// All others, and those that `own` has under the same name.
    pub rest: Vec<OsString>,
}

/// Tells SUMO's options from those of `own`, a command of this program; these win. `only_sumo`: its other options are refused.
pub(super) fn tell_apart(arguments: Vec<OsString>, own: &Command, only_sumo: bool) -> Result<Arguments, String> {
    let mut split = Split { own, only_sumo, arguments: arguments.into_iter().peekable(), found: Arguments::default() };
    while let Some(argument) = split.arguments.next() {
        match argument.to_str() {
            Some("--") => {
                split.found.rest.push(argument);
                split.found.rest.extend(split.arguments.by_ref());
            }
            Some(text) => match text.strip_prefix("--") {
                Some(long) => split.take_long(long)?,
                None => match text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                    Some(letters) => split.take_letters(letters)?,
                    None => split.take_configuration(argument)?,
                },
            },
            // Only a file can have such a name.
            None => split.found.rest.push(argument),
        }
    }
    Ok(split.found)
}

struct Split<'c> {
    own: &'c Command,
    only_sumo: bool,
    arguments: Peekable<IntoIter<OsString>>,
    found: Arguments,
}

impl Split<'_> {
    /// Takes an argument that starts with two dashes; `text` is what follows.
    fn take_long(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let option = SumoOption::find(name);
        // A synonym of SUMO for an option of this program gets its name.
        let long = option.map_or(name, |option| option.name);
        let own = self.own_long(long).filter(|_| self.is_own(option));
        if let Some(takes_value) = own {
            let value = value.map_or_else(String::new, |value| format!("={value}"));
            let needs_value = takes_value && value.is_empty();
            self.found.rest.push(format!("--{long}{value}").into());
            self.found.rest.extend(needs_value.then(|| self.arguments.next()).flatten());
            return Ok(());
        }
        let Some(option) = option else { return Err(self.unknown(name)) };
        let value = match value {
            Some(value) => value.to_owned(),
            None => self.value_behind(option)?,
        };
        self.add(option, value)
    }

    /// Takes an argument that starts with one dash: letters of switches, and perhaps an option with its value.
    fn take_letters(&mut self, letters: &str) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let text = &letters[at + letter.len_utf8()..];
            let option = SumoOption::find(letter.encode_utf8(&mut [0; 4]));
            let own = self.own_letter(letter).filter(|_| self.is_own(option));
            if let Some(takes_value) = own {
                // The other letters are switches of the same command or the value.
                self.found.rest.push(format!("-{letter}{text}").into());
                self.found.rest.extend((takes_value && text.is_empty()).then(|| self.arguments.next()).flatten());
                return Ok(());
            }
            let option = option.ok_or_else(|| self.unknown_letter(letter))?;
            if option.is_switch() && !text.starts_with('=') {
                let value = if text.is_empty() { self.value_behind(option)? } else { "true".to_owned() };
                self.add(option, value)?;
                continue;
            }
            let value = match text.strip_prefix('=').unwrap_or(text).trim() {
                "" if text.is_empty() => self.value_behind(option)?,
                value => value.to_owned(),
            };
            return self.add(option, value);
        }
        Ok(())
    }

    /// The value of an option that is in an argument of its own.
    fn value_behind(&mut self, option: &SumoOption) -> Result<String, String> {
        let next = self.arguments.peek().and_then(|next| next.to_str());
        if option.is_switch() {
            let value = next.filter(|next| parse_bool(next).is_some()).map(str::to_owned);
            if value.is_some() {
                self.arguments.next();
            }
            return Ok(value.unwrap_or_else(|| "true".to_owned()));
        }
        let is_option = |text: &str| {
            text.strip_prefix('-').is_some_and(|text| text.starts_with(|c: char| c == '-' || c.is_alphabetic()))
        };
        let value = next.filter(|next| !is_option(next)).map(str::to_owned);
        self.arguments.next_if(|_| value.is_some());
        value.ok_or_else(|| format!("option {} needs a value ({})", option.name, option.value_name()))
    }

    fn add(&mut self, option: &'static SumoOption, value: String) -> Result<(), String> {
        if !self.only_sumo && matches!(option.name, "help" | "version") {
            self.found.rest.push(format!("--{}", option.name).into());
            return Ok(());
        }
        if self.found.sumo.iter().any(|(name, _)| *name == option.name) {
            return Err(format!("option {} is given twice", option.name));
        }
        self.found.sumo.push((option.name, value));
        Ok(())
    }

    /// A file without an option is the configuration.
    fn take_configuration(&mut self, file: OsString) -> Result<(), String> {
        let is_given = self.found.rest.iter().any(|argument| {
            let text = argument.to_string_lossy();
            text.starts_with("-c") || text.starts_with("--configuration-file")
        });
        if is_given || file == "-" {
            return Err(format!("unexpected argument '{}'; name an option before it", file.display()));
        }
        self.found.rest.extend(["-c".into(), file]);
        Ok(())
    }

    /// Whether an option of this program counts that SUMO has as `option`.
    fn is_own(&self, option: Option<&SumoOption>) -> bool {
        !self.only_sumo || option.is_some_and(|option| !matches!(option.name, "help" | "version"))
    }

    /// Whether an option of this program takes a value; `None`: it has none of this name.
    fn own_long(&self, name: &str) -> Option<bool> {
        let named = |argument: &&clap::Arg| {
            argument.get_long() == Some(name) || argument.get_all_aliases().is_some_and(|all| all.contains(&name))
        };
        self.own.get_arguments().find(named).map(|argument| argument.get_action().takes_values())
    }

    fn own_letter(&self, letter: char) -> Option<bool> {
        let argument = self.own.get_arguments().find(|argument| argument.get_short() == Some(letter));
        argument.map(|argument| argument.get_action().takes_values())
    }

    fn unknown(&self, name: &str) -> String {
        let own = self.own.get_arguments().filter(|_| !self.only_sumo).filter_map(clap::Arg::get_long);
        let mut known: Vec<&str> = own.collect();
        // A longer lifetime is no item of this list.
        SumoOption::all_names().filter(|known| known.len() > 1).for_each(|name| known.push(name));
        let meant = nearest(name, known).map_or_else(String::new, |meant| format!("; did you mean --{meant}?"));
        format!("unknown option --{name}{meant}")
    }

    fn unknown_letter(&self, letter: char) -> String {
        format!("unknown option -{letter}; --help lists all options")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn own() -> Command {
        Command::new("run")
            .arg(Arg::new("configuration").short('c').long("configuration-file"))
            .arg(Arg::new("partitions").long("partitions"))
            .arg(Arg::new("quiet").short('q').long("quiet").action(clap::ArgAction::SetTrue))
    }

    fn split(arguments: &[&str], only_sumo: bool) -> Result<Arguments, String> {
        tell_apart(arguments.iter().map(OsString::from).collect(), &own(), only_sumo)
    }

    /// Checks the options found, as `name=value`, and the rest, each joined by blanks.
    fn check(arguments: &[&str], sumo: &str, rest: &str) {
        let found = split(arguments, false).unwrap_or_else(|message| panic!("{arguments:?}: {message}"));
        let options: Vec<String> = found.sumo.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let others: Vec<&str> = found.rest.iter().filter_map(|text| text.to_str()).collect();
        assert_eq!((options.join(" ").as_str(), others.join(" ").as_str()), (sumo, rest), "{arguments:?}");
    }

    #[test]
    fn values_come_in_all_forms_of_sumo() {
        check(&["--begin", "10"], "begin=10", "");
        check(&["--begin=10", "--end=-1"], "begin=10 end=-1", "");
        check(&["-b", "10", "-e20", "-n=a.net.xml"], "begin=10 end=20 net-file=a.net.xml", "");
        check(&["-b 25200"], "begin=25200", "");
        check(&["--max-depart-delay", "-1"], "max-depart-delay=-1", "");
        check(&["--net", "x", "--routes", "y,z"], "net-file=x route-files=y,z", "");
        check(&["--output-prefix="], "output-prefix=", "");
        check(&["--summary-output", "-"], "summary-output=-", "");
        check(&["--random", "-b", "5"], "random=true begin=5", "");
    }

    #[test]
    fn switches_take_a_value_or_none() {
        check(&["--no-warnings"], "no-warnings=true", "");
        check(&["--no-warnings", "True"], "no-warnings=True", "");
        check(&["--no-warnings=1", "--no-step-log", "off"], "no-warnings=1 no-step-log=off", "");
        check(&["-vSQ"], "verbose=true start=true quit-on-end=true", "");
        check(&["-vW", "false", "-e", "20"], "verbose=true no-warnings=false end=20", "");
        check(&["-v=0"], "verbose=0", "");
        check(&["-ve20"], "verbose=true end=20", "");
        check(&["--no-warnings", "a.sumocfg"], "no-warnings=true", "-c a.sumocfg");
    }

    #[test]
    fn own_options_stay_with_their_values() {
        check(&["--partitions", "4", "-q", "--seed", "7"], "seed=7", "--partitions 4 -q");
        check(&["--partitions=4", "-c", "a.sumocfg"], "", "--partitions=4 -c a.sumocfg");
        check(&["--configuration", "a.sumocfg"], "", "--configuration-file a.sumocfg");
        check(&["a.sumocfg", "--no-step-log"], "no-step-log=true", "-c a.sumocfg");
        check(&["--", "x"], "", "-- x");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_meant() {
        let check = |arguments: &[&str], only_sumo, expected: &str| {
            assert_eq!(split(arguments, only_sumo).expect_err(expected), expected);
        };
        check(&["--net-files", "x"], false, "unknown option --net-files; did you mean --net-file?");
        check(&["--partition", "4"], false, "unknown option --partition; did you mean --partitions?");
        check(&["--quiet"], true, "unknown option --quiet");
        check(&["--partitions", "4"], true, "unknown option --partitions");
        check(&["-y"], false, "unknown option -y; --help lists all options");
        check(&["--begin"], false, "option begin needs a value (TIME)");
        check(&["--begin", "--end", "3"], false, "option begin needs a value (TIME)");
        check(&["-b", "1", "--begin=2"], false, "option begin is given twice");
        check(&["-c", "a.sumocfg", "stray"], false, "unexpected argument 'stray'; name an option before it");
        check(&["a.sumocfg", "b.sumocfg"], true, "unexpected argument 'b.sumocfg'; name an option before it");
    }
}
