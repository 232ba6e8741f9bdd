//! `tessds snapshot` with the real program.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tessds::persist::{DirStore, SnapshotStore};

use super::support::{block_on, id, manifest, noise, run_name};

fn tessds(arguments: &[&str], store: &str) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_tessds"))
        .arg("snapshot")
        .args(arguments)
        .args(["--store", store])
        .output()
        .expect("the program");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

fn json(arguments: &[&str], store: &str) -> Value {
    let (code, text) = tessds(&[arguments, &["--json"]].concat(), store);
    assert!(code == Some(0) || code == Some(1), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn runs_are_listed_shown_verified_and_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("dir:{}", folder.path().display());
    let (run, other) = (run_name("rush-hour"), run_name("night"));
    block_on(async {
        let mut store = DirStore::new(folder.path());
        let epoch = store.acquire(&run, "master-0", Duration::from_secs(60)).await.unwrap().epoch;
        let scenario = store.put_blob(&run, b"scenario").await.unwrap();
        for step in [100, 200] {
            let part = store.put_part(&run, id(step, epoch.0, 0), &noise(5000, step)).await.unwrap();
            let mut manifest = manifest(step, epoch, vec![part]);
            manifest.scenario = scenario;
            store.commit(&run, &manifest).await.unwrap();
        }
        let epoch = store.acquire(&other, "master-0", Duration::from_secs(60)).await.unwrap().epoch;
        store.release(&other, epoch).await.unwrap();
    });

    let (code, text) = tessds(&["ls"], &url);
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((code, words.len()), (Some(0), 3), "{text}");
    assert_eq!(words[1], ["night", "1", "-", "0", "0", "-", "-"], "{text}");
    assert_eq!(words[2][..5], ["rush-hour", "1", "200", "2", "10000"], "{text}");
    assert!(words[2].ends_with(&["d", "master-0"]), "{text}");
    let runs = json(&["ls"], &url);
    assert_eq!((&runs[1]["step"], &runs[1]["holder"]["name"]), (&200.into(), &"master-0".into()));

    let commits = json(&["show", "rush-hour"], &url);
    assert_eq!((&commits[0]["step"], &commits[1]["parts"][0]["bytes"]), (&200.into(), &5000.into()));
    let (code, text) = tessds(&["show", "rush-hour", "--step", "100"], &url);
    assert!(code == Some(0) && text.starts_with("step 100, epoch 1, 5000 bytes in 1 parts"), "{text}");
    assert_eq!(tessds(&["show", "rush-hour", "--step", "7"], &url).0, Some(1));
    assert_eq!(tessds(&["show", "nobody"], &url).0, Some(1));

    let (code, text) = tessds(&["verify"], &url);
    assert_eq!((code, text.matches("sound").count()), (Some(0), 2), "{text}");
    let part = folder.path().join("runs/rush-hour/parts/000000000200-1-p0-0");
    let mut bytes = std::fs::read(&part).expect("the part");
    bytes[100] ^= 1;
    std::fs::write(&part, bytes).expect("room");
    let (code, text) = tessds(&["verify", "rush-hour"], &url);
    assert!(code == Some(1) && text.contains("step 200: DAMAGED") && text.contains("step 100: sound"), "{text}");
    assert_eq!(tessds(&["verify", "rush-hour", "--step", "100"], &url).0, Some(0));
    assert_eq!(json(&["verify"], &url)[0]["faults"].as_array().expect("faults").len(), 1);

    let (code, text) = tessds(&["rm", "rush-hour"], &url);
    assert!(code == Some(1) && text.contains("held by 'master-0'"), "{text}");
    assert_eq!(tessds(&["rm", "night"], &url).0, Some(0));
    assert_eq!(tessds(&["rm", "rush-hour", "--force"], &url).0, Some(0));
    assert_eq!(json(&["ls"], &url).as_array().expect("runs").len(), 0);
    assert_eq!(tessds(&["rm", "rush-hour"], &url).0, Some(1));
}

#[test]
fn what_cannot_be_asked_is_a_usage_error() {
    for (arguments, store) in [
        (&["ls"][..], "ftp://somewhere"),
        (&["ls"], "dir:"),
        (&["ls"], "redis://u:hunter2@host?nothing=1"),
        (&["show", "a/b"], "memory"),
        (&["verify", "--step", "3"], "memory"),
        (&["show"], "memory"),
    ] {
        let (code, text) = tessds(arguments, store);
        assert_eq!(code, Some(2), "{arguments:?} {store}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(tessds(&["ls"], "redis://127.0.0.1:1").0, Some(1), "nobody listens there");
}
