#!/usr/bin/env python3
"""Makes the saved objects of Kibana: a data view, searches, and a dashboard of failures, recoveries and snapshots.

    tools/make_kibana.py [--check]

Writes deploy/logging/kibana.ndjson, to be imported under Stack Management, Saved Objects; with --check it writes nothing, and ends
with code 1 if the file is not what would be written.
"""

import argparse
import json
import sys

import common

TARGET = common.ROOT / "deploy" / "logging" / "kibana.ndjson"
VIEW = "tessds-logs"
# Later releases migrate what comes from an earlier one.
VERSION = "8.0.0"
# Messages by which a failure can be followed, in the order in which they come.
STORY = (
    "connection to worker lost", "no frames from neighbour partition", "worker lost", "partition ended", "partition placed",
    "partition started", "partition caught up", "snapshot committed",
)  # fmt: skip
ANY_OF = lambda messages: " or ".join(f'message.keyword: "{m}"' for m in messages)
SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"


def source(kuery):
    return {"searchSourceJSON": json.dumps({"query": {"query": kuery, "language": "kuery"}, "filter": [], "indexRefName": SOURCE})}


def saved(kind, name, attributes, references=None):
    references = references or [{"id": VIEW, "name": SOURCE, "type": "index-pattern"}]
    return {
        "type": kind, "id": name, "attributes": attributes, "references": references, "coreMigrationVersion": VERSION,
    }  # fmt: skip


def search(name, title, kuery, columns):
    attributes = {"title": title, "columns": columns, "sort": [["@timestamp", "desc"]], "kibanaSavedObjectMeta": source(kuery)}
    return saved("search", name, attributes)


def chart(name, title, kuery, metric, split=None, kind="histogram"):
    """A chart over time; `metric` is an aggregation and its field, `split` the field whose values are shown apart."""
    how, field = metric
    aggregations = [
        {"id": "1", "enabled": True, "type": how, "schema": "metric", "params": {"field": field} if field else {}},
        {"id": "2", "enabled": True, "type": "date_histogram", "schema": "segment", "params": {"field": "@timestamp", "interval": "auto"}},
    ]  # fmt: skip
    if split:
        params = {"field": split, "size": 10, "order": "desc", "orderBy": "1"}
        aggregations.append({"id": "3", "enabled": True, "type": "terms", "schema": "group", "params": params})
    state = {"title": title, "type": kind, "aggs": aggregations, "params": {"type": kind, "addLegend": True, "addTooltip": True}}
    attributes = {"title": title, "visState": json.dumps(state), "uiStateJSON": "{}", "kibanaSavedObjectMeta": source(kuery)}
    return saved("visualization", name, attributes)


def dashboard(name, title, rows):
    """Rows of panels, each an object of its own; a row shares the width."""
    panels, references, y = [], [], 0
    for row in rows:
        width = 48 // len(row)
        for n, content in enumerate(row):
            i = str(len(panels) + 1)
            place = {"x": n * width, "y": y, "w": width, "h": 12, "i": i}
            panels.append({"panelIndex": i, "gridData": place, "embeddableConfig": {}, "panelRefName": f"panel_{i}", "type": content["type"]})
            references.append({"id": content["id"], "name": f"panel_{i}", "type": content["type"]})
        y += 12
    meta = {"searchSourceJSON": json.dumps({"query": {"query": "", "language": "kuery"}, "filter": []})}
    attributes = {"title": title, "panelsJSON": json.dumps(panels), "optionsJSON": '{"useMargins":true}', "kibanaSavedObjectMeta": meta}
    return saved("dashboard", name, attributes, references)


def objects():
    view = saved("index-pattern", VIEW, {"title": "logs-tessds-*", "timeFieldName": "@timestamp", "name": "TessDS logs"})
    view["references"] = []
    levels = chart("tessds-levels", "Warnings and errors", 'level: ("WARN" or "ERROR")', ("count", None), "level")
    failures = chart("tessds-failures", "What failed", 'level: ("WARN" or "ERROR")', ("count", None), "message.keyword")
    lost = chart("tessds-lost", "Workers lost", 'message.keyword: "worker lost"', ("count", None), "worker")
    placed = chart("tessds-placed", "Partitions placed", 'message.keyword: "partition placed"', ("count", None), "partition")
    took = chart("tessds-took", "Longest recovery, ms", 'message.keyword: "partition caught up"', ("max", "took_ms"), "partition", "line")
    epochs = chart("tessds-epochs", "Epoch", "epoch: *", ("max", "epoch"), "namespace", "line")
    steps = chart("tessds-steps", "Step of the last snapshot", 'message.keyword: "snapshot committed"', ("max", "step"), "namespace", "line")
    commits = chart("tessds-commits", "Snapshots committed", 'message.keyword: "snapshot committed"', ("count", None), "namespace")
    missed = chart("tessds-missed", "Snapshots that failed", ANY_OF((
        "snapshot not stored; the previous commit remains valid", "snapshot not committed; the previous commit remains valid", "snapshot skipped: the store is slow",
        "recorder state not stored; this step is not committed", "recorder state skipped: the store is slow",
        "recovery of lost partitions is waiting for the store", "waiting for the store", "lease not renewed",
    )), ("count", None), "message.keyword")  # fmt: skip
    columns = ["level", "message", "run", "epoch", "partition", "worker", "step", "took_ms", "reason", "error", "pod"]
    story = search("tessds-story", "Failures and recoveries", ANY_OF(STORY), columns)
    trouble = search("tessds-trouble", "Warnings and errors", 'level: ("WARN" or "ERROR")', columns)
    parts = [levels, failures, lost, placed, took, epochs, steps, commits, missed, story, trouble]
    rows = [[levels, failures], [lost, placed, epochs], [took, steps], [commits, missed], [story], [trouble]]
    return [view, *parts, dashboard("tessds-operations", "TessDS: failures, recoveries, snapshots", rows)]


def text():
    return "".join(json.dumps(o, sort_keys=True) + "\n" for o in objects())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--check", action="store_true", help="write nothing; code 1 if the file is not up to date")
    a = p.parse_args()
    if TARGET.exists() and TARGET.read_text() == text():
        return 0
    if a.check:
        common.say(f"{TARGET.relative_to(common.ROOT)} is not up to date")
        return 1
    common.replace_file(TARGET, text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
