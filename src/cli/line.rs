//! From the arguments of the process to a command, whether they are SUMO's or this program's.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};

use super::sumo_grammar::{Arguments, tell_apart};
use super::{Cli, Command, InputArgs, ScenarioCommand, sumo_help};
use crate::attributes::parse_bool;

/// Under these names the program takes SUMO's command line.
const SUMO_NAMES: &[&str] = &["tessds-sumo", "sumo"];

/// What the arguments ask for.
#[derive(Debug)]
pub enum Line {
    Command(Box<Cli>),
    /// A text for standard output.
    Text(String),
}

/// Arguments that cannot be understood.
#[derive(Debug)]
pub enum LineError {
    /// Says by itself what is wrong, or is the help.
    Clap(clap::Error),
    Usage {
        message: String,
        /// SUMO's command line was used.
        sumo: bool,
    },
}

impl From<clap::Error> for LineError {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

/// Reads the arguments of a process; the first is the name of the program.
///
/// # Errors
/// They are not understood, or ask for the help of a command of this program.
pub fn read_line(mut arguments: Vec<OsString>) -> Result<Line, LineError> {
    let program = arguments.first().map(Path::new).and_then(Path::file_stem).and_then(OsStr::to_str);
    if program.is_some_and(|name| SUMO_NAMES.contains(&name)) {
        return read_sumo(arguments.split_off(1));
    }
    if arguments.get(1).is_some_and(|name| name == "sumo") {
        return read_sumo(arguments.split_off(2));
    }
    let mut commands = command();
    let path: &[&str] = match arguments.get(1).and_then(|name| name.to_str()) {
        Some("run") => &["run"],
        Some("partition") => &["partition"],
        Some("scenario") if arguments.get(2).is_some_and(|name| name == "compile") => &["scenario", "compile"],
        _ => &[],
    };
    let own =
        path.iter().try_fold(&commands, |command, name| command.find_subcommand(name)).filter(|_| !path.is_empty());
    let mut sumo = Vec::new();
    if let Some(own) = own {
        let usage = |message| LineError::Usage { message, sumo: false };
        let found = tell_apart(arguments.split_off(1 + path.len()), own, false).map_err(usage)?;
        arguments.extend(found.rest);
        sumo = found.sumo;
    }
    let mut cli = Cli::from_arg_matches(&commands.try_get_matches_from_mut(arguments)?)?;
    if let Some(input) = input_of(&mut cli.command) {
        input.sumo = sumo;
    }
    Ok(Line::Command(Box::new(cli)))
}

/// Reads arguments as SUMO does.
fn read_sumo(arguments: Vec<OsString>) -> Result<Line, LineError> {
    if arguments.is_empty() {
        return Ok(Line::Text(sumo_help::introduction()));
    }
    let mut commands = command();
    let usage = |message| LineError::Usage { message, sumo: true };
    let own = commands.find_subcommand("run").ok_or_else(|| usage("there is no command run".to_owned()))?;
    let Arguments { sumo, rest } = tell_apart(arguments, own, true).map_err(usage)?;
    let is_on = |name: &str| sumo.iter().any(|(option, value)| *option == name && parse_bool(value) == Some(true));
    if is_on("help") {
        return Ok(Line::Text(sumo_help::help()));
    }
    if is_on("version") {
        return Ok(Line::Text(sumo_help::version()));
    }
    let arguments = ["tessds".into(), "run".into()].into_iter().chain(rest);
    let mut cli = Cli::from_arg_matches(&commands.try_get_matches_from_mut(arguments)?)?;
    if let Command::Run(args) = &mut cli.command {
        args.as_sumo = true;
        args.input.sumo = sumo;
    }
    Ok(Line::Command(Box::new(cli)))
}

/// The commands, with SUMO's options in their help.
fn command() -> clap::Command {
    let mut command = Cli::command().mut_subcommand("run", |run| {
        run.after_help("SUMO's options are accepted, too; --help lists them.").after_long_help(sumo_help::supported())
    });
    command.build();
    command
}

/// The arguments of a command that reads a scenario.
fn input_of(command: &mut Command) -> Option<&mut InputArgs> {
    match command {
        Command::Run(args) => Some(&mut args.input),
        Command::Partition(args) => Some(&mut args.input),
        Command::Scenario(args) => match &mut args.command {
            ScenarioCommand::Compile { input, .. } => Some(input),
            _ => None,
        },
        Command::Snapshot(_) | Command::Ctl(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::RunArgs;

    fn args(line: &[&str]) -> RunArgs {
        match read_line(line.iter().map(OsString::from).collect()) {
            Ok(Line::Command(cli)) => match cli.command {
                Command::Run(args) => *args,
                other => panic!("{line:?}: {other:?}"),
            },
            other => panic!("{line:?}: {other:?}"),
        }
    }

    fn text(line: &[&str]) -> String {
        match read_line(line.iter().map(OsString::from).collect()) {
            Ok(Line::Text(text)) => text,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    /// The options as `name=value`, in their order.
    fn options(args: &RunArgs) -> String {
        args.input.sumo_options().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_name_of_the_program_or_a_command_says_that_the_line_is_of_sumo() {
        for start in [&["/opt/bin/tessds-sumo"][..], &["sumo"], &["tessds", "sumo"], &["target/debug/tessds-sumo.exe"]]
        {
            let line = [start, &["a.sumocfg", "--threads", "3", "-W"]].concat();
            let args = args(&line);
            assert!(args.as_sumo);
            assert_eq!((args.input.configuration.as_deref(), args.threads), (Some(Path::new("a.sumocfg")), Some(3)));
            assert_eq!(options(&args), "no-warnings=true");
        }
        let args = args(&["tessds", "run", "a.sumocfg", "--no-warnings", "true", "--partitions", "2"]);
        assert!(!args.as_sumo && args.input.cut.partitions == Some(2));
        assert_eq!(options(&args), "no-warnings=true");
    }

    #[test]
    fn texts_are_for_who_asks() {
        assert!(text(&["sumo", "--version"]).starts_with("Eclipse SUMO sumo 1.28.0"));
        assert!(text(&["tessds", "sumo", "-V"]).starts_with("Eclipse SUMO sumo 1.28.0"));
        assert!(text(&["sumo", "-?"]).contains("--begin"));
        assert!(text(&["sumo"]).contains("--help"));
    }

    #[test]
    fn unknown_options_are_refused_with_the_code_of_the_program() {
        for (line, in_sumo) in [(&["sumo", "--foo", "3"][..], true), (&["tessds", "run", "--foo", "3"], false)] {
            match read_line(line.iter().map(OsString::from).collect()) {
                Err(LineError::Usage { message, sumo }) => {
                    assert_eq!((message.as_str(), sumo), ("unknown option --foo", in_sumo));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
