#!/usr/bin/env python3
"""Reads log lines as deploy/logging/fluent.conf says, with the patterns out of that file, and checks what comes out.

    tools/log_pipeline.py FILE...            files as a container runtime writes them
    tools/log_pipeline.py --plain FILE...    standard error of a process, as it is

fluentd itself is not needed. Every line has to parse, no field may be unknown to the index template, and a partition that was
lost has to be found again. Ends with code 1 otherwise.
"""

import argparse
import json
import pathlib
import re
import sys

import common

LOGGING = common.ROOT / "deploy" / "logging"
# What the collector adds to each event.
ADDED = {"stream", "pod", "namespace", "container", "node"}
NUMBERS = ("integer", "long")
BEGIN_OF_RECOVERY, END_OF_RECOVERY = "partition placed", "partition caught up"


def patterns(conf):
    """The pattern of a line and that of the first line of an event."""
    text = pathlib.Path(conf).read_text()
    find = lambda option: re.search(rf"^\s*{option} /(.*)/$", text, re.M)[1]
    # Ruby and Python write named groups differently.
    of = lambda option: re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", find(option)))
    return of("expression"), of("multiline_start_regexp")


def template():
    """Types of the fields, by name."""
    mappings = json.loads((LOGGING / "index-template.json").read_text())["template"]["mappings"]
    return {name: field["type"] for name, field in mappings["properties"].items()}


class Pipeline:
    """From lines to events, as in fluent.conf: pieces, then texts over several lines, then JSON."""

    def __init__(self, conf=LOGGING / "fluent.conf"):
        self.line, self.first = patterns(conf)
        self.problems = []

    def records(self, lines):
        """Whole lines with their stream."""
        pieces = {}
        for n, text in enumerate(lines, 1):
            found = self.line.match(text)
            if not found:
                self.problems.append(f"line {n} is none of the runtime: {text[:100]!r}")
                continue
            stream = found["stream"]
            whole = pieces.pop(stream, "") + found["line"]
            if found["logtag"] == "P":
                pieces[stream] = whole
            else:
                yield stream, whole

    def texts(self, lines):
        """Events as texts, those over several lines in one."""
        open_texts = {}
        for stream, text in self.records(lines):
            begins = bool(self.first.match(text))
            if not begins and stream in open_texts:
                open_texts[stream] += "\n" + text
                continue
            if stream in open_texts:
                yield stream, open_texts.pop(stream)
            if begins:
                open_texts[stream] = text
            else:
                yield stream, text
        yield from open_texts.items()

    def events(self, lines):
        for stream, text in self.texts(lines):
            try:
                event = json.loads(text)
            except ValueError:
                event = {"message": text, "level": "ERROR" if "panicked at" in text else "INFO"}
                if text.startswith("{"):
                    self.problems.append(f"no JSON: {text[:100]!r}")
            if event["message"].strip():
                yield {**event, "stream": stream}


def kind_of(value):
    return "truth" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else "text"


def check(events):
    """What is wrong with events: fields that the template does not know or types that it does not take."""
    known, problems = template(), set()
    for event in events:
        for name, value in event.items():
            if name not in known:
                problems.add(f"field {name!r} of {event['message'][:60]!r} is not in the index template")
            elif kind_of(value) != ("number" if known[name] in NUMBERS else "truth" if known[name] == "boolean" else "text"):
                problems.add(f"field {name!r} of {event['message'][:60]!r} is {value!r}, the index template says {known[name]}")
    return sorted(problems)


def recoveries(events):
    """Partitions that were placed anew, each with its epoch, from where, and in how many milliseconds it has caught up (None:
    it never has). The beginning of a run is none."""
    found, seen = [], set()
    for event in events:
        part = event.get("partition")
        if event["message"] == BEGIN_OF_RECOVERY:
            if part in seen:
                found.append({"partition": part, "epoch": event["epoch"], "worker": event["worker"], "step": event["step"], "took_ms": None})
            seen.add(part)
        elif event["message"] == END_OF_RECOVERY:
            for recovery in found:
                if recovery["partition"] == part and recovery["took_ms"] is None:
                    recovery["took_ms"] = event["took_ms"]
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--plain", action="store_true", help="lines of the program itself, without what a container runtime adds")
    p.add_argument("files", nargs="+", metavar="FILE")
    a = p.parse_args()
    pipeline, problems = Pipeline(), []
    for name in a.files:
        lines = pathlib.Path(name).read_text(errors="replace").splitlines()
        if a.plain:
            lines = [f"2026-01-01T00:00:00.000000000+00:00 stderr F {line}" for line in lines]
        events = list(pipeline.events(lines))
        problems += check(events)
        print(f"{name}: {len(lines)} lines, {len(events)} events, {sum(e['level'] in ('WARN', 'ERROR') for e in events)} of them warnings or errors")
        for r in recoveries(events):
            end = "has not caught up" if r["took_ms"] is None else f"caught up after {r['took_ms']} ms"
            print(f"  partition {r['partition']} placed on {r['worker']} in epoch {r['epoch']} from step {r['step']}, {end}")
    for problem in pipeline.problems + problems:
        print(f"wrong: {problem}")
    return 1 if pipeline.problems or problems else 0


if __name__ == "__main__":
    sys.exit(main())
