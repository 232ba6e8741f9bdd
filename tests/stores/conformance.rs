//! What every store does alike.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tessds::persist::chunks::CHUNK_BYTES;
use tessds::persist::{ContentHash, PartId, PartName, PartRef, RunName, StoreError};
use tessds::protocol::Epoch;

use super::bench::{Bench, Damage, Guard, Store, directory, memory, redis};
use super::support::{block_on, check_readable, id, manifest, noise, run_name, snapshot};
use crate::expect;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(150);

async fn acquire(store: &mut Store, run: &RunName, holder: &str) -> Epoch {
    store.acquire(run, holder, LONG).await.expect("the lease").epoch
}

async fn a_lease_excludes_others_and_raises_the_epoch(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let run = run_name("lease");
    assert_eq!(a.status(&run).await, Ok(None));
    let first = acquire(&mut a, &run, "a").await;
    expect!(b.acquire(&run, "b", LONG).await, Err(StoreError::Held { by, for_ms }) if by == "a" && (50_001..=60_000).contains(for_ms));
    let status = b.status(&run).await.unwrap().expect("a run");
    assert_eq!((status.epoch, status.holder.expect("a holder").name), (first, "a".to_owned()));

    // Its own lease is no obstacle: a restarted process fences off its former self.
    let second = acquire(&mut b, &run, "a").await;
    assert_eq!(second, Epoch(first.0 + 1));
    expect!(a.renew(&run, "a", first, LONG).await, Err(StoreError::Fenced { current }) if *current == second);
    expect!(a.release(&run, first).await, Err(StoreError::Fenced { .. }));
    expect!(a.raise_epoch(&run, first).await, Err(StoreError::Fenced { .. }));

    let third = b.raise_epoch(&run, second).await.unwrap();
    assert_eq!(third, Epoch(second.0 + 1));
    b.renew(&run, "a", third, LONG).await.unwrap();
    b.release(&run, third).await.unwrap();
    b.release(&run, third).await.unwrap();
    assert_eq!(a.status(&run).await.unwrap().expect("a run").holder, None);
    assert_eq!(acquire(&mut a, &run, "c").await, Epoch(third.0 + 1));
}

async fn an_expired_lease_can_be_taken_or_else_renewed(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let run = run_name("expiry");
    let first = a.acquire(&run, "a", SHORT).await.unwrap().epoch;
    tokio::time::sleep(2 * SHORT).await;
    a.renew(&run, "a", first, SHORT).await.expect("nobody took it");
    expect!(b.acquire(&run, "b", LONG).await, Err(StoreError::Held { .. }));
    tokio::time::sleep(2 * SHORT).await;
    let second = acquire(&mut b, &run, "b").await;
    expect!(a.renew(&run, "a", first, LONG).await, Err(StoreError::Fenced { current }) if *current == second);
}

async fn blobs_are_found_by_their_content(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let run = run_name("blobs");
    for bytes in [vec![], b"scenario".to_vec(), noise(2 * CHUNK_BYTES + 5, 1)] {
        let hash = a.put_blob(&run, &bytes).await.unwrap();
        assert_eq!(hash, ContentHash::of(&bytes));
        assert_eq!(a.put_blob(&run, &bytes).await, Ok(hash));
        assert_eq!(b.get_blob(&run, hash).await, Ok(bytes));
    }
    expect!(b.get_blob(&run, ContentHash(1)).await, Err(StoreError::Missing { .. }));
}

async fn records_are_overwritten_by_the_current_epoch_only(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let run = run_name("records");
    let first = acquire(&mut a, &run, "a").await;
    a.put_record(&run, first, "placement", b"one").await.unwrap();
    a.put_record(&run, first, "placement", b"two").await.unwrap();
    a.put_record(&run, first, "empty", b"").await.unwrap();
    let second = acquire(&mut b, &run, "a").await;
    expect!(a.put_record(&run, first, "placement", b"stale").await, Err(StoreError::Fenced { current }) if *current == second);
    expect!(a.put_record(&run, Epoch(second.0 + 5), "placement", b"x").await, Err(StoreError::Fenced { .. }));
    assert_eq!(b.get_record(&run, "placement").await, Ok(Some(b"two".to_vec())));
    assert_eq!(b.get_record(&run, "empty").await, Ok(Some(vec![])));
    assert_eq!(b.get_record(&run, "nothing").await, Ok(None));
    b.put_record(&run, second, "placement", b"three").await.unwrap();
    assert_eq!(a.get_record(&run, "placement").await, Ok(Some(b"three".to_vec())));
    for bad in ["", "a/b", "..", "a#", "ä"] {
        expect!(b.put_record(&run, second, bad, b"x").await, Err(StoreError::Config { .. }));
    }
}

