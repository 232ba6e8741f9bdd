//! What is answered before, while and after a run is there.

use super::program::Program;

/// As front ends send them.
const MESSAGES: [&str; 5] = [
    include_str!("../corpus/messages/global.json"),
    include_str!("../corpus/messages/load-net.json"),
    include_str!("../corpus/messages/global-1.json"),
    include_str!("../corpus/messages/net.json"),
    include_str!("../corpus/messages/size.json"),
];

/// A fault of the predecessor: after `global` before the simulation, start and stop got no answer.
#[test]
fn the_messages_of_front_ends_are_answered_and_then_start_and_stop() {
    let program = Program::start(&[]);
    let mut client = program.client("/ws", None).expect("a client");
    for turn in 0..2 {
        for message in MESSAGES {
            let reply = client.ask(message);
            // Only the network cannot be shown before it is loaded.
            assert_eq!(reply["code"], 200, "{message}: {reply}");
        }
        let reply = client.ask(MESSAGES[2]);
        assert_eq!((&reply["type3"], &reply["timestamp"]), (&"1".into(), &"1704271327166".into()), "{turn}");
    }
    let net = client.ask(r#"{"type1":"load","type2":"net","param":[{"size":"100","page":"1"}]}"#);
    assert_eq!(net["data"]["edges"].as_array().map(Vec::len), Some(100));
    let start = r#"{"type1":"up","type2":"simulation","param":[{"action":"start"}]}"#;
    assert_eq!(client.ask(start)["code"], 200);
    assert_eq!(client.ask(MESSAGES[0])["code"], 200);
    assert_eq!(client.ask(MESSAGES[1])["code"], 409, "nothing is loaded while it runs");
    assert_eq!(client.ask(r#"{"type1":"up","type2":"simulation","param":[{"action":"stop"}]}"#)["code"], 200);
    program.reaches("stopped");
    assert_eq!(client.ask(MESSAGES[1])["code"], 200);
    assert_eq!(client.ask(start)["code"], 200, "and once more");
}

#[test]
fn bad_messages_get_one_clear_answer_and_change_nothing() {
    let program = Program::start(&[]);
    program.begin(r#","paused":true"#);
    program.reaches("paused");
    let deep = format!(r#"{{"type1":"up","type2":"global","param":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let cases = [
        ("{", 400, "not valid JSON"),
        (&*deep, 400, "not valid JSON"),
        (r#"{"type1":"up","type2":"fly"}"#, 404, "unknown command 'fly'"),
        (r#"{"type1":"up","type2":"edge","param":[{"action":"paint","edge":"x"}]}"#, 400, "action 'close'"),
        (r#"{"type1":"up","type2":"edge","param":[{"action":"close","edge":"nowhere"}]}"#, 404, "no edge 'nowhere'"),
        (r#"{"type1":"up","type2":"edge","param":[{"action":"close","edge":7.5}]}"#, 404, "no edge '7.5'"),
        (r#"{"type1":"up","type2":"edge","param":[{"action":"close"}]}"#, 400, "either an edge or a lane"),
        (
            r#"{"type1":"up","type2":"edge","param":[{"action":"speed","edge":"35062275","speed":"fast"}]}"#,
            400,
            "'speed'",
        ),
        (r#"{"type1":"up","type2":"simulation","param":[{"action":"step","steps":"-3"}]}"#, 400, "whole number"),
        (r#"{"type1":"up","type2":"loadNet","param":[{"file":"../../etc/passwd"}]}"#, 409, "while the run is paused"),
        (
            r#"{"type1":"up","type2":"vehicle","param":[{"action":"remove","vehicle":"nobody"}]}"#,
            404,
            "no vehicle 'nobody'",
        ),
        (
            r#"{"type1":"up","type2":"signal","param":[{"action":"state","signal":"1371708589","state":"rx"}]}"#,
            400,
            "letter",
        ),
        (r#"{"type1":"up","type2":"subscribe","param":[{"topic":"health"}]}"#, 400, "WebSocket"),
    ];
    for (text, code, expected) in cases {
        let reply = program.command(text);
        let said = reply["msg"].as_str().unwrap_or_default();
        assert!(reply["code"] == code && said.contains(expected), "{}: {reply}", &text[..text.len().min(200)]);
    }
    let status = program.status();
    assert_eq!((&status["commands"], &status["step"]), (&0.into(), &0.into()));
}

#[test]
fn messages_that_are_too_long_are_refused_and_the_program_lives_on() {
    let program = Program::start(&[]);
    let long = vec![b' '; 100 * 1024 * 1024];
    let (status, reply) = program.post("/command", "", &long);
    assert_eq!((status, &reply["code"]), (413, &413.into()), "{reply}");
    let mut client = program.client("/ws", None).expect("a client");
    let text = String::from_utf8(vec![b' '; 3 * 1024 * 1024]).expect("text");
    // The gateway may hang up before all is sent.
    let _ = client.socket.send(tokio_tungstenite::tungstenite::Message::text(text));
    while client.socket.read().is_ok() {}
    assert_eq!(program.get("/healthz", "").0, 200);
    assert_eq!(program.command(MESSAGES[0])["code"], 200);
}
