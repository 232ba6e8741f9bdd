//! Streams of states.

use serde_json::Value;

use super::program::Program;

#[test]
fn many_clients_see_the_run_and_one_that_never_reads_holds_nobody_up() {
    let program = Program::start(&["--speed", "200"]);
    program.begin("");
    let watch =
        |topic: &str| format!(r#"{{"type1":"up","type2":"subscribe","param":[{{"topic":"{topic}","rate":"10"}}]}}"#);
    let mut deaf = program.client("/ws", None).expect("a client");
    ["vehicles", "edges", "signals"].iter().for_each(|topic| deaf.say(&watch(topic)));
    let mut clients: Vec<_> = (0..30).map(|_| program.client("/ws", None).expect("a client")).collect();
    for client in &mut clients {
        assert_eq!(client.ask(&watch("vehicles"))["code"], 200);
    }
    for client in &mut clients {
        let mut last = 0;
        for _ in 0..5 {
            let update = client.hear();
            let step = update["data"]["step"].as_u64().expect("a step");
            assert!(step > last, "each update is newer: {step} after {last}");
            last = step;
        }
    }
    let update = clients[0].hear();
    let vehicles = update["data"]["vehicles"].as_array().expect("vehicles");
    assert!(!vehicles.is_empty() && vehicles.iter().all(|v| v["x"].is_number() && v["lane"].is_string()), "{update}");
    // Only what is in the area.
    let area = r#"{"type1":"up","type2":"subscribe","param":[{"topic":"vehicles","rate":"10","x0":0,"y0":0,"x1":500,"y1":800}]}"#;
    let client = &mut clients[1];
    client.say(area);
    while client.hear()["code"] != 200 || client.hear()["msg"] != "update" {}
    let inside = client.hear();
    assert!(
        inside["data"]["vehicles"].as_array().is_some_and(|all| all.iter().all(|v| v["x"].as_f64() <= Some(500.0)))
    );
    program.reaches("running");
}

/// A view that was due while the last one was under way was left out, and a client that looked just before a view came waited a
/// whole period for the next.
#[test]
fn views_come_at_the_rate_that_was_asked_for() {
    // A hundred steps a second.
    let program = Program::start(&["--speed", "100", "--partitions", "2"]);
    program.begin("");
    let mut client = program.client("/ws", None).expect("a client");
    let watch = r#"{"type1":"up","type2":"subscribe","param":[{"topic":"edges","rate":"20"}]}"#;
    assert_eq!(client.ask(watch)["code"], 200);
    let step = |update: Value| update["data"]["step"].as_u64().expect("a step");
    let first = step(client.hear());
    let steps = (0..40).map(|_| step(client.hear())).last().unwrap_or(first) - first;
    // Twice as many are as good on a machine that is busy with other tests.
    assert!((190..=400).contains(&steps), "40 views in {steps} steps, where 200 were asked for");
}