async fn nothing_can_be_written_to_a_run_that_is_not_there(bench: &Bench) {
    let mut store = (bench.handle)();
    let run = run_name("nobody");
    for epoch in [Epoch(0), Epoch(1)] {
        expect!(store.put_record(&run, epoch, "x", b"x").await, Err(StoreError::Fenced { current: Epoch(0) }));
        expect!(store.append_log(&run, epoch, 0, b"x").await, Err(StoreError::Fenced { .. }));
        expect!(store.commit(&run, &manifest(1, epoch, vec![])).await, Err(StoreError::Fenced { .. }));
        expect!(store.renew(&run, "a", epoch, LONG).await, Err(StoreError::Fenced { .. }));
        expect!(store.sweep(&run, epoch, 1).await, Err(StoreError::Fenced { .. }));
    }
    assert_eq!(store.commits(&run).await, Ok(vec![]));
    assert_eq!(store.read_log(&run, 0).await, Ok(vec![]));
    assert_eq!(store.remove_run(&run, false).await, Ok(()));
    assert!(!store.runs().await.unwrap().contains(&run));
}

async fn parts_come_back_as_they_were(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let run = run_name("parts");
    for (part, length) in [
        (PartName::Partition(0), 0),
        (PartName::Partition(65535), 1),
        (PartName::Recorder, CHUNK_BYTES),
        (PartName::Master, CHUNK_BYTES + 1),
    ] {
        let id = PartId { step: 9, epoch: Epoch(4), part, attempt: 2 };
        let bytes = noise(length, 3);
        let stored = a.put_part(&run, id, &bytes).await.unwrap();
        assert_eq!(stored, PartRef::new(id, &bytes));
        assert_eq!(a.put_part(&run, id, &bytes).await, Ok(stored), "again");
        expect!(a.put_part(&run, id, &noise(length + 1, 4)).await, Err(StoreError::Conflict { .. }));
        assert_eq!(b.get_part(&run, &stored).await, Ok(bytes));
        let absent = PartRef { id: PartId { attempt: 3, ..id }, ..stored };
        expect!(b.get_part(&run, &absent).await, Err(StoreError::Missing { .. }));
        let impossible = PartRef { bytes: u64::MAX, ..stored };
        expect!(b.get_part(&run, &impossible).await, Err(StoreError::Damaged { .. }));
    }
}

async fn damaged_parts_are_noticed(bench: &Bench) {
    let mut store = (bench.handle)();
    let run = run_name("damage");
    let epoch = acquire(&mut store, &run, "a").await;
    for (step, damage) in [(1, Damage::Flip), (2, Damage::Truncate), (3, Damage::Remove)] {
        let manifest = snapshot(&mut *store, &run, epoch, step, 5000).await.unwrap();
        (bench.damage)(&run, &manifest.parts[1], damage);
        store.get_part(&run, &manifest.parts[0]).await.expect("the other part");
        expect!(
            store.get_part(&run, &manifest.parts[1]).await,
            Err(StoreError::Damaged { .. } | StoreError::Missing { .. })
        );
    }
}

async fn a_commit_needs_the_epoch_a_newer_step_and_all_parts(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let run = run_name("commit");
    let first = acquire(&mut a, &run, "a").await;
    let hundred = snapshot(&mut *a, &run, first, 100, 3000).await.unwrap();
    a.commit(&run, &hundred).await.expect("the same again: the answer may have been lost");
    let mut other = hundred.clone();
    other.created_ms += 1;
    expect!(a.commit(&run, &other).await, Err(StoreError::Conflict { .. }));
    expect!(a.commit(&run, &manifest(99, first, vec![])).await, Err(StoreError::Conflict { .. }));

    let absent = PartRef::new(id(200, first.0, 0), b"never uploaded");
    expect!(a.commit(&run, &manifest(200, first, vec![absent])).await, Err(StoreError::Missing { .. }));
    let part = a.put_part(&run, id(200, first.0, 0), b"uploaded").await.unwrap();
    expect!(a.commit(&run, &manifest(200, first, vec![part, part])).await, Err(StoreError::Conflict { .. }));
    expect!(a.commit(&run, &manifest(201, first, vec![part])).await, Err(StoreError::Conflict { .. }));

    let second = acquire(&mut b, &run, "a").await;
    expect!(a.commit(&run, &manifest(200, first, vec![part])).await, Err(StoreError::Fenced { current }) if *current == second);
    // The part was uploaded in an older epoch: partitions that were not lost go on.
    b.commit(&run, &manifest(200, second, vec![part])).await.unwrap();
    let commits = a.commits(&run).await.unwrap();
    assert_eq!(commits.iter().map(|commit| commit.step).collect::<Vec<_>>(), [200, 100]);
    assert_eq!(commits[1], hundred);
    assert_eq!(a.status(&run).await.unwrap().expect("a run").committed, Some(200));
    check_readable(&mut *b, &run, &commits[0]).await;
}

