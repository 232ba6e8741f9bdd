//! Commands that are given at their steps: a file of JSON lines, each with a step or a time and a command.
//!
//! ```json
//! {"step": 120, "command": {"type1": "up", "type2": "edge", "param": [{"action": "close", "edge": "E3"}]}}
//! {"time": "08:10:00", "command": {"type1": "up", "type2": "edge", "param": [{"action": "open", "edge": "E3"}]}}
//! ```

use serde_json::Value;

use super::command::{ClientRequest, Command, RunCommand};
use super::error::CommandError;
use super::lines::lines;
use super::message::read;
use super::name_resolver::NameResolver;
use crate::attributes::parse_time_ms;
use crate::diagnostics::{InputError, Location};
use crate::sim::Order;

/// Longest line and greatest number of commands of a file.
const MAX_LINE: usize = 1024 * 1024;
const MAX_COMMANDS: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Step(u64),
    Time { ms: i64 },
}

/// A command and when it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedCommand {
    at: Location,
    when: When,
    /// One of which a result depends.
    pub command: ClientRequest,
    /// JSON.
    pub text: String,
}

/// Reads a file of timed commands.
///
/// # Errors
/// A line is not a step (or time) with a command that can be timed.
pub fn parse(file: &str, text: &str) -> Result<Vec<TimedCommand>, InputError> {
    let mut commands = Vec::new();
    for (at, line) in lines(file, text) {
        if line.len() > MAX_LINE || commands.len() == MAX_COMMANDS {
            let message = format!("a line has at most {MAX_LINE} bytes, and a file {MAX_COMMANDS} commands");
            return Err(InputError::new(at, message));
        }
        commands.push(line_of(line, &at).map_err(|message| InputError::new(at, message))?);
    }
    Ok(commands)
}

fn line_of(line: &str, at: &Location) -> Result<TimedCommand, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("the message is not valid JSON: {error}"))?;
    let when = match (value.get("step"), value.get("time")) {
        (Some(step), None) => {
            let step = step.as_u64().or_else(|| step.as_str()?.parse().ok());
            When::Step(step.ok_or("'step' has to be a whole number")?)
        }
        (None, Some(time)) => {
            let text = time.as_str().map_or_else(|| time.to_string(), str::to_owned);
            When::Time { ms: parse_time_ms(&text).ok_or("'time' has to be seconds or HH:MM:SS")? }
        }
        _ => return Err("either 'step' or 'time' says when".to_owned()),
    };
    let command = value.get("command").ok_or("'command' is missing")?;
    let (_, request) = read(&command.to_string());
    let request = request.map_err(|error| error.to_string())?;
    let (spec, command) = Command::of(&request).map_err(|error| error.to_string())?;
    let command = match command {
        Command::World(commands) => ClientRequest::World(commands),
        Command::Edit(edits) => ClientRequest::Edit(edits),
        Command::Run(command @ (RunCommand::Stop | RunCommand::Snapshot)) => ClientRequest::Run(command),
        _ => return Err(format!("'{}' cannot be a timed command: it does not change the simulated world", spec.name)),
    };
    Ok(TimedCommand { at: at.clone(), when, command, text: request.to_text() })
}

impl TimedCommand {
    /// The first step that is computed with it. `step_of` tells the step that computes a time, ms.
    pub fn step(&self, step_of: impl Fn(i64) -> u64) -> u64 {
        match self.when {
            When::Step(step) => step,
            When::Time { ms } => step_of(ms),
        }
    }

    /// Looks its names up, before the run begins; what it orders.
    ///
    /// # Errors
    /// It names something that the scenario does not have.
    pub fn check(&self, names: &mut NameResolver) -> Result<Vec<Order>, InputError> {
        let at = |error: CommandError| self.error(error.to_string());
        match &self.command {
            ClientRequest::World(commands) => {
                let orders = names.resolve(commands, 0).map_err(at)?;
                names.learn(&orders);
                Ok(orders)
            }
            ClientRequest::Edit(edits) => names.check_edits(edits).map_err(at).map(|()| Vec::new()),
            ClientRequest::Run(_) | ClientRequest::Status => Ok(Vec::new()),
        }
    }

    /// An error in this line.
    pub fn error(&self, reason: String) -> InputError {
        InputError::new(self.at.clone(), reason)
    }
}

/// A line of such a file.
pub fn timed_line(step: u64, text: &str) -> String {
    format!(r#"{{"step": {step}, "command": {text}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSE: &str = r#""command": {"type1": "up", "type2": "edge", "param": [{"action": "close", "edge": "E3"}]}"#;

    #[test]
    fn commands_are_read_with_their_step_or_time() {
        let text =
            format!("{{\"step\": 120, {CLOSE}}}\n\n{{\"time\": \"00:02:00\", {CLOSE}}}\n{{\"time\": 90.5, {CLOSE}}}\n");
        let commands = parse("f", &text).expect("good lines");
        let when: Vec<When> = commands.iter().map(|command| command.when).collect();
        assert_eq!(when, [When::Step(120), When::Time { ms: 120_000 }, When::Time { ms: 90_500 }]);
        let again = parse("f", &timed_line(120, &commands[0].text)).expect("a line of its own");
        assert_eq!((again[0].when, &again[0].command), (When::Step(120), &commands[0].command));
    }

    #[test]
    fn bad_lines_are_errors_that_name_the_line() {
        let check = |line: &str, expected: &str| {
            let error = parse("f", &format!("\n{line}")).expect_err(line).to_string();
            assert!(error.starts_with("f:2") && error.contains(expected), "{error}");
        };
        check("{", "not valid JSON");
        check(&format!("{{{CLOSE}}}"), "either 'step' or 'time'");
        check(&format!(r#"{{"step": -1, {CLOSE}}}"#), "whole number");
        check(&format!(r#"{{"time": "soon", {CLOSE}}}"#), "seconds or HH:MM:SS");
        check(r#"{"step": 1}"#, "'command' is missing");
        check(r#"{"step": 1, "command": {"type1": "up", "type2": "nothing"}}"#, "unknown command");
        check(r#"{"step": 1, "command": {"type1": "down", "type2": "status"}}"#, "cannot be a timed command");
    }
}
