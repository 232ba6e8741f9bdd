//! The whole cluster in one deterministic simulation: the real actors of a master and its workers on simulated hosts, with a
//! store that fails. One seed decides everything. `make simulate SEED=n RUNS=k`; `docs/simulation.md` says how it works.

mod cluster;
mod commands;
mod crashes;
mod faults;
mod hub;
mod judge;
mod ledger;
mod network;
mod oracle;
mod plan;
mod store;
mod weather;
mod worlds;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cluster::{Report, simulate};
use commands::Commands;
use plan::Plan;
use store::Planted;

/// Seeds of the sweep that every test run makes.
const SHORT_SWEEP: u64 = 60;
/// Seeds in which a bug of the program has to be seen.
const PROOF_SEEDS: u64 = 2000;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The runtime swallows panics of actors; here they count.
fn panicked() -> Result<(), String> {
    let panics = PANICS.take();
    if panics.is_empty() { Ok(()) } else { Err(format!("panic: {}", panics.join("; "))) }
}

fn watch_panics() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        if std::env::var_os("RUST_LOG").is_some() {
            struct Clock;
            impl tracing_subscriber::fmt::time::FormatTime for Clock {
                fn format_time(&self, out: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
                    write!(out, "{:>6}", hub::now_ms())
                }
            }
            let filter = tracing_subscriber::EnvFilter::from_default_env();
            let log = tracing_subscriber::fmt().with_timer(Clock).with_env_filter(filter).with_ansi(false);
            log.with_writer(std::io::stderr).init();
        }
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            before(info);
        }));
    });
}

fn simulate_seed(seed: u64, planted: Planted) -> Result<Report, String> {
    watch_panics();
    PANICS.take();
    let plan = Plan::of(seed);
    let about = plan.describe();
    if std::env::var_os("TRACE").is_some() {
        eprintln!("{about}\n{}", plan.commands.as_ref().map_or("", |commands| &commands.text));
    }
    let result = catch_unwind(AssertUnwindSafe(|| simulate(plan, planted)));
    let result = result.unwrap_or_else(|_| Err("the simulation panicked".to_owned()));
    let result = result.and_then(|report| panicked().map(|()| report));
    PANICS.take();
    result.map_err(|fault| format!("{fault}\n  {about}\n  again: make simulate SEED={seed} RUNS=1"))
}

/// Runs consecutive seeds on some threads; gives what was seen, and the faults.
fn sweep(first: u64, runs: u64, threads: usize) -> (BTreeMap<&'static str, u64>, Duration, Vec<String>) {
    let next = AtomicU64::new(first);
    let work = || {
        let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
        let (mut simulated, mut faults) = (Duration::ZERO, Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs {
                return (seen, simulated, faults);
            }
            match simulate_seed(seed, Planted::Nothing) {
                Ok(report) => {
                    simulated += report.simulated;
                    for (what, count) in report.seen {
                        *seen.entry(what).or_default() += count;
                    }
                    *seen.entry("recoveries").or_default() += report.recoveries;
                    *seen.entry("processes").or_default() += report.processes;
                }
                Err(fault) => {
                    eprintln!("{fault}");
                    faults.push(fault);
                }
            }
        }
    };
    let mut all: (BTreeMap<&'static str, u64>, Duration, Vec<String>) = Default::default();
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for done in working {
            let (seen, simulated, faults) = done.join().expect("panics are caught");
            for (what, count) in seen {
                *all.0.entry(what).or_default() += count;
            }
            all.1 += simulated;
            all.2.extend(faults);
        }
    });
    all
}

#[test]
fn a_short_sweep_of_seeds_ends_as_if_nothing_had_happened() {
    let (seen, _, faults) = sweep(1, SHORT_SWEEP, 2);
    assert!(faults.is_empty(), "{} of {SHORT_SWEEP} seeds failed:\n{}", faults.len(), faults.join("\n"));
    for what in [
        "frames",
        "commits",
        "crashes",
        "crashes of the master",
        "second masters",
        "placements from a commit",
        "entries of the command log",
        "edits",
        "withdrawals",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "never seen: {what}; {seen:?}");
    }
}

#[test]
fn a_seed_gives_the_same_trace_again() {
    let mut seen = BTreeSet::new();
    for seed in 900_000..900_008 {
        let runs = [(); 2].map(|()| simulate_seed(seed, Planted::Nothing).expect("a good run"));
        assert_eq!(runs[0].trace, runs[1].trace, "seed {seed}");
        seen.extend(runs[0].seen.keys().copied());
    }
    assert!(seen.contains("edits") && seen.contains("withdrawals"), "{seen:?}");
}

/// The states of an edit's step were left out, because the store had not taken those before, and the edit waited for them for ever
/// (seed 288).
#[test]
fn an_edit_waits_for_a_slow_store_and_not_for_ever() {
    watch_panics();
    let is_large = |plan: &Plan| plan.partitions == 7 && plan.steps > 300;
    let mut plan = (700_000..).map(Plan::of).find(is_large).expect("there are many plans");
    (plan.workers, plan.cluster.snapshot_interval, plan.store_delay_ms) = (1, 3, 50);
    plan.quiet_from = Duration::ZERO;
    plan.commands = Some(Commands::closing_an_edge_for_good(&plan.scenario, 60));
    let report = simulate(plan, Planted::Nothing).expect("a good run");
    assert_eq!(report.seen["edits"], 1);
}

#[test]
fn planted_bugs_are_found() {
    for (planted, invariant) in [
        (Planted::ForgottenCommit, "I5"),
        (Planted::ForgottenPart, "I5"),
        (Planted::UnfencedCommit, "I4"),
        (Planted::ForgottenWithdrawal, "I5"),
    ] {
        let found = (800_000..800_040).find_map(|seed| simulate_seed(seed, planted).err());
        let found = found.unwrap_or_else(|| panic!("{planted:?} is not found"));
        assert!(found.contains(invariant), "{planted:?} is found for another reason: {found}");
    }
}

/// `make simulate-proof`.
#[test]
#[ignore = "needs a program in which TESSDS_PLANT plants a bug"]
fn a_bug_that_is_planted_in_the_program_is_found() {
    let found = (1..=PROOF_SEEDS).find_map(|seed| simulate_seed(seed, Planted::Nothing).err());
    let bug = std::env::var("TESSDS_PLANT").expect("the name of a bug");
    println!("{bug}: {}", found.unwrap_or_else(|| panic!("{bug} is not found in {PROOF_SEEDS} seeds")));
}

/// `make simulate SEED=n RUNS=k`.
#[test]
#[ignore = "takes as long as it is told to"]
fn many_seeds() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let (first, runs) = (number("SEED", 1), number("RUNS", 1000));
    let started = Instant::now();
    let (seen, simulated, faults) = sweep(first, runs, number("JOBS", 2) as usize);
    println!("seeds {first}..{}: {} failed", first + runs, faults.len());
    println!("{:.0} s simulated in {:.0} s", simulated.as_secs_f64(), started.elapsed().as_secs_f64());
    for (what, count) in seen {
        println!("{count:>12} {what}");
    }
    assert!(faults.is_empty(), "failed:\n{}", faults.join("\n"));
}
