//! What only a Redis can suffer: no memory, no disk, a restart, a freeze, users with few rights, TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tessds::persist::{Manifest, RunName, SnapshotStore, StoreError, open};
use tessds::protocol::Epoch;
use tessds::roles::launch::{LeaseRequest, launch};

use super::redis_server::{RedisServer, free_port};
use super::support::{block_on, check_readable, id, manifest, noise, run_name, snapshot};
use crate::expect;

const LONG: Duration = Duration::from_secs(60);

async fn acquire(store: &mut dyn SnapshotStore, run: &RunName) -> Epoch {
    store.acquire(run, "a", LONG).await.expect("the lease").epoch
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.expect("kill").success());
}

#[test]
fn without_memory_the_last_commit_stays_readable_and_counts_again_later() {
    let server = RedisServer::start(&["--maxmemory", "60mb", "--maxmemory-policy", "noeviction"]);
    let mut store = open(&server.url()).expect("an address");
    let run = run_name("oom");
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        let manifest = snapshot(&mut *store, &run, epoch, 10, 1 << 20).await.unwrap();
        let large = noise(16 << 20, 5);
        let mut full = None;
        for part in 0..8 {
            if let Err(error) = store.put_part(&run, id(20, epoch.0, part), &large).await {
                full = Some(error);
                break;
            }
        }
        expect!(full, Some(StoreError::Full { .. }));
        check_readable(&mut *store, &run, &manifest).await;
        assert_eq!(store.commits(&run).await, Ok(vec![manifest.clone()]));

        server.configure("maxmemory", "500mb");
        snapshot(&mut *store, &run, epoch, 30, 1 << 20).await.expect("room again");
        let (first, second) = (store.sweep(&run, epoch, 2).await.unwrap(), store.sweep(&run, epoch, 1).await.unwrap());
        assert_eq!((first.commits, second.commits, second.parts), (0, 1, 2));
        assert!(first.parts >= 1, "what was uploaded before memory ran out");
    });
}

/// A failed background save makes Redis refuse every write, also deletions.
#[test]
fn after_a_failed_save_of_redis_writes_are_refused_and_reads_go_on() {
    let server = RedisServer::start(&[]);
    let mut store = open(&server.url()).expect("an address");
    let run = run_name("misconf");
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        let manifest = snapshot(&mut *store, &run, epoch, 10, 10_000).await.unwrap();
        let obstacle = refuse_writes(&server);

        expect!(store.put_record(&run, epoch, "x", b"x").await, Err(StoreError::Refused { what }) if what.contains("MISCONF"));
        expect!(store.put_part(&run, id(20, epoch.0, 0), b"x").await, Err(StoreError::Refused { .. }));
        expect!(store.renew(&run, "a", epoch, LONG).await, Err(StoreError::Refused { .. }));
        expect!(store.sweep(&run, epoch, 1).await, Ok(_) | Err(StoreError::Refused { .. }));
        assert_eq!(store.commits(&run).await, Ok(vec![manifest.clone()]));
        check_readable(&mut *store, &run, &manifest).await;

        take_writes(&server, &obstacle);
        snapshot(&mut *store, &run, epoch, 20, 10_000).await.expect("writes again");
    });
}

/// A master that was restarted just then ended with an error, and with it the run.
#[test]
fn a_master_that_starts_while_writes_are_refused_waits_until_they_are_taken() {
    let server = RedisServer::start(&[]);
    let (mut store, run) = (open(&server.url()).expect("an address"), run_name("start"));
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        store.release(&run, epoch).await.expect("a lease to give back");
        let obstacle = refuse_writes(&server);
        let claim = LeaseRequest { run, holder: "b".to_owned(), lease: LONG };
        let mut starting = std::pin::pin!(launch(&mut *store, claim, None, None));
        let early = tokio::time::timeout(Duration::from_millis(600), &mut starting).await;
        assert!(early.is_err(), "it has ended already");
        take_writes(&server, &obstacle);
        let Err(error) = starting.await else { panic!("there is nothing to drive") };
        assert!(error.to_string().contains("interrupted before its scenario was stored"), "{error}");
    });
}

/// Makes the next save of the server fail; what stands in its way.
fn refuse_writes(server: &RedisServer) -> PathBuf {
    // Not even root can put a file in the place of a folder with something in it.
    let obstacle = server.folder().join("dump.rdb");
    std::fs::create_dir_all(obstacle.join("x")).expect("a folder");
    server.configure("save", "3600 1");
    redis::cmd("BGSAVE").exec(&mut server.link()).expect("a save");
    wait_for(server, "rdb_last_bgsave_status:err");
    obstacle
}

