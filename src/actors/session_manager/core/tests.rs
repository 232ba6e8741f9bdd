use super::*;
use crate::control::message::read;

/// As front ends send them.
const MESSAGES: [&str; 5] = [
    include_str!("../../../../tests/corpus/messages/global.json"),
    include_str!("../../../../tests/corpus/messages/load-net.json"),
    include_str!("../../../../tests/corpus/messages/global-1.json"),
    include_str!("../../../../tests/corpus/messages/net.json"),
    include_str!("../../../../tests/corpus/messages/size.json"),
];

/// A front whose work is done as soon as it is asked for.
#[derive(Default)]
struct Bench {
    core: Core,
    tickets: u64,
    answers: Vec<(Ticket, u16)>,
}

impl Bench {
    fn send(&mut self, text: &str) -> u16 {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let (_, request) = read(text);
        self.feed(Event::Asked { ticket, request: request.expect("a request") });
        let given: Vec<u16> = self.answers.iter().filter(|(of, _)| *of == ticket).map(|(_, code)| *code).collect();
        assert_eq!(given.len(), 1, "one answer to {text}, and not {given:?}");
        given[0]
    }

    fn feed(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.core.handle(event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Answer { ticket, outcome } => {
                    self.answers.push((ticket, outcome.map_or_else(|error| error.code(), |_| 200)));
                }
                Effect::Load { .. } => self.feed(Event::Loaded(Ok(Box::new(loaded())))),
                Effect::Start { paused, .. } => {
                    self.feed(Event::Started(Ok(())));
                    self.feed(Event::RunIs(if paused { RunState::Paused } else { RunState::Running }));
                }
                Effect::ClientRequest { ticket, request, .. } => {
                    self.answers.push((ticket, 200));
                    match request {
                        ClientRequest::Run(RunCommand::Stop) => self.feed(Event::RunEnded(RunEnd::Finished)),
                        ClientRequest::Run(RunCommand::Pause) => self.feed(Event::RunIs(RunState::Paused)),
                        ClientRequest::Run(RunCommand::Resume) => self.feed(Event::RunIs(RunState::Running)),
                        _ => {}
                    }
                }
                Effect::Edit { .. } => self.feed(Event::Edited(Ok(Box::new(loaded())))),
                Effect::Net { ticket, .. } | Effect::Status { ticket } | Effect::TellEdits { ticket } => {
                    self.answers.push((ticket, 200))
                }
                Effect::Show { .. } => {}
            }
        }
    }

    fn simulation(&mut self, action: &str) -> u16 {
        self.send(&format!(r#"{{"type1":"up","type2":"simulation","param":[{{"action":"{action}"}}]}}"#))
    }
}

fn loaded() -> Loaded {
    Loaded {
        name: "sz".to_owned(),
        edges: 1,
        lanes: 1,
        junctions: 2,
        signals: 0,
        vehicles: 0,
        begin_ms: 0,
        end_ms: None,
        step_ms: 1000,
        seed: 1,
        bounds: [0.0; 4],
    }
}

/// A front in each state of the life of a run.
fn in_state(state: RunState) -> Bench {
    let mut bench = Bench::default();
    if state == RunState::Idle {
        return bench;
    }
    assert_eq!(bench.send(MESSAGES[1]), 200);
    if state != RunState::NetLoaded {
        assert_eq!(bench.simulation("start"), 200);
    }
    match state {
        // The run has said nothing yet.
        RunState::Building => bench.core.state = RunState::Building,
        RunState::Paused => assert_eq!(bench.simulation("pause"), 200),
        RunState::Stopped => assert_eq!(bench.simulation("stop"), 200),
        RunState::Finished => bench.feed(Event::RunEnded(RunEnd::Finished)),
        RunState::Failed => bench.feed(Event::RunEnded(RunEnd::Failed("planted".to_owned()))),
        _ => {}
    }
    assert_eq!(bench.core.state, state);
    bench
}

/// A fault of the predecessor: after `global` before the simulation, start and stop got no answer.
#[test]
fn the_messages_of_front_ends_are_answered_in_every_state_and_order_and_start_and_stop_work_after_them() {
    // All orders of five messages.
    let orders: Vec<Vec<usize>> = (0..120usize)
        .map(|n| {
            let (mut left, mut n) = ((0..5).collect::<Vec<usize>>(), n);
            (1..=5)
                .rev()
                .map(|k| {
                    let at = n % k;
                    n /= k;
                    left.remove(at)
                })
                .collect()
        })
        .collect();
    for state in RunState::ALL {
        for order in &orders {
            let mut bench = in_state(state);
            for message in order.iter().chain(order) {
                // One answer each; whether it can be done now is another matter.
                bench.send(MESSAGES[*message]);
            }
            if bench.core.state.has_run() {
                assert_eq!(bench.simulation("stop"), 200, "{state} {order:?}");
            }
            if bench.core.state != RunState::NetLoaded {
                assert_eq!(bench.send(MESSAGES[1]), 200);
            }
            assert_eq!(bench.simulation("start"), 200, "{state} {order:?}");
            assert_eq!(bench.core.state, RunState::Running);
            assert_eq!(bench.simulation("stop"), 200, "{state} {order:?}");
            assert_eq!(bench.core.state, RunState::Stopped);
        }
    }
}

#[test]
fn every_command_is_answered_once_in_every_state() {
    use crate::control::registry::commands;
    for state in RunState::ALL {
        for spec in commands() {
            for direction in spec.directions {
                for ds in ["", r#","ds":"true""#, r#","ds":false"#] {
                    let mut bench = in_state(state);
                    let action = spec.action.map_or(String::new(), |action| format!(r#""action":"{action}""#));
                    let (name, subject) = (direction.name(), spec.subject);
                    let code =
                        bench.send(&format!(r#"{{"type1":"{name}","type2":"{subject}","param":[{{{action}}}]{ds}}}"#));
                    assert!([200, 400, 409, 422].contains(&code), "{} while {state}: {code}", spec.name);
                }
            }
        }
    }
}

#[test]
fn the_distributed_part_answers_what_is_sent_to_it_and_only_that() {
    let mut bench = in_state(RunState::Running);
    assert_eq!(bench.send(r#"{"type1":"down","type2":"status","ds":"true"}"#), 200);
    assert_eq!(bench.send(r#"{"type1":"up","type2":"loadNet","ds":"true","param":[{"netKey":"sz"}]}"#), 400);
    let close = r#""type1":"up","type2":"edge","param":[{"action":"close","edge":"a"}]"#;
    assert_eq!(bench.send(&format!(r#"{{{close},"ds":"true"}}"#)), 200);
    assert_eq!(bench.send(&format!(r#"{{{close},"ds":"false"}}"#)), 400);
    assert_eq!(bench.send(&format!("{{{close}}}")), 200);
    let mut idle = in_state(RunState::NetLoaded);
    assert_eq!(idle.send(r#"{"type1":"down","type2":"status","ds":"true"}"#), 409, "there is no distributed part yet");
    assert_eq!(idle.send(&format!(r#"{{{close},"ds":"true"}}"#)), 409);
}

#[test]
fn parameters_that_the_demand_depends_on_ask_for_the_scenario_again() {
    let mut bench = in_state(RunState::NetLoaded);
    let set = |what: &str| format!(r#"{{"type1":"up","type2":"global","param":[{{{what}}}]}}"#);
    assert_eq!(bench.send(&set(r#""partitions":"3""#)), 200);
    assert_eq!(bench.send(&set(r#""seed":"7""#)), 200);
    assert_eq!(bench.simulation("start"), 409);
    assert_eq!(bench.send(MESSAGES[1]), 200);
    assert_eq!(bench.simulation("start"), 200);
    assert_eq!(bench.send(&set(r#""seed":"8""#)), 409, "not while it runs");
}

#[test]
fn while_a_scenario_is_read_all_else_is_answered() {
    let mut bench = Bench::default();
    bench.core.expect_scenario();
    for message in [MESSAGES[0], MESSAGES[4], r#"{"type1":"down","type2":"status"}"#] {
        assert_eq!(bench.send(message), 200);
    }
    assert_eq!(bench.send(MESSAGES[1]), 503, "it is being read");
    assert_eq!(bench.simulation("start"), 409);
    bench.feed(Event::Loaded(Err("no such file".to_owned())));
    assert_eq!((bench.core.state, bench.send(MESSAGES[1])), (RunState::Idle, 200));
}