async fn a_damaged_commit_can_be_withdrawn_and_made_again(bench: &Bench) {
    let mut store = (bench.handle)();
    let run = run_name("withdraw");
    let first = acquire(&mut store, &run, "a").await;
    for step in [10, 20, 30] {
        snapshot(&mut *store, &run, first, step, 100).await.unwrap();
    }
    let epoch = store.raise_epoch(&run, first).await.unwrap();
    expect!(store.withdraw(&run, first, 30).await, Err(StoreError::Fenced { .. }));
    expect!(store.withdraw(&run, epoch, 20).await, Err(StoreError::Conflict { .. }));
    store.withdraw(&run, epoch, 30).await.unwrap();
    store.withdraw(&run, epoch, 30).await.expect("the same again");
    assert_eq!(store.commits(&run).await.unwrap()[0].step, 20);
    assert_eq!(store.status(&run).await.unwrap().expect("a run").committed, Some(20));
    snapshot(&mut *store, &run, epoch, 30, 100).await.expect("the step is computed again");
    for step in [30, 20, 10] {
        store.withdraw(&run, epoch, step).await.unwrap();
    }
    assert_eq!(store.status(&run).await.unwrap().expect("a run").committed, None);
    assert_eq!(store.commits(&run).await, Ok(vec![]));
}

async fn the_newest_commit_can_be_replaced_in_one_operation(bench: &Bench) {
    let (mut store, mut other) = ((bench.handle)(), (bench.handle)());
    let run = run_name("replace");
    let first = acquire(&mut store, &run, "a").await;
    let ten = snapshot(&mut *store, &run, first, 10, 100).await.unwrap();
    let twenty = snapshot(&mut *store, &run, first, 20, 100).await.unwrap();
    let epoch = acquire(&mut other, &run, "a").await;
    let part = other.put_part(&run, id(20, epoch.0, 0), b"carried over").await.unwrap();
    let carried = manifest(20, epoch, vec![part]);
    expect!(other.commit(&run, &carried).await, Err(StoreError::Conflict { .. }));
    expect!(other.replace(&run, &ten, &carried).await, Err(StoreError::Conflict { .. }));
    let absent = PartRef::new(id(20, epoch.0, 1), b"never uploaded");
    let lacking = manifest(20, epoch, vec![absent]);
    expect!(other.replace(&run, &twenty, &lacking).await, Err(StoreError::Missing { .. }));
    expect!(store.replace(&run, &twenty, &manifest(20, first, vec![part])).await, Err(StoreError::Fenced { .. }));
    assert_eq!(store.commits(&run).await.unwrap(), [twenty.clone(), ten.clone()]);

    other.replace(&run, &twenty, &carried).await.unwrap();
    other.replace(&run, &twenty, &carried).await.expect("the same again");
    assert_eq!(store.commits(&run).await.unwrap(), [carried.clone(), ten]);
    assert_eq!(store.status(&run).await.unwrap().expect("a run").committed, Some(20));
    // What it was is rubbish now, and the run goes on.
    assert_eq!(other.sweep(&run, epoch, 1).await.unwrap().commits, 1);
    expect!(store.get_part(&run, &twenty.parts[0]).await, Err(StoreError::Missing { .. }));
    check_readable(&mut *store, &run, &carried).await;
    snapshot(&mut *other, &run, epoch, 30, 100).await.expect("a newer one");
    expect!(other.replace(&run, &carried, &carried).await, Err(StoreError::Conflict { .. }));
}

