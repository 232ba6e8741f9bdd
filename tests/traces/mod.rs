//! Traces of real processes, as a collector gets them.

mod collector;

use crate::cluster::process;
use crate::cluster::run;

use std::collections::BTreeSet;

use self::collector::{Collector, Span};
use self::process::Process;
use self::run::{Plan, RUN};

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn a_collector_gets_the_run_its_commits_and_a_recovery_with_all_of_its_parts() {
    let collector = Collector::start();
    let mut plan = Plan::new(1500, 2);
    plan.common.push(("OTEL__ENDPOINT", collector.endpoint()));
    // What is logged is another matter.
    plan.common.push(("LOG__FILTER", "info".to_owned()));
    let mut cluster = plan.start();
    cluster.add_worker(&[]);
    cluster.committed(100);
    let host = cluster.host_of(1);
    cluster.kill_worker(host);
    cluster.ends_as_undisturbed();

    let spans = collector.spans();
    let told = |span: &&Span| span.attribute("run") == Some(RUN);
    assert!(spans.iter().all(|span| told(&span)), "{spans:?}");
    let runs = named(&spans, "run");
    assert!(matches!(runs[..], [run] if run.parent.is_none() && !run.failed), "{runs:?}");
    assert_eq!(named(&spans, "start").len(), 2);

    let recoveries = named(&spans, "recovery");
    let [recovery] = recoveries[..] else { panic!("{recoveries:?}") };
    assert_eq!((recovery.attribute("partition"), recovery.attribute("epoch")), (Some("1"), Some("2")));
    let parts: Vec<&Span> = spans.iter().filter(|span| span.parent.as_ref() == Some(&recovery.id)).collect();
    let names: BTreeSet<&str> = parts.iter().map(|span| &*span.name).collect();
    assert_eq!(names, BTreeSet::from(["detect", "place", "replay", "restore"]));
    for part in &parts {
        assert_eq!((&part.trace, part.service.as_str()), (&recovery.trace, "tessds/master"));
        assert!(recovery.began <= part.began && part.began <= part.ended && part.ended <= recovery.ended, "{part:?}");
    }
    // Who builds the partition is another process, and nobody has told it the names.
    let restore = parts.iter().find(|span| span.name == "restore").unwrap();
    let build: Vec<&Span> = spans.iter().filter(|span| span.parent.as_ref() == Some(&restore.id)).collect();
    assert!(matches!(build[..], [build] if build.name == "build" && build.service == "tessds/worker"), "{build:?}");

    let commits = named(&spans, "commit");
    let committed = cluster.master.count("snapshot committed");
    assert_eq!(commits.len(), committed);
    for commit in commits {
        let stored = spans.iter().filter(|span| span.name == "store" && span.trace == commit.trace);
        let parts: BTreeSet<Option<&str>> = stored
            .map(|span| {
                assert_eq!(span.parent.as_ref(), Some(&commit.id));
                span.attribute("partition")
            })
            .collect();
        // What the killed worker had not sent yet is lost with it.
        let is_whole = parts.len() == 2 || (parts.len() == 1 && commit.attribute("epoch") == Some("1"));
        assert!(is_whole, "{parts:?} of step {:?}", commit.attribute("step"));
    }
    let ids: BTreeSet<&str> = spans.iter().map(|span| &*span.id).collect();
    assert_eq!(ids.len(), spans.len(), "no two spans have one id");
}

#[test]
fn a_collector_that_is_away_costs_one_warning_and_nothing_else() {
    let mut plan = Plan::new(300, 1);
    plan.common.push(("OTEL__ENDPOINT", format!("http://127.0.0.1:{}", run::steady_port())));
    let mut cluster = plan.start();
    cluster.ends_as_undisturbed();
    let warned = "the collector does not accept traces; traces are dropped until it does";
    assert_eq!(cluster.master.count(warned), 1, "{}", cluster.master.tail());
}

#[test]
fn an_address_that_is_none_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["https://collector:4318", "collector:4318", "http://:x"] {
        let settings = [("OTEL__ENDPOINT", bad.to_owned())];
        let mut process = Process::start(folder.path(), "alone", &[], &settings);
        process.ends_with(2);
        assert!(process.tail().contains("otel.endpoint"), "{bad}: {}", process.tail());
    }
}
