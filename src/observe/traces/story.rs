//! What the lines of the log tell, as spans. Knows no clock and no collector.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::span::{Field, Span, SpanId, TraceId};

/// Workers without a connection that are remembered; it is only about when their loss began (I7).
const MAX_SILENT: usize = 1024;
/// The clock of the log and that of the master's core are read one after the other.
const CLOCKS: Duration = Duration::from_millis(50);

/// A line of the log.
#[derive(Debug)]
pub struct Line {
    pub at: SystemTime,
    pub message: String,
    pub fields: BTreeMap<&'static str, Field>,
}

impl Line {
    fn number(&self, name: &str) -> Option<i64> {
        match self.fields.get(name) {
            Some(Field::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name) {
            Some(Field::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// When that began of which the line tells the end.
    fn began(&self) -> SystemTime {
        let took = self.number("took_ms").and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        took.and_then(|took| self.at.checked_sub(took)).unwrap_or(self.at)
    }
}

/// A worker or partition that was found lost.
#[derive(Clone, Debug)]
struct Loss {
    began: SystemTime,
    noticed: SystemTime,
    reason: String,
}

/// A partition that was placed and is not where it is wanted yet.
#[derive(Debug)]
struct Placement {
    epoch: i64,
    /// It had been up before.
    again: bool,
    placed: SystemTime,
    /// When its recovery began, and when it was up, once it is.
    up: Option<(SystemTime, SystemTime)>,
}

/// All that is not over yet.
#[derive(Debug, Default)]
pub struct Story {
    run: Option<(String, SystemTime)>,
    silent: BTreeMap<String, SystemTime>,
    /// Of the worker, or partition, that was lost last.
    loss: Option<Loss>,
    under_way: BTreeMap<i64, Placement>,
    /// Partitions that have been up.
    seen: BTreeMap<i64, i64>,
}

impl Story {
    /// Hears the next line, and gives what is over with it.
    pub fn hear(&mut self, line: &Line, spans: &mut Vec<Span>) {
        match line.message.as_str() {
            "run is stored under this name" | "joined a run" => self.begin(line),
            "run finished"
            | "shutdown signal received"
            | "terminated; workers wait for the next master, and --resume continues the run" => {
                self.end(line, None, spans);
            }
            "run failed" => self.end(line, line.text("error"), spans),
            "connection to worker lost" => self.silent(line),
            "worker joined" => {
                line.text("worker").and_then(|worker| self.silent.remove(worker));
            }
            "worker lost" => {
                let began = line.text("worker").and_then(|worker| self.silent.remove(worker));
                self.lost(line, began, line.text("reason"));
            }
            "partition ended" => self.lost(line, None, line.text("status")),
            "partition placed" => self.placed(line, spans),
            "partition started" => self.up(line, spans),
            "partition caught up" => self.caught_up(line, spans),
            "partition built" => {
                let parent = |trace: TraceId, part| trace.span("restore", part);
                self.of_partition(line, "build", ("recovery", "epoch"), parent, None, spans);
            }
            "snapshot stored" => self.of_snapshot(line, None, spans),
            "snapshot not stored; the previous commit remains valid" => {
                self.of_snapshot(line, line.text("reason"), spans)
            }
            "snapshot committed" => self.alone(line, "commit", ("snapshot", "step"), None, spans),
            "snapshot not committed; the previous commit remains valid" => {
                self.alone(line, "commit", ("after snapshot", "committed"), line.text("reason"), spans);
            }
            "command executed" => self.alone(line, "carry out", ("command", "number"), None, spans),
            "command answered" => self.answered(line, spans),
            _ => {}
        }
    }

    fn begin(&mut self, line: &Line) {
        let Some(run) = line.text("run") else { return };
        if self.run.as_ref().is_none_or(|(before, _)| before != run) {
            *self = Self { run: Some((run.to_owned(), line.at)), ..Self::default() };
        }
    }

    fn end(&mut self, line: &Line, failed: Option<&str>, spans: &mut Vec<Span>) {
        let Some((run, began)) = std::mem::take(self).run else { return };
        let trace = TraceId::of(&run, "run", 0);
        // One for each master that has driven it.
        let millis = began.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let mut span = Self::span(&run, line, trace, "run", millis, failed);
        span.began = began;
        spans.push(span);
    }

    fn silent(&mut self, line: &Line) {
        if self.silent.len() >= MAX_SILENT {
            self.silent.clear();
        }
        if let Some(worker) = line.text("worker") {
            self.silent.insert(worker.to_owned(), line.at);
        }
    }

    fn lost(&mut self, line: &Line, began: Option<SystemTime>, reason: Option<&str>) {
        let reason = reason.unwrap_or_default().to_owned();
        self.loss = Some(Loss { began: began.unwrap_or(line.at), noticed: line.at, reason });
    }

    fn placed(&mut self, line: &Line, spans: &mut Vec<Span>) {
        let (Some(part), Some(epoch)) = (line.number("partition"), line.number("epoch")) else { return };
        let again = self.seen.contains_key(&part);
        let placement = Placement { epoch, again, placed: line.at, up: None };
        let Some(before) = self.under_way.insert(part, placement) else { return };
        if let (Some((run, _)), Some((began, _))) = (&self.run, before.up) {
            let trace = TraceId::of(run, "recovery", before.epoch);
            let failed = Some("the partition was lost again before it had caught up");
            spans.push(Span { began, ..Self::span(run, line, trace, "recovery", part, failed) });
        }
    }

    fn up(&mut self, line: &Line, spans: &mut Vec<Span>) {
        let (Some(part), Some((run, _))) = (line.number("partition"), &self.run) else { return };
        let Some(placement) = self.under_way.get_mut(&part).filter(|known| Some(known.epoch) == line.number("epoch"))
        else {
            return;
        };
        self.seen.insert(part, placement.epoch);
        let trace = TraceId::of(run, "recovery", placement.epoch);
        let name = if placement.again { "recovery" } else { "start" };
        let root = trace.span(name, part);
        let lost = line.began().min(placement.placed);
        let is_cause =
            |loss: &&Loss| placement.again && loss.noticed + CLOCKS >= lost && loss.noticed <= placement.placed;
        let loss = self.loss.as_ref().filter(is_cause);
        let child = |name, began, ended| Span {
            parent: Some(root),
            began,
            ended,
            ..Self::span(run, line, trace, name, part, None)
        };
        if let Some(loss) = loss {
            let mut detect = child("detect", loss.began, loss.noticed);
            detect.attributes.push(("reason", Field::Text(loss.reason.clone())));
            spans.push(detect);
        }
        spans.push(child("place", lost, placement.placed));
        spans.push(child("restore", placement.placed, line.at));
        let began = loss.map_or(lost, |loss| loss.began.min(lost));
        placement.up = Some((began, line.at));
        if !placement.again {
            spans.push(Span { began, ..Self::span(run, line, trace, name, part, None) });
            self.under_way.remove(&part);
        }
    }

    fn caught_up(&mut self, line: &Line, spans: &mut Vec<Span>) {
        let (Some(part), Some((run, _))) = (line.number("partition"), &self.run) else { return };
        let Some(Placement { epoch, up: Some((began, up)), .. }) = self.under_way.remove(&part) else { return };
        let trace = TraceId::of(run, "recovery", epoch);
        let parent = Some(trace.span("recovery", part));
        spans.push(Span { parent, began: up, ..Self::span(run, line, trace, "replay", part, None) });
        spans.push(Span { began, ..Self::span(run, line, trace, "recovery", part, None) });
    }

    fn of_snapshot(&self, line: &Line, failed: Option<&str>, spans: &mut Vec<Span>) {
        let step = line.number("step").unwrap_or_default();
        let parent = |trace: TraceId, _| trace.span("commit", step);
        self.of_partition(line, "store", ("snapshot", "step"), parent, failed, spans);
    }

    /// A span of one partition, in a trace that another process may have.
    fn of_partition(
        &self,
        line: &Line,
        name: &'static str,
        (subject, number): (&str, &str),
        parent: impl FnOnce(TraceId, i64) -> SpanId,
        failed: Option<&str>,
        spans: &mut Vec<Span>,
    ) {
        let (Some((run, _)), Some(part)) = (&self.run, line.number("partition")) else { return };
        let Some(number) = line.number(number) else { return };
        let trace = TraceId::of(run, subject, number);
        spans.push(Span { parent: Some(parent(trace, part)), ..Self::span(run, line, trace, name, part, failed) });
    }

    /// A span that has a trace of its own.
    fn alone(
        &self,
        line: &Line,
        name: &'static str,
        (subject, number): (&str, &str),
        failed: Option<&str>,
        spans: &mut Vec<Span>,
    ) {
        let (Some((run, _)), Some(number)) = (&self.run, line.number(number)) else { return };
        spans.push(Self::span(run, line, TraceId::of(run, subject, number), name, number, failed));
    }

    /// Commands are answered also when there is no run.
    fn answered(&self, line: &Line, spans: &mut Vec<Span>) {
        let run = self.run.as_ref().map_or("", |(run, _)| run);
        let nanos = line.at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
        let failed = line.number("code").filter(|code| *code >= 500).map(|code| format!("code {code}"));
        spans.push(Self::span(run, line, TraceId::of(run, "answer", nanos), "answer", nanos, failed.as_deref()));
    }

    /// What the line tells the end of, with all that it says.
    fn span(run: &str, line: &Line, trace: TraceId, name: &'static str, number: i64, failed: Option<&str>) -> Span {
        let mut attributes = vec![("run", Field::Text(run.to_owned()))];
        let told = line.fields.iter().filter(|(name, _)| !["run", "took_ms"].contains(name));
        attributes.extend(told.map(|(name, field)| (*name, field.clone())));
        Span {
            trace,
            id: trace.span(name, number),
            parent: None,
            name,
            began: line.began(),
            ended: line.at,
            attributes,
            failed: failed.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000 + ms)
    }

    /// A line: when, ms; message; numbers; texts.
    type Told<'a> = (u64, &'a str, &'a [(&'static str, i64)], &'a [(&'static str, &'a str)]);

    /// Tells lines, and gives what they made.
    fn told(story: &mut Story, lines: &[Told<'_>]) -> Vec<Span> {
        let mut spans = Vec::new();
        for (ms, message, numbers, texts) in lines {
            let numbers = numbers.iter().map(|(name, number)| (*name, Field::Number(*number)));
            let texts = texts.iter().map(|(name, text)| (*name, Field::Text((*text).to_owned())));
            let line = Line { at: at(*ms), message: (*message).to_owned(), fields: numbers.chain(texts).collect() };
            story.hear(&line, &mut spans);
        }
        spans
    }

    fn begun(run: &str) -> Story {
        let mut story = Story::default();
        assert!(told(&mut story, &[(0, "run is stored under this name", &[], &[("run", run)])]).is_empty());
        story
    }

    /// Names and times, in ms.
    fn times(spans: &[Span]) -> Vec<(&'static str, u64, u64)> {
        let ms = |time: SystemTime| time.duration_since(at(0)).expect("later").as_millis() as u64;
        spans.iter().map(|span| (span.name, ms(span.began), ms(span.ended))).collect()
    }

    #[test]
    fn a_recovery_has_a_span_for_each_of_its_parts() {
        let mut story = begun("monday");
        let start = told(
            &mut story,
            &[
                (10, "partition placed", &[("partition", 2), ("epoch", 1)], &[("worker", "w0")]),
                (14, "partition started", &[("partition", 2), ("epoch", 1), ("took_ms", 9)], &[]),
            ],
        );
        assert_eq!(times(&start), [("place", 5, 10), ("restore", 10, 14), ("start", 5, 14)]);
        let spans = told(
            &mut story,
            &[
                (1000, "connection to worker lost", &[], &[("worker", "w0"), ("reason", "reset")]),
                (1500, "worker lost", &[("partitions", 1)], &[("worker", "w0"), ("reason", "it does not come back")]),
                (1510, "partition placed", &[("partition", 2), ("epoch", 2)], &[("worker", "w1")]),
                (1514, "partition started", &[("partition", 2), ("epoch", 2), ("step", 600), ("took_ms", 14)], &[]),
                (1600, "partition caught up", &[("partition", 2), ("epoch", 2), ("took_ms", 100)], &[]),
            ],
        );
        let expected = [
            ("detect", 1000, 1500),
            ("place", 1500, 1510),
            ("restore", 1510, 1514),
            ("replay", 1514, 1600),
            ("recovery", 1000, 1600),
        ];
        assert_eq!(times(&spans), expected);
        let root = &spans[4];
        assert!(spans[..4].iter().all(|span| span.parent == Some(root.id) && span.trace == root.trace));
        assert!(root.parent.is_none() && spans.iter().all(|span| span.failed.is_none()));
        assert!(spans[0].attributes.contains(&("reason", Field::Text("it does not come back".to_owned()))));
        assert_ne!(root.trace, start[0].trace);
    }

    #[test]
    fn what_a_worker_builds_and_stores_belongs_to_what_its_master_tells() {
        let (mut master, mut worker) = (begun("monday"), begun("monday"));
        let placed: &[Told<'_>] = &[
            (10, "partition placed", &[("partition", 2), ("epoch", 1)], &[]),
            (14, "partition started", &[("partition", 2), ("epoch", 1), ("took_ms", 4)], &[]),
            (90, "snapshot committed", &[("step", 100), ("epoch", 1), ("took_ms", 7)], &[]),
        ];
        let of_master = told(&mut master, placed);
        let of_worker = told(
            &mut worker,
            &[
                (13, "partition built", &[("partition", 2), ("epoch", 1), ("took_ms", 2)], &[]),
                (85, "snapshot stored", &[("partition", 2), ("epoch", 1), ("step", 100), ("took_ms", 5)], &[]),
            ],
        );
        let find = |spans: &[Span], name: &str| spans.iter().find(|span| span.name == name).expect("a span").clone();
        for (child, parent) in [("build", "restore"), ("store", "commit")] {
            let (child, parent) = (find(&of_worker, child), find(&of_master, parent));
            assert_eq!((child.trace, child.parent), (parent.trace, Some(parent.id)), "{child:?}");
        }
        let other = told(&mut begun("tuesday"), placed);
        assert!(other.iter().all(|other| of_master.iter().all(|span| span.trace != other.trace)));
    }

    #[test]
    fn what_came_to_nothing_says_why() {
        let mut story = begun("monday");
        let spans = told(
            &mut story,
            &[
                (1, "partition placed", &[("partition", 0), ("epoch", 1)], &[]),
                (2, "partition started", &[("partition", 0), ("epoch", 1), ("took_ms", 1)], &[]),
                (10, "partition placed", &[("partition", 0), ("epoch", 2)], &[]),
                (12, "partition started", &[("partition", 0), ("epoch", 2), ("took_ms", 4)], &[]),
                (20, "partition placed", &[("partition", 0), ("epoch", 3)], &[]),
                (
                    30,
                    "snapshot not committed; the previous commit remains valid",
                    &[("committed", 100)],
                    &[("reason", "full")],
                ),
                (40, "command answered", &[("code", 503), ("took_ms", 3)], &[("command", "net load")]),
                (50, "run failed", &[], &[("error", "the store is gone")]),
            ],
        );
        let failed: Vec<(&str, &str)> =
            spans.iter().filter_map(|span| Some((span.name, span.failed.as_deref()?))).collect();
        let expected = [
            ("recovery", "the partition was lost again before it had caught up"),
            ("commit", "full"),
            ("answer", "code 503"),
            ("run", "the store is gone"),
        ];
        assert_eq!(failed, expected);
        // It is over: what comes now belongs to nothing.
        assert!(told(&mut story, &[(60, "snapshot committed", &[("step", 1), ("took_ms", 1)], &[])]).is_empty());
    }

    #[test]
    fn a_partition_that_was_lost_long_after_a_worker_is_not_its_recovery() {
        let mut story = begun("monday");
        let spans = told(
            &mut story,
            &[
                (1, "partition placed", &[("partition", 0), ("epoch", 1)], &[]),
                (2, "partition started", &[("partition", 0), ("epoch", 1), ("took_ms", 1)], &[]),
                (10, "worker lost", &[], &[("worker", "w7")]),
                // Its worker leaves in peace.
                (5010, "partition placed", &[("partition", 0), ("epoch", 2)], &[]),
                (5012, "partition started", &[("partition", 0), ("epoch", 2), ("took_ms", 4)], &[]),
            ],
        );
        assert!(spans.iter().all(|span| span.name != "detect"), "{spans:?}");
    }
}