async fn a_sweep_keeps_what_is_needed_and_what_is_under_way(bench: &Bench) {
    let mut store = (bench.handle)();
    let run = run_name("sweep");
    let epoch = acquire(&mut store, &run, "a").await;
    assert_eq!(store.sweep(&run, epoch, 2).await.unwrap().parts, 0);
    let mut made = Vec::new();
    for step in [10, 20, 30] {
        // An attempt that nobody waited for.
        let stray = PartId { attempt: 1, ..id(step, epoch.0, 0) };
        let stray = store.put_part(&run, stray, b"stray").await.unwrap();
        made.push((snapshot(&mut *store, &run, epoch, step, 100).await.unwrap(), stray));
    }
    let under_way = store.put_part(&run, id(40, epoch.0, 0), b"under way").await.unwrap();
    expect!(store.sweep(&run, Epoch(epoch.0 - 1), 2).await, Err(StoreError::Fenced { .. }));
    let swept = store.sweep(&run, epoch, 2).await.unwrap();
    assert_eq!((swept.commits, swept.parts, swept.more), (1, 2 + 3, false));
    for (manifest, stray) in &made {
        expect!(store.get_part(&run, stray).await, Err(StoreError::Missing { .. }));
        if manifest.step == 10 {
            expect!(store.get_part(&run, &manifest.parts[0]).await, Err(StoreError::Missing { .. }));
        } else {
            check_readable(&mut *store, &run, manifest).await;
        }
    }
    store.get_part(&run, &under_way).await.expect("newer than the newest commit");
    let kept = store.commits(&run).await.unwrap();
    assert_eq!(kept.iter().map(|commit| commit.step).collect::<Vec<_>>(), [30, 20]);
    assert_eq!(store.sweep(&run, epoch, 2).await.unwrap().parts, 0, "nothing is left to do");
}

async fn a_long_neglected_run_is_swept_in_bounded_steps(bench: &Bench) {
    let mut store = (bench.handle)();
    let run = run_name("neglected");
    let epoch = acquire(&mut store, &run, "a").await;
    for part in 0..600 {
        store.put_part(&run, id(1, epoch.0, part), b"lost").await.unwrap();
    }
    snapshot(&mut *store, &run, epoch, 2, 100).await.unwrap();
    let first = store.sweep(&run, epoch, 2).await.unwrap();
    assert!(first.more && first.parts < 600, "{first:?}");
    let second = store.sweep(&run, epoch, 2).await.unwrap();
    assert_eq!((first.parts + second.parts, second.more), (600, false));
}

async fn the_command_log_has_no_gaps_and_no_rewrites(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let run = run_name("log");
    let epoch = acquire(&mut a, &run, "a").await;
    expect!(a.append_log(&run, epoch, 1, b"gap").await, Err(StoreError::Conflict { .. }));
    for seq in 0..300u64 {
        a.append_log(&run, epoch, seq, format!("command {seq}").as_bytes()).await.unwrap();
    }
    a.append_log(&run, epoch, 299, b"command 299").await.expect("the same again");
    a.append_log(&run, epoch, 7, b"command 7").await.expect("the same again, long after");
    expect!(a.append_log(&run, epoch, 299, b"another").await, Err(StoreError::Conflict { .. }));
    expect!(a.append_log(&run, epoch, 301, b"gap").await, Err(StoreError::Conflict { .. }));
    let next = b.raise_epoch(&run, epoch).await.unwrap();
    expect!(a.append_log(&run, epoch, 300, b"stale").await, Err(StoreError::Fenced { .. }));
    b.append_log(&run, next, 300, &noise(3 << 20, 1)).await.unwrap();
    b.append_log(&run, next, 301, &noise(3 << 20, 2)).await.unwrap();

    let mut all = Vec::new();
    let mut pages = 0;
    loop {
        let page = a.read_log(&run, all.len() as u64).await.unwrap();
        if page.is_empty() {
            break;
        }
        pages += 1;
        all.extend(page);
    }
    assert_eq!(all.len(), 302);
    assert!(pages >= 3, "pages are bounded by number and by bytes: {pages}");
    assert!(all.iter().enumerate().all(|(at, (seq, _))| at as u64 == *seq));
    assert_eq!(all[123].1, b"command 123");
    assert_eq!(all[301].1, noise(3 << 20, 2));
}

