//! How fast large parts come and go; run it with
//! `cargo test --release --test integration -- --ignored --nocapture stores::throughput`.

use std::time::{Duration, Instant};

use tessds::persist::{DirStore, SnapshotStore, open};

use super::redis_server::RedisServer;
use super::support::{block_on, id, noise, run_name};

const BYTES: usize = 64 << 20;
const ROUNDS: u16 = 7;

/// Best and median of some rounds, in MiB/s.
fn measure(name: &str, store: &mut dyn SnapshotStore) {
    let run = run_name("throughput");
    let rate = |since: Instant| BYTES as f64 / f64::from(1 << 20) / since.elapsed().as_secs_f64();
    let (mut up, mut down, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    block_on(async {
        let epoch = store.acquire(&run, "a", Duration::from_secs(600)).await.unwrap().epoch;
        for round in 0..ROUNDS {
            let bytes = noise(BYTES, u64::from(round));
            let since = Instant::now();
            let part = store.put_part(&run, id(u64::from(round), epoch.0, 0), &bytes).await.unwrap();
            up.push(rate(since));
            let since = Instant::now();
            assert!(store.get_part(&run, &part).await.unwrap() == bytes);
            down.push(rate(since));
            let manifest = super::support::manifest(u64::from(round), epoch, vec![part]);
            let since = Instant::now();
            store.commit(&run, &manifest).await.unwrap();
            commits.push(since.elapsed().as_secs_f64() * 1e3);
            store.sweep(&run, epoch, 1).await.unwrap();
        }
    });
    for rates in [&mut up, &mut down, &mut commits] {
        rates.sort_by(f64::total_cmp);
    }
    let middle = usize::from(ROUNDS / 2);
    println!(
        "{name}: put_part {:.0} (best {:.0}) MiB/s, get_part {:.0} (best {:.0}) MiB/s, commit {:.2} ms",
        up[middle],
        up[up.len() - 1],
        down[middle],
        down[down.len() - 1],
        commits[middle]
    );
}

#[test]
#[ignore = "measures"]
fn throughput() {
    let folder = tempfile::tempdir().expect("a folder");
    measure("dir", &mut DirStore::new(folder.path()));
    let server = RedisServer::start(&[]);
    measure("redis", &mut *open(&server.url()).expect("an address"));
    let server = RedisServer::start(&["--appendonly", "yes"]);
    measure("redis, AOF everysec", &mut *open(&server.url()).expect("an address"));
}
