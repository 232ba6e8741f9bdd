//! Bytes that nobody meant: messages of clients, and what comes over connections. Mutations of good input and of the corpus
//! (`tests/corpus/`); not guided by coverage. `make fuzz MINUTES=10` goes on for longer, and leaves what it finds in the corpus.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod corpus;
mod mutation;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use corpus::{inputs, keep};
use mutation::Mutation;
use targets::{TARGETS, Target};

/// Cases of each target in a normal run of the tests.
const CASES: u64 = 3000;

fn check(target: &Target, input: &[u8], origin: &str) {
    if catch_unwind(AssertUnwindSafe(|| (target.check)(input))).is_err() {
        let path = keep(target.name, input);
        panic!("{}: {origin} fails; it is kept in {path}", target.name);
    }
}

fn replay(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs = inputs(target.name);
    inputs.extend((target.seeds)());
    assert!(inputs.len() > 10, "only {} inputs", inputs.len());
    for input in &inputs {
        check(target, input, "a seed");
    }
    inputs
}

#[test]
fn whatever_comes_is_read_or_refused() {
    for target in TARGETS {
        let inputs = replay(target);
        let mut mutation = Mutation::new(1);
        for case in 0..CASES {
            check(target, &mutation.of(&inputs), &format!("case {case}"));
        }
    }
}

/// `make fuzz`.
#[test]
#[ignore = "for as long as one likes"]
fn for_minutes() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (minutes, seed) = (number("MINUTES", 1), number("SEED", 1));
    let share = Duration::from_secs(minutes * 60) / TARGETS.len() as u32;
    for target in TARGETS {
        let inputs = replay(target);
        let (mut mutation, begun, mut cases) = (Mutation::new(seed), Instant::now(), 0u64);
        while begun.elapsed() < share {
            check(target, &mutation.of(&inputs), &format!("case {cases} of seed {seed}"));
            cases += 1;
        }
        println!("{}: {cases} cases of seed {seed}, {} inputs", target.name, inputs.len());
    }
}
