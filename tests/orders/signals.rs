//! What orders about signals do.

use std::sync::Arc;

use tessds::graph::{Aspect, Signal};
use tessds::ids::SignalId;
use tessds::scenario::{OutputRequests, Settings};
use tessds::sim::{Order, SeenSignal, Watch, World};

use super::script;
use crate::common::demand::random_walks;
use crate::common::runs::{Run, whole};
use crate::common::scenarios::net;
use tessds::simulation::Simulation;

const SIGNAL: SignalId = SignalId(0);

/// A network with a static signal and some traffic.
fn world() -> Arc<World> {
    let network = net("lights");
    let demand = random_walks(&network, 60, 100, 5);
    let settings = Settings { end_ms: Some(400_000), ..Settings::default() };
    Arc::new(World::new(network, demand, settings, OutputRequests::default()))
}

fn signal(world: &World) -> &Signal {
    world.network.signal(SIGNAL)
}

fn seen(run: &Simulation) -> SeenSignal {
    let watch = Watch { signals: vec![SIGNAL], ..Watch::default() };
    run.first().observe(&watch).signals.remove(0)
}

#[test]
fn a_phase_is_shown_as_long_as_ordered_and_then_the_program_goes_on() {
    let world = world();
    let phases = signal(&world).programs[signal(&world).initial as usize].phases.len() as u32;
    let order = Order::ShowPhase { signal: SIGNAL, phase: phases - 1, hold_ms: Some(77_000) };
    let mut run = whole(&world).with_orders(&script([(10, vec![order])]));
    for step in 0..100u64 {
        run.stepped();
        if (10..87).contains(&step) {
            assert_eq!(seen(&run).phase, phases - 1, "step {step}");
        } else if step == 87 {
            assert_eq!(seen(&run).phase, 0);
        }
    }
}

#[test]
fn fixed_aspects_stay_until_a_program_is_set() {
    let world = world();
    let program = signal(&world).initial;
    let count = signal(&world).programs[program as usize].phases[0].aspects.len();
    let red = vec![Aspect::Red; count];
    let fix = Order::ShowAspects { signal: SIGNAL, aspects: red.clone() };
    let go_on = Order::RunProgram { signal: SIGNAL, program };
    let mut run = whole(&world).with_orders(&script([(20, vec![fix]), (150, vec![go_on])]));
    let mut free = whole(&world);
    for step in 0..200u64 {
        run.stepped();
        free.stepped();
        let (now, undisturbed) = (seen(&run), seen(&free));
        if (20..150).contains(&step) {
            assert_eq!((&now.aspects, now.is_fixed), (&red, true), "step {step}");
        } else {
            // The program is shown as if it had run all the time.
            assert_eq!(
                (now.program, now.phase, now.aspects),
                (undisturbed.program, undisturbed.phase, undisturbed.aspects)
            );
        }
    }
}

#[test]
fn an_order_for_a_phase_misses_while_aspects_are_fixed() {
    let world = world();
    let count = signal(&world).programs[signal(&world).initial as usize].phases[0].aspects.len();
    let fix = Order::ShowAspects { signal: SIGNAL, aspects: vec![Aspect::Red; count] };
    let show = Order::ShowPhase { signal: SIGNAL, phase: 0, hold_ms: None };
    let mut run = whole(&world).with_orders(&script([(0, vec![fix, show])]));
    assert_eq!(run.stepped().orders_met, 1);
}
