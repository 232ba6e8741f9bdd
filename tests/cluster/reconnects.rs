//! One link that is cut again and again.

use super::process::{Process, wait_until};
use super::relay::{Fate, Relay};
use super::run::{Plan, steady_port};

const STEPS: u64 = 2000;
/// Both sides have said hello by then, and hardly a frame is through.
const GREETING: i64 = 420;

/// How often the link is cut. `TESSDS_RECONNECTS=10000` takes some minutes: a link that breaks is tried again after 10 ms.
fn reconnects() -> u64 {
    std::env::var("TESSDS_RECONNECTS").map_or(40, |count| count.parse().expect("TESSDS_RECONNECTS: a number"))
}

/// What becomes of the connections: the first is held, to count what there is of everything; then they are cut, in the opening,
/// in a greeting or in a frame; at last one is held again, and goes on.
fn fate(number: u64, cuts: u64) -> Fate {
    if number == 0 || number >= cuts {
        return Fate::HoldAfter { bytes: GREETING, then_cut: number == 0 };
    }
    let noise = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let bytes = match number {
        // Now and then the run comes a few steps further.
        _ if number.is_multiple_of((cuts / 50).max(5)) => noise % 1200,
        _ if number.is_multiple_of(16) => noise % 200,
        _ => 200 + noise % 400,
    };
    Fate::CutAfter(bytes as i64)
}

/// Open files and threads.
fn belongings(process: &Process) -> (usize, usize) {
    (process.open_files(), process.threads())
}

#[test]
fn a_link_that_is_cut_again_and_again_changes_nothing_and_leaves_nothing_behind() {
    let cuts = reconnects();
    let mut cluster = Plan::new(STEPS, 2).master();
    // The partition with the lower number calls the other one; which worker gets which is up to the master.
    let relays: Vec<Relay> = (0..2)
        .map(|_| {
            let listen = format!("127.0.0.1:{}", steady_port());
            let relay = Relay::start(listen.clone(), move |number| fate(number, cuts));
            cluster.add_worker(&["--listen", &listen, "--advertise", &relay.address]);
            relay
        })
        .collect();
    let relay = wait_until("the first connection", || relays.iter().find(|relay| relay.held() > 0));
    // Snapshots open files, too: wait until nobody writes one.
    let before: Vec<(usize, usize)> = cluster.workers.iter().map(belongings).collect();
    relay.release();

    wait_until("all cuts", || {
        assert!(cluster.master.is_running(), "the run was over after {} cuts", relay.cuts());
        (relay.held() > 1).then_some(())
    });
    assert!(relay.cuts() >= cuts, "{} cuts", relay.cuts());
    // The run waits for the link, so this is all there is. What was closed a moment ago may take another.
    for (worker, before) in cluster.workers.iter().zip(before) {
        let what = format!("{} had {before:?} open files and threads", worker.name);
        wait_until(&what, || {
            let now = belongings(worker);
            (now.0 <= before.0 && now.1 <= before.1).then_some(())
        });
        assert!(worker.memory_mib() < 400, "{} MiB", worker.memory_mib());
    }
    relay.release();
    cluster.ends_as_undisturbed();
    assert_eq!(cluster.report()["recoveries"], 0, "a lost connection costs no rollback");
}
