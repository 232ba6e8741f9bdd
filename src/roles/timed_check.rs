//! Looks up what timed commands name before the run begins; what comes after an edit, in the network that it makes.

use std::sync::Arc;

use super::edit_run::edited_scenario;
use crate::control::NameResolver;
use crate::control::command::ClientRequest;
use crate::control::timed::TimedCommand;
use crate::diagnostics::InputError;
use crate::graph::edit::{Edit, EditedNetwork};
use crate::scenario::CompiledScenario;
use crate::sim::RunRules;
use crate::sim::{Order, World};

/// # Errors
/// A command names what is not there at its step, or cannot be carried out. Says in which line.
pub(super) fn check(timed: &[TimedCommand], rules: &RunRules, scenario: &CompiledScenario) -> Result<(), InputError> {
    if timed.is_empty() {
        return Ok(());
    }
    let mut known: Vec<&TimedCommand> = timed.iter().collect();
    known.sort_by_key(|command| command.step(|ms| rules.step_of(ms)));
    let mut scenario = scenario.clone();
    let mut names = names_of(&scenario);
    // Names of vehicles outlive an edit.
    let mut added: Vec<Order> = Vec::new();
    let mut commands = known.into_iter().peekable();
    while let Some(command) = commands.next() {
        added.extend(command.check(&mut names)?.into_iter().filter(|order| matches!(order, Order::AddVehicle(_))));
        // It costs no more than the run, which makes the same network when it gets there.
        if let ClientRequest::Edit(edits) = &command.command
            && commands.peek().is_some()
        {
            scenario = after_edit(&scenario, edits).map_err(|reason| command.error(reason))?;
            names = names_of(&scenario);
            names.learn(&added);
        }
    }
    Ok(())
}

fn names_of(scenario: &CompiledScenario) -> NameResolver {
    let CompiledScenario { network, demand, settings, requests, .. } = scenario;
    let world = World::new(Arc::clone(network), Arc::clone(demand), settings.clone(), requests.clone());
    // Which partitions a command concerns is of no interest yet.
    NameResolver::new(Arc::new(world), requests.clone(), Arc::default())
}

fn after_edit(scenario: &CompiledScenario, edits: &[Edit]) -> Result<CompiledScenario, String> {
    let mut edited = EditedNetwork::new(&scenario.network);
    edited.apply(edits).map_err(|error| error.to_string())?;
    edited_scenario(scenario, edited, 0).map(|(scenario, _)| scenario)
}
