//! What only a directory can suffer: a process that is killed while it writes, and a full disk.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use tessds::persist::{DirStore, SnapshotStore, StoreError};

use super::support::{block_on, check_readable, id, noise, run_name, snapshot};
use crate::expect;

const LONG: Duration = Duration::from_secs(60);
const FOLDER: &str = "TESSDS_TEST_STORE";

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// This program again, as a process of its own that does one of the tests below.
fn child(test: &str) -> [String; 5] {
    let program = std::env::current_exe().expect("this program").to_string_lossy().into_owned();
    [
        program,
        "--exact".to_owned(),
        format!("stores::directory::{test}"),
        "--ignored".to_owned(),
        "--nocapture".to_owned(),
    ]
}

#[test]
#[ignore = "a child of the next test"]
fn commits_until_it_is_killed() {
    let Some(folder) = folder() else { return };
    let mut store = DirStore::new(folder);
    let run = run_name("killed");
    block_on(async {
        let epoch = store.acquire(&run, "child", LONG).await.unwrap().epoch;
        let first = store.status(&run).await.unwrap().and_then(|status| status.committed).unwrap_or(0) + 1;
        let mut entries = 0;
        while let page @ 1.. = store.read_log(&run, entries).await.unwrap().len() {
            entries += page as u64;
        }
        for step in first.. {
            store.append_log(&run, epoch, entries + step - first, &step.to_le_bytes()).await.unwrap();
            snapshot(&mut store, &run, epoch, step, 40_000).await.unwrap();
            println!("\nacknowledged {step}");
            store.sweep(&run, epoch, 2).await.unwrap();
        }
    });
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = run_name("killed");
    let mut last = 0;
    for round in 0..12u64 {
        let [program, arguments @ ..] = child("commits_until_it_is_killed");
        let mut process = Command::new(program)
            .args(arguments)
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut acknowledged = move || {
            lines
                .by_ref()
                .map_while(Result::ok)
                .find_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok())
        };
        for _ in 0..=round % 3 {
            last = acknowledged().expect("a commit");
        }
        std::thread::sleep(Duration::from_micros(round * 700));
        process.kill().expect("a process");
        process.wait().expect("its end");
        while let Some(step) = acknowledged() {
            last = step;
        }
        let mut store = DirStore::new(folder.path());
        block_on(async {
            let commits = store.commits(&run).await.unwrap();
            let newest = commits[0].step;
            assert!(
                newest == last || newest == last + 1,
                "round {round}: {newest} is committed, {last} was acknowledged"
            );
            for commit in commits.iter().take(2) {
                check_readable(&mut store, &run, commit).await;
            }
            let mut entries = 0;
            while let page @ 1.. = store.read_log(&run, entries).await.unwrap().len() {
                entries += page as u64;
            }
            // A round may end between an entry and its commit.
            assert!((last..=last + round + 1).contains(&entries), "round {round}: {entries} entries, step {last}");
        });
    }
    let unfinished = || fs::read_dir(folder.path().join("runs/killed/tmp")).expect("a folder").count();
    // Whatever the killed ones left unfinished goes once it is old.
    fs::write(folder.path().join("runs/killed/tmp/1-1"), b"x").expect("a file");
    for entry in fs::read_dir(folder.path().join("runs/killed/tmp")).expect("a folder") {
        let old = SystemTime::now() - Duration::from_secs(3600);
        fs::File::options()
            .write(true)
            .open(entry.expect("a file").path())
            .and_then(|file| file.set_modified(old))
            .expect("a time");
    }
    assert!(unfinished() > 0);
    block_on(async { DirStore::new(folder.path()).acquire(&run, "child", LONG).await.unwrap() });
    assert_eq!(unfinished(), 0);
}

#[test]
#[ignore = "a child of the next test"]
fn goes_on_after_the_disk_was_full() {
    let Some(folder) = folder() else { return };
    let mut store = DirStore::new(&folder);
    let run = run_name("full");
    block_on(async {
        let epoch = store.acquire(&run, "child", LONG).await.unwrap().epoch;
        let manifest = snapshot(&mut store, &run, epoch, 1, 200_000).await.unwrap();
        let large = noise(20 << 20, 9);
        for _ in 0..3 {
            expect!(store.put_part(&run, id(2, epoch.0, 0), &large).await, Err(StoreError::Full { .. }));
        }
        check_readable(&mut store, &run, &manifest).await;
        assert_eq!(
            fs::read_dir(folder.join("runs/full/tmp")).expect("a folder").count(),
            0,
            "nothing half-written stays"
        );
        snapshot(&mut store, &run, epoch, 2, 200_000).await.expect("there is room for a smaller one");
        store.sweep(&run, epoch, 1).await.unwrap();
    });
    println!("went on");
}

/// In a small file system of its own where that is allowed; elsewhere with a limit on the size of files.
#[test]
fn a_full_disk_leaves_the_last_commit_and_does_not_end_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let limited = format!(
        "if mount -t tmpfs -o size=4m none '{0}' 2>/dev/null; then :; else trap '' XFSZ; ulimit -f 4096; fi; exec \"$@\"",
        folder.path().display()
    );
    let unshared = ["unshare", "--mount", "--map-root-user", "sh", "-c", &limited, "sh"];
    let alone = |command: &[&str]| {
        Command::new(command[0])
            .args(&command[1..])
            .args(child("goes_on_after_the_disk_was_full"))
            .env(FOLDER, folder.path())
            .output()
            .expect("a shell")
    };
    let allowed = Command::new("unshare").args(["--mount", "--map-root-user", "true"]).output();
    let output =
        if allowed.is_ok_and(|output| output.status.success()) { alone(&unshared) } else { alone(&unshared[3..]) };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("went on"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_commit_that_a_crash_cut_short_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = DirStore::new(folder.path());
    let run = run_name("short");
    block_on(async {
        let epoch = store.acquire(&run, "a", LONG).await.unwrap().epoch;
        let first = snapshot(&mut store, &run, epoch, 10, 100).await.unwrap();
        let commits = folder.path().join("runs/short/commits");
        // The file was there, the pointer had not moved.
        fs::copy(commits.join(format!("{:012}", 10)), commits.join(format!("{:012}", 20))).expect("a file");
        assert_eq!(store.commits(&run).await, Ok(vec![first]));
        snapshot(&mut store, &run, epoch, 20, 100).await.expect("the step is committed anew");
        assert_eq!(store.commits(&run).await.unwrap().len(), 2);

        // Damaged afterwards: left out, and the pointer tells.
        fs::write(commits.join(format!("{:012}", 20)), b"rubbish").expect("a file");
        assert_eq!(store.commits(&run).await.unwrap()[0].step, 10);
        assert_eq!(store.status(&run).await.unwrap().expect("a run").committed, Some(20));
        store.withdraw(&run, epoch, 20).await.unwrap();
        snapshot(&mut store, &run, epoch, 15, 100).await.expect("goes on from the one before");
    });
}

#[test]
fn a_place_that_cannot_be_a_store_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let error =
        block_on(async { DirStore::new(file.path()).acquire(&run_name("x"), "a", LONG).await }).expect_err("a file");
    let name = Path::new(file.path()).to_string_lossy().into_owned();
    assert!(error.to_string().contains(&name), "{error}");
}