fn take_writes(server: &RedisServer, obstacle: &Path) {
    std::fs::remove_dir_all(obstacle).expect("a folder");
    redis::cmd("BGSAVE").exec(&mut server.link()).expect("a save");
    wait_for(server, "rdb_last_bgsave_status:ok");
}

fn wait_for(server: &RedisServer, line: &str) {
    let since = Instant::now();
    loop {
        let info: String = redis::cmd("INFO").arg("persistence").query(&mut server.link()).expect("redis");
        if info.contains(line) && info.contains("rdb_bgsave_in_progress:0") {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "never saw {line}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_redis_that_was_killed_goes_on_where_it_was() {
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut store = open(&server.url()).expect("an address");
    let run = run_name("restart");
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        store.append_log(&run, epoch, 0, b"command").await.unwrap();
        let manifest = snapshot(&mut *store, &run, epoch, 10, 2 << 20).await.unwrap();
        server.kill();
        let error = store.put_record(&run, epoch, "x", b"x").await.expect_err("nobody is there");
        assert!(error.is_transient() && error.is_outage(), "{error}");
        expect!(store.commits(&run).await, Err(StoreError::Unavailable { .. }));
        server.restart();
        let since = Instant::now();
        assert_eq!(store.commits(&run).await, Ok(vec![manifest.clone()]));
        assert!(since.elapsed() < Duration::from_secs(1), "no old back-off is waited for: {:?}", since.elapsed());
        check_readable(&mut *store, &run, &manifest).await;
        assert_eq!(store.read_log(&run, 0).await, Ok(vec![(0, b"command".to_vec())]));
        snapshot(&mut *store, &run, epoch, 20, 2 << 20).await.expect("the same epoch goes on");
    });
}

/// Acknowledged parts are not always there: without an append-only file a restart forgets them.
#[test]
fn a_redis_that_forgot_everything_fences_off_and_takes_no_commit_without_its_parts() {
    let mut server = RedisServer::start(&[]);
    let mut store = open(&server.url()).expect("an address");
    let run = run_name("amnesia");
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        let part = store.put_part(&run, id(10, epoch.0, 0), b"part").await.unwrap();
        server.kill();
        server.restart();
        expect!(
            store.commit(&run, &manifest(10, epoch, vec![part])).await,
            Err(StoreError::Fenced { current: Epoch(0) })
        );
        let epoch = acquire(&mut *store, &run).await;
        expect!(store.commit(&run, &manifest(10, epoch, vec![part])).await, Err(StoreError::Missing { .. }));
    });
}

/// A frozen server answers late: the call is over by then, but what it asked for is done.
#[test]
fn an_ambiguous_answer_does_no_harm() {
    let server = RedisServer::start(&[]);
    let mut store = open(&format!("{}?deadline_ms=200", server.url())).expect("an address");
    let run = run_name("frozen");
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        snapshot(&mut *store, &run, epoch, 10, 1000).await.unwrap();
        store.put_record(&run, epoch, "x", b"first").await.unwrap();
        let part = store.put_part(&run, id(20, epoch.0, 0), &noise(1000, 1)).await.unwrap();
        let twenty = manifest(20, epoch, vec![part]);

        signal(server.pid(), "STOP");
        expect!(store.commit(&run, &twenty).await, Err(StoreError::Ambiguous { .. }));
        expect!(store.put_part(&run, id(30, epoch.0, 0), &noise(3000, 2)).await, Err(StoreError::Ambiguous { .. }));
        expect!(store.append_log(&run, epoch, 0, b"command").await, Err(StoreError::Ambiguous { .. }));
        expect!(store.put_record(&run, epoch, "x", b"given up").await, Err(StoreError::Ambiguous { .. }));
        expect!(store.raise_epoch(&run, Epoch(99)).await, Err(StoreError::Ambiguous { .. }));
        signal(server.pid(), "CONT");

        // Late writes of given-up calls come through around this one, and must not undo it.
        store.put_record(&run, epoch, "x", b"newest").await.unwrap();
        store.commit(&run, &twenty).await.expect("the same again");
        store.append_log(&run, epoch, 0, b"command").await.expect("the same again");
        store.put_part(&run, id(30, epoch.0, 0), &noise(3000, 2)).await.expect("the same again");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(store.get_record(&run, "x").await, Ok(Some(b"newest".to_vec())));
        assert_eq!(store.read_log(&run, 0).await.unwrap().len(), 1);
        let steps: Vec<u64> = store.commits(&run).await.unwrap().iter().map(|commit| commit.step).collect();
        assert_eq!(steps, [20, 10]);

        // After an `acquire` or `raise_epoch` without an answer, the holder acquires again.
        let next = acquire(&mut *store, &run).await;
        assert!(next > epoch);
        expect!(store.commit(&run, &manifest(30, epoch, vec![])).await, Err(StoreError::Fenced { .. }));
        store.commit(&run, &manifest(30, next, vec![])).await.unwrap();
    });
}

