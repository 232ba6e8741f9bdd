//! The registry for readers: as JSON for programs, and as `docs/commands.md`.

use std::fmt::Write;

use serde_json::{Value, json};

use super::registry::{Spec, commands};

/// All commands, as `commands` answers.
pub fn commands_json() -> Value {
    let command = |spec: &Spec| {
        json!({
            "name": spec.name,
            "type1": spec.directions.iter().map(|direction| direction.name()).collect::<Vec<_>>(),
            "type2": spec.subject,
            "action": spec.action,
            "arguments": spec.arguments.iter().map(|(name, help)| json!({"name": name, "help": help})).collect::<Vec<_>>(),
            "states": spec.states.iter().map(|state| state.name()).collect::<Vec<_>>(),
            "scope": spec.scope.name(),
            "ds": spec.ds.name(),
            "help": spec.help,
        })
    };
    commands().map(command).collect()
}

/// The table of `docs/commands.md`.
pub fn commands_markdown() -> String {
    let mut text =
        String::from("| command | message | arguments in `param` | admitted while the run is | executed by | `ds` |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for spec in commands() {
        let directions = spec.directions.iter().map(|direction| direction.name()).collect::<Vec<_>>().join("/");
        let action = spec.action.map_or(String::new(), |action| format!(", action `{action}`"));
        let arguments = spec.arguments.iter().filter(|(name, _)| *name != "action").map(|(name, help)| match *help {
            "" => format!("`{name}`"),
            help => format!("`{name}`: {help}"),
        });
        let arguments = arguments.collect::<Vec<_>>().join("; ");
        let states = if spec.states.len() == super::lifecycle::RunState::ALL.len() {
            "any state".to_owned()
        } else {
            spec.states.iter().map(|state| state.name()).collect::<Vec<_>>().join(", ")
        };
        let (name, help, subject) = (spec.name, spec.help, spec.subject);
        let (scope, ds) = (spec.scope.name(), spec.ds.name());
        writeln!(
            text,
            "| **{name}**: {help} | `{directions}` `{subject}`{action} | {arguments} | {states} | {scope} | {ds} |"
        )
        .expect("a text takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_table_is_that_of_the_program() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
        let text = std::fs::read_to_string(file).expect("docs/commands.md");
        assert!(
            text.contains(&commands_markdown()),
            "docs/commands.md has another table of commands; put in the one of 'tessds ctl commands --markdown'"
        );
    }
}
