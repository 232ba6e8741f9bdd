//! What is given bytes, and what must hold whatever they are.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tessds::control::message::read;
use tessds::control::registry::{commands, find};
use tessds::control::{Command, RunState};
use tessds::protocol::{
    Epoch, FencingToken, Frame, Generation, Hello, Hosted, PeerMessage, Place, Purpose, RunId, Stream, ToMaster,
    ToWorker, VERSION, accept, decode, encode,
};
use tokio::io::AsyncWriteExt;

use super::roads;

pub struct Target {
    pub name: &'static str,
    /// Cases in a normal run of the tests.
    pub cases: u64,
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics when something is wrong; says whether the bytes were good.
    pub check: fn(&[u8]) -> bool,
}

pub const TARGETS: &[Target] = &[
    Target { name: "messages", cases: 50_000, seeds: messages, check: message },
    Target { name: "frames", cases: 50_000, seeds: frames, check: frame },
    Target { name: "roads", cases: 10_000, seeds: roads::frames, check: roads::frame },
    Target { name: "snapshots", cases: 3_000, seeds: roads::snapshots, check: roads::snapshot },
];

/// One message for every command, with every argument.
fn messages() -> Vec<Vec<u8>> {
    let texts = commands().flat_map(|spec| {
        spec.directions.iter().flat_map(|direction| {
            ["1", "true", "[\"a\",\"b\"]", "\"edge\"", "{}"].map(|value| {
                let action = spec.action.map(|action| format!("\"action\":\"{action}\"")).into_iter();
                let arguments = spec.arguments.iter().filter(|(name, _)| *name != "action");
                let param: Vec<String> =
                    action.chain(arguments.map(|(name, _)| format!("\"{name}\":{value}"))).collect();
                let (direction, subject, param) = (direction.name(), spec.subject, param.join(","));
                format!(r#"{{"type1":"{direction}","type2":"{subject}","id":7,"param":[{{{param}}}]}}"#).into_bytes()
            })
        })
    });
    texts.collect()
}

/// A command that is understood is understood in the same way when it is read from the log again (I6).
fn message(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let (_, Ok(request)) = read(text) else { return false };
    let Ok(spec) = find(&request) else { return false };
    for state in RunState::ALL {
        // Whether it may be given now is a matter of the state alone.
        let _ = spec.admit(&request, state);
    }
    let Ok(command) = Command::read(spec, &request) else { return false };
    let (_, again) = read(&request.to_text());
    let again = again.expect("what is kept is a message");
    let found = find(&again).expect("the same command");
    assert_eq!(found.name, spec.name);
    let understood = Command::read(found, &again).expect("what is kept is understood");
    assert_eq!(format!("{understood:?}"), format!("{command:?}"));
    true
}

fn frames() -> Vec<Vec<u8>> {
    let token = FencingToken { run: RunId::of("a run"), epoch: Epoch(3) };
    let peer = [
        PeerMessage::Ping,
        PeerMessage::At { token, from: 1, step: 70 },
        PeerMessage::Hello(Hello { token, generation: Generation(5), from: 1, at: 7, next_step: 8 }),
        PeerMessage::Frame(std::sync::Arc::new(Frame { token, from: 1, step: 9, bytes: vec![7; 300] })),
    ];
    let to_master = [
        ToMaster::Join {
            name: "worker".to_owned(),
            incarnation: 1 << 60,
            address: "127.0.0.1:7701".to_owned(),
            run: Some(token.run),
            hosted: vec![Hosted { part: 1, epoch: Epoch(2), steps: 100 }],
            stored: Vec::new(),
            told: vec![(1, Epoch(2))],
            horizon: 200,
        },
        ToMaster::Progress { steps: vec![(0, 10), (1, 11)] },
        ToMaster::Reports { part: 0, epoch: Epoch(1), until: 16, reports: Vec::new() },
        ToMaster::Leaving,
    ];
    let to_worker = [
        ToWorker::Refused { reason: "no".to_owned() },
        ToWorker::Places(vec![Place { part: 0, epoch: Epoch(1), address: "127.0.0.1:7701".to_owned() }]),
        ToWorker::Host { part: 1, epoch: Epoch(2), from: None },
        ToWorker::Grant { horizon: 300, recorded: 200 },
        ToWorker::End { failure: None },
    ];
    let neighbour = Purpose::Neighbour {
        run: token.run,
        from: 0,
        from_epoch: Epoch(1),
        to: 1,
        to_epoch: Epoch(1),
        generation: Generation(1),
    };
    let bytes = |message: Result<Vec<u8>, _>| message.expect("a message");
    let opening = |purpose: Purpose| {
        let message = bytes(encode(&("TESSDS", VERSION, purpose)));
        [&(message.len() as u32).to_le_bytes()[..], &message].concat()
    };
    let mut all: Vec<Vec<u8>> = peer.iter().map(|message| bytes(encode(message))).collect();
    all.extend(to_master.iter().map(|message| bytes(encode(message))));
    all.extend(to_worker.iter().map(|message| bytes(encode(message))));
    all.extend([opening(Purpose::Work), opening(neighbour)]);
    all
}

fn frame(bytes: &[u8]) -> bool {
    // All of them, whatever the first says.
    stable::<PeerMessage>(bytes) | stable::<ToMaster>(bytes) | stable::<ToWorker>(bytes) | opening(bytes)
}

/// What was read, is written and read as the same again.
fn stable<M: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(message) = decode::<M>(bytes) else { return false };
    let written = encode(&message).expect("what was read can be written");
    let again: M = decode(&written).expect("what was written can be read");
    assert_eq!(encode(&again).expect("and written"), written);
    true
}

/// A caller that says this and hangs up is heard out, or refused.
fn opening(bytes: &[u8]) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (mut caller, listener) = tokio::io::duplex(bytes.len() + 4096);
        caller.write_all(bytes).await.expect("room");
        caller.shutdown().await.expect("an end");
        let mut listener: Box<dyn Stream> = Box::new(listener);
        // All that it waits for has come: bytes, or the end of them.
        accept(&mut *listener).await.is_ok()
    })
}