#[test]
fn two_snapshots_are_kept_and_memory_does_not_grow() {
    const SNAPSHOT: u64 = 2 * (6 << 20);
    let server = RedisServer::start(&[]);
    let mut store = open(&server.url()).expect("an address");
    let run = run_name("memory");
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        let empty = server.info("used_memory");
        let mut at_rest = Vec::new();
        for step in 1..=12 {
            snapshot(&mut *store, &run, epoch, step, SNAPSHOT as usize / 2).await.unwrap();
            while store.sweep(&run, epoch, 2).await.unwrap().more {}
            at_rest.push(server.info("used_memory") - empty);
        }
        // What is unlinked is freed by a thread of the server.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let last = server.info("used_memory") - empty;
        assert!(last < 3 * SNAPSHOT, "{last} bytes for snapshots of {SNAPSHOT}: {at_rest:?}");
    });
}

#[test]
fn what_an_abandoned_run_left_expires_and_a_living_one_never_does() {
    let server = RedisServer::start(&[]);
    let mut store = open(&format!("{}?keep_days=1", server.url())).expect("an address");
    let run = run_name("abandoned");
    block_on(async {
        let epoch = acquire(&mut *store, &run).await;
        store.put_blob(&run, b"scenario").await.unwrap();
        store.put_record(&run, epoch, "x", b"x").await.unwrap();
        store.append_log(&run, epoch, 0, b"x").await.unwrap();
        snapshot(&mut *store, &run, epoch, 10, 100).await.unwrap();
        store.raise_epoch(&run, epoch).await.unwrap();
    });
    let mut link = server.link();
    let keys: Vec<String> = redis::cmd("KEYS").arg("tessds:{*").query(&mut link).expect("redis");
    assert!(keys.len() >= 8, "{keys:?}");
    for key in &keys {
        let left: i64 = redis::cmd("PTTL").arg(key).query(&mut link).expect("redis");
        assert!(left > 0 && left <= 86_400_000, "{key} has {left} ms left");
        if !key.ends_with(":lease") {
            redis::cmd("PEXPIRE").arg(key).arg(60_000).exec(&mut link).expect("redis");
        }
    }
    // Another holder, a day later: the lives of all keys begin again.
    let mut other = open(&format!("{}?keep_days=1", server.url())).expect("an address");
    block_on(async { acquire(&mut *other, &run).await });
    for key in keys.iter().filter(|key| !key.ends_with(":lease")) {
        let left: i64 = redis::cmd("PTTL").arg(key).query(&mut link).expect("redis");
        assert!(left > 80_000_000, "{key} has {left} ms left");
    }
}

/// The commands that `docs/stores.md` names.
fn documented_commands() -> Vec<String> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/stores.md")).expect("the guide");
    let line = text.lines().find(|line| line.starts_with("ACL SETUSER tessds")).expect("the line that makes the user");
    line.split_whitespace().filter(|word| word.starts_with('+')).map(str::to_owned).collect()
}

#[test]
fn the_documented_rights_are_enough_and_none_is_too_many() {
    let server = RedisServer::start(&[]);
    let url = format!("redis://tessds:pa%2Fss@127.0.0.1:{}", server.port());
    let commands = documented_commands();
    assert!(commands.len() > 10, "{commands:?}");
    let make_user = |commands: &[String]| {
        let mut make = redis::cmd("ACL");
        make.arg("SETUSER").arg("tessds").arg("reset").arg("on").arg(">pa/ss").arg("~tessds:*").arg(commands);
        make.exec(&mut server.link()).expect("a user");
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut server.link()).expect("redis");
    };
    make_user(&commands);
    block_on(all_calls(&url, "all")).expect("the documented rights");
    for (at, left_out) in commands.iter().enumerate() {
        let mut fewer = commands.clone();
        fewer.remove(at);
        make_user(&fewer);
        let result = block_on(all_calls(&url, &format!("without-{at}")));
        assert!(
            matches!(&result, Err(StoreError::Denied { what }) if !what.contains("pa/ss")),
            "{left_out}: {result:?}"
        );
    }
}

