//! Bytes that nobody meant: messages of clients, and what comes over connections. Mutations of good input and of the corpus
//! (`tests/corpus/`); not guided by coverage. `make fuzz MINUTES=10` goes on for longer, and leaves what it finds in the corpus.

mod corpus;
mod mutation;
mod roads;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use corpus::{inputs, keep};
use mutation::Mutation;
use targets::{TARGETS, Target};

/// Whether the input is good.
fn check(target: &Target, input: &[u8], origin: &str) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.check)(input))).unwrap_or_else(|_| {
        let path = keep(target.name, input);
        panic!("{}: {origin} fails; it is kept in {path}", target.name);
    })
}

fn replay(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs = inputs(target.name);
    inputs.extend((target.seeds)());
    let good = inputs.iter().filter(|input| check(target, input, "a seed")).count();
    assert!(good >= 15, "{}: only {good} of {} seeds are good", target.name, inputs.len());
    inputs
}

#[test]
fn whatever_comes_is_read_or_refused() {
    for target in TARGETS {
        let inputs = replay(target);
        let mut mutation = Mutation::new(1);
        let good =
            (0..target.cases).filter(|case| check(target, &mutation.of(&inputs), &format!("case {case}"))).count();
        assert!(good >= 100, "{}: only {good} cases are good, so little was tried", target.name);
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
        let (mut mutation, begun, mut cases, mut good) = (Mutation::new(seed), Instant::now(), 0u64, 0u64);
        while begun.elapsed() < share {
            good += u64::from(check(target, &mutation.of(&inputs), &format!("case {cases} of seed {seed}")));
            cases += 1;
        }
        println!("{}: {cases} cases of seed {seed}, {good} of them good", target.name);
    }
}