async fn runs_are_listed_and_removed_when_nobody_holds_them(bench: &Bench) {
    let (mut a, mut b) = ((bench.handle)(), (bench.handle)());
    let (one, two) = (run_name("remove-1"), run_name("remove-2"));
    let epoch = acquire(&mut a, &one, "a").await;
    acquire(&mut a, &two, "a").await;
    a.put_record(&one, epoch, "x", b"x").await.unwrap();
    a.append_log(&one, epoch, 0, b"x").await.unwrap();
    let blob = a.put_blob(&one, b"blob").await.unwrap();
    let commit = snapshot(&mut *a, &one, epoch, 5, 100).await.unwrap();
    let runs = b.runs().await.unwrap();
    assert!(runs.contains(&one) && runs.contains(&two) && runs.is_sorted(), "{runs:?}");

    expect!(b.remove_run(&one, false).await, Err(StoreError::Held { .. }));
    check_readable(&mut *b, &one, &commit).await;
    a.release(&one, epoch).await.unwrap();
    b.remove_run(&one, false).await.unwrap();
    b.remove_run(&two, true).await.unwrap();
    let runs = b.runs().await.unwrap();
    assert!(!runs.contains(&one) && !runs.contains(&two), "{runs:?}");
    expect!(a.get_part(&one, &commit.parts[0]).await, Err(StoreError::Missing { .. }));
    expect!(a.get_blob(&one, blob).await, Err(StoreError::Missing { .. }));
    assert_eq!(a.get_record(&one, "x").await, Ok(None));
    assert_eq!(a.read_log(&one, 0).await, Ok(vec![]));
    expect!(a.put_record(&two, Epoch(1), "x", b"x").await, Err(StoreError::Fenced { .. }));

    // A run of the same name begins anew.
    let epoch = acquire(&mut a, &one, "a").await;
    a.put_record(&one, epoch, "x", b"new").await.unwrap();
    a.append_log(&one, epoch, 0, b"new").await.unwrap();
    assert_eq!(a.commits(&one).await, Ok(vec![]));
}

/// Two that both believe to hold the run, each with a thread and a handle of its own, commit as fast as they can. Every step is
/// committed by one of them, and none by the one that was replaced.
fn of_two_epochs_only_the_newer_commits(bench: fn() -> (Bench, Guard)) {
    let (bench, _guard) = bench();
    let (run, handle) = (run_name("race"), &bench.handle);
    let last = AtomicU64::new(0);
    let old = block_on(async { acquire(&mut handle(), &run, "a").await });
    let (before, after) = std::thread::scope(|scope| {
        let replaced = scope.spawn(|| {
            block_on(async {
                let (mut store, mut won) = (handle(), Vec::new());
                loop {
                    let step = last.load(Ordering::SeqCst) + 1;
                    match store.commit(&run, &manifest(step, old, vec![])).await {
                        Ok(()) => {
                            last.fetch_max(step, Ordering::SeqCst);
                            won.push(step);
                        }
                        Err(StoreError::Fenced { .. }) => return won,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        let replacing = scope.spawn(|| {
            block_on(async {
                let (mut store, mut won) = (handle(), Vec::new());
                while last.load(Ordering::SeqCst) < 20 {
                    tokio::task::yield_now().await;
                }
                let epoch = acquire(&mut store, &run, "a").await;
                while won.len() < 20 {
                    let step = last.load(Ordering::SeqCst) + 1;
                    match store.commit(&run, &manifest(step, epoch, vec![])).await {
                        Ok(()) => won.push(step),
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    last.fetch_max(step, Ordering::SeqCst);
                }
                won
            })
        });
        (replaced.join().expect("no panic"), replacing.join().expect("no panic"))
    });
    let commits = block_on(async { handle().commits(&run).await.expect("the commits") });
    let of = |epoch: Epoch| commits.iter().rev().filter(move |c| c.epoch == epoch).map(|c| c.step).collect::<Vec<_>>();
    assert_eq!(
        (of(old), of(Epoch(old.0 + 1))),
        (before.clone(), after.clone()),
        "acknowledged is committed and the reverse"
    );
    assert!(before.last() < after.first(), "{before:?} {after:?}");
}

macro_rules! conformance {
    ($store:ident: $($test:ident),* $(,)?) => {
        mod $store {
            $(#[test]
            fn $test() {
                let (bench, _guard) = super::$store();
                super::block_on(super::$test(&bench));
            })*

            #[test]
            fn of_two_epochs_only_the_newer_commits() {
                super::of_two_epochs_only_the_newer_commits(super::$store);
            }
        }
    };
    ($($store:ident)*) => {
        $(conformance! { $store:
            a_lease_excludes_others_and_raises_the_epoch,
            an_expired_lease_can_be_taken_or_else_renewed,
            blobs_are_found_by_their_content,
            records_are_overwritten_by_the_current_epoch_only,
            nothing_can_be_written_to_a_run_that_is_not_there,
            parts_come_back_as_they_were,
            damaged_parts_are_noticed,
            a_commit_needs_the_epoch_a_newer_step_and_all_parts,
            a_damaged_commit_can_be_withdrawn_and_made_again,
            the_newest_commit_can_be_replaced_in_one_operation,
            a_sweep_keeps_what_is_needed_and_what_is_under_way,
            a_long_neglected_run_is_swept_in_bounded_steps,
            the_command_log_has_no_gaps_and_no_rewrites,
            runs_are_listed_and_removed_when_nobody_holds_them,
        })*
    };
}

conformance!(memory directory redis);