/// Every call of a store that is used in a run.
async fn all_calls(url: &str, name: &str) -> Result<(), StoreError> {
    let (run, mut store) = (run_name(name), open(url)?);
    let epoch = store.acquire(&run, "a", LONG).await?.epoch;
    let epoch = store.raise_epoch(&run, epoch).await?;
    store.renew(&run, "a", epoch, LONG).await?;
    let hash = store.put_blob(&run, b"scenario").await?;
    store.get_blob(&run, hash).await?;
    store.put_record(&run, epoch, "x", b"x").await?;
    store.get_record(&run, "x").await?;
    for step in 1..4 {
        let commit = snapshot(&mut *store, &run, epoch, step, 100).await?;
        store.get_part(&run, &commit.parts[0]).await?;
    }
    store.sweep(&run, epoch, 2).await?;
    let newest = store.commits(&run).await?.remove(0);
    store.replace(&run, &newest, &Manifest { created_ms: newest.created_ms + 1, ..newest.clone() }).await?;
    store.withdraw(&run, epoch, 3).await?;
    store.withdraw(&run, epoch, 2).await?;
    store.commits(&run).await?;
    store.append_log(&run, epoch, 0, b"x").await?;
    store.read_log(&run, 0).await?;
    store.status(&run).await?;
    store.runs().await?;
    // Prolongs what the run has by now.
    open(url)?.renew(&run, "a", epoch, LONG).await?;
    store.release(&run, epoch).await?;
    store.remove_run(&run, false).await
}

#[test]
fn a_wrong_password_is_refused_and_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "right\n").expect("a file");
    let server = RedisServer::start_in(folder, &["--requirepass", "right"], Some("right"));
    let port = server.port();
    block_on(async {
        for url in [format!("redis://:hunter2@127.0.0.1:{port}"), format!("redis://127.0.0.1:{port}")] {
            let error = open(&url).expect("an address").runs().await.expect_err("no entry");
            assert!(matches!(&error, StoreError::Denied { .. }) && !error.to_string().contains("hunter2"), "{error}");
        }
        let url = format!("redis://127.0.0.1:{port}?password_file={}", secret.display());
        assert_eq!(open(&url).expect("an address").runs().await, Ok(vec![]));
    });
}

fn openssl(folder: &Path, arguments: &str) {
    let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let made =
        made.unwrap_or_else(|error| panic!("cannot start openssl ({error}): install it with 'tools/setup.sh system'"));
    assert!(made.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn tls_needs_the_right_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["ca", "other"] {
        openssl(
            folder.path(),
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.crt"
            ),
        );
    }
    openssl(
        folder.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis -keyout redis.key -out redis.csr",
    );
    std::fs::write(folder.path().join("san"), "subjectAltName=IP:127.0.0.1,DNS:localhost").expect("a file");
    openssl(
        folder.path(),
        "x509 -req -in redis.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out redis.crt",
    );
    let (ca, other) = (folder.path().join("ca.crt"), folder.path().join("other.crt"));
    let port = free_port();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (certificate, key, authority) = (path("redis.crt"), path("redis.key"), path("ca.crt"));
    let tls_port = port.to_string();
    let arguments = [
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ];
    let _server = RedisServer::start_in(folder, &arguments, None);
    block_on(async {
        let run = run_name("tls");
        let mut store = open(&format!("rediss://localhost:{port}?ca={}", ca.display())).expect("an address");
        let epoch = acquire(&mut *store, &run).await;
        let manifest = snapshot(&mut *store, &run, epoch, 10, 5 << 20).await.unwrap();
        check_readable(&mut *store, &run, &manifest).await;

        let mut store = open(&format!("rediss://localhost:{port}?ca={}", other.display())).expect("an address");
        expect!(store.runs().await, Err(StoreError::Denied { .. }));
        let program = |authority: &Path| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_tessds"));
            program.args(["snapshot", "ls", "--store", &format!("rediss://127.0.0.1:{port}")]);
            program.env("SSL_CERT_FILE", authority).output().expect("the program")
        };
        let listed = program(&ca);
        assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("tls"), "{listed:?}");
        assert_eq!(program(&other).status.code(), Some(1));
    });
}
