//! Who is let in.

use std::process::Command;

use super::program::Program;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const GLOBAL: &[u8] = br#"{"type2":"global","type1":"down"}"#;

fn guarded() -> (Program, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("control.toml");
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, format!("# operators\n{TOKEN}\n")).expect("room");
    std::fs::write(&settings, format!("[control]\ntoken_file = {:?}\n", tokens.display().to_string())).expect("room");
    (Program::start(&["--config", &settings.display().to_string()]), folder)
}

#[test]
fn nobody_comes_in_without_the_token() {
    let (program, _folder) = guarded();
    assert_eq!(program.post("/command", "", GLOBAL).0, 401);
    assert_eq!(program.post("/command", "Authorization: Bearer wrong\r\n", GLOBAL).0, 401);
    assert_eq!(program.get("/status", "").0, 401);
    assert_eq!(program.client("/ws", None).err(), Some(401));
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(program.post("/command", &format!("Authorization: {bearer}\r\n"), GLOBAL).0, 200);
    let mut client = program.client("/ws", Some(("authorization", &bearer))).expect("a client");
    assert_eq!(client.ask(r#"{"type2":"global","type1":"down"}"#)["code"], 200);
    // Probes have no token.
    assert_eq!((program.get("/healthz", "").0, program.get("/readyz", "").0), (200, 200));
}

#[test]
fn a_ticket_opens_one_connection() {
    let (program, _folder) = guarded();
    assert_eq!(program.post("/ticket", "", b"").0, 401);
    let (_, reply) = program.post("/ticket", &format!("Authorization: Bearer {TOKEN}\r\n"), b"");
    let path = format!("/ws?ticket={}", reply["data"]["ticket"].as_str().expect("a ticket"));
    assert!(program.client(&path, None).is_ok());
    assert_eq!(program.client(&path, None).err(), Some(401), "it was used before");
}

#[test]
fn pages_of_other_sites_are_refused() {
    let program = Program::start(&[]);
    assert_eq!(program.post("/command", "Origin: https://evil.example\r\n", GLOBAL).0, 403);
    assert_eq!(program.client("/ws", Some(("origin", "https://evil.example"))).err(), Some(403));
    let own = format!("Origin: http://{}\r\n", program.address);
    assert_eq!(program.post("/command", &own, GLOBAL).0, 200);
}

#[test]
fn a_gateway_that_others_can_reach_needs_a_token() {
    let done =
        Command::new(env!("CARGO_BIN_EXE_tessds")).args(["run", "--http", "0.0.0.0:0"]).output().expect("the program");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("set control.token_file"), "{said}");
}
