#!/usr/bin/env python3
"""Makes the dashboards for Grafana, and the alert rules as an object of the Prometheus Operator.

    tools/make_dashboards.py [--check]

Writes deploy/monitoring/dashboards/*.json and deploy/monitoring/prometheusrule.yaml; with --check it writes nothing, and ends with
code 1 if a file is not what would be written. Metrics are those of docs/metrics.md.
"""

import argparse
import json
import sys

import common

MONITORING = common.ROOT / "deploy" / "monitoring"
RULES = MONITORING / "rules" / "tessds.rules.yaml"
RULE_HEAD = """\
# Made by tools/make_dashboards.py from rules/tessds.rules.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tessds
  labels:
    app.kubernetes.io/name: tessds
spec:
"""
# Of Grafana 10; later ones migrate it.
SCHEMA = 38
WIDTH = 24
# Everything is asked for in one namespace: a run.
NS = 'namespace="$namespace"'


def query(expr, legend=""):
    """A query; `METRIC[...]` in it stands for the metric in the chosen namespace."""
    return {"expr": expr.replace("[[", "{" + NS).replace("]]", "}"), "legendFormat": legend}


def panel(title, queries, unit="short", kind="timeseries", width=12, height=8, about=""):
    """One panel; its place is found when the dashboard is put together."""
    return {
        "title": title, "description": about, "type": kind, "gridPos": {"w": width, "h": height},
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [{"refId": chr(ord("A") + i), **q} for i, q in enumerate(queries)],
    }  # fmt: skip


def number(title, expr, unit="short", about=""):
    return panel(title, [query(expr, "__auto")], unit, "stat", 4, 4, about)


def quantiles(metric, by=""):
    """Median and 99 % of a histogram over five minutes."""
    group, legend = (f"le, {by}", f"{{{{{by}}}}} ") if by else ("le", "")
    rate = f"sum by ({group}) (rate({metric}_bucket[[]][5m]))"
    return [query(f"histogram_quantile({q}, {rate})", f"{legend}{name}") for q, name in ((0.5, "half"), (0.99, "99 %"))]


def cluster():
    """Is it going well, and how fast?"""
    return [
        panel("State", [query("tessds_run_state[[]] == 1", "{{state}}")], "short", "stat", 4, 4),
        number("Real-time factor", "max(tessds_real_time_factor[[]])"),
        number("Updates per second", "sum(rate(tessds_vehicle_updates_total[[]][1m]))", about="vehicles moved per second"),
        number("Age of the last commit", "time() - max(tessds_last_commit_timestamp_seconds[[]])", "s"),
        number("Epoch", "max(tessds_epoch[[]])", about="rises with every takeover and recovery"),
        panel("Releases", [query("count by (version) (tessds_build_info[[]])", "{{version}}")], "short", "stat", 4, 4),
        panel("Vehicles", [query("max by (state) (tessds_vehicles[[]])", "{{state}}")]),
        panel("Steps per second", [
            query("sum(rate(tessds_recorded_steps_total[[]][1m]))", "recorded"),
            query("max(rate(tessds_steps_total[[]][1m]))", "fastest partition"),
        ]),
        panel("Workers", [query("max by (state) (tessds_workers[[]])", "{{state}}")]),
        panel("Time of a step", quantiles("tessds_step_seconds"), "s"),
        panel("Memory", [query("process_resident_memory_bytes[[]]", "{{pod}}")], "bytes"),
        panel("Cores in use", [query("rate(process_cpu_seconds_total[[]][1m])", "{{pod}}")]),
        panel("Open files and sockets", [query("process_open_fds[[]]", "{{pod}}")]),
        panel("Up for", [query("time() - process_start_time_seconds[[]]", "{{pod}}")], "s"),
        panel("Commands", [query("sum by (command, code) (rate(tessds_commands_total[[]][1m]))", "{{command}} {{code}}")], "ops"),
        panel("Time of a command", quantiles("tessds_command_seconds"), "s"),
        panel("Clients", [
            query("sum(tessds_clients[[]])", "connected"),
            query("sum(increase(tessds_clients_dropped_total[[]][5m]))", "dropped in five minutes"),
        ]),
        panel("Queues", [query("max by (pod, queue) (tessds_queue_length[[]])", "{{pod}} {{queue}}")]),
    ]  # fmt: skip


def partitions():
    """Which partition holds up the others?"""
    return [
        panel("Time of a step, by partition", quantiles("tessds_step_seconds", "partition")[1:], "s", width=24,
              about="the slowest sets the pace of its neighbours"),
        panel("Share of time that a partition waits for a neighbour", [
            query("sum by (partition, neighbour) (rate(tessds_halo_wait_seconds_total[[]][1m]))", "{{partition}} for {{neighbour}}"),
        ], "percentunit", about="those who are waited for and wait for nobody are the slow ones"),
        panel("Steps behind the horizon", [query("max by (partition) (tessds_horizon_lag_steps[[]])", "{{partition}}")],
              about="0: held up by the master or the store, not by computing"),
        panel("Steps per second", [query("sum by (partition) (rate(tessds_steps_total[[]][1m]))", "{{partition}}")]),
        panel("Sent to neighbours", [
            query('sum by (partition, neighbour) (rate(tessds_halo_bytes_total[[, direction="out"]][1m]))',
                  "{{partition}} to {{neighbour}}"),
        ], "Bps"),
        panel("Bytes a step", [
            query('sum by (partition) (rate(tessds_halo_bytes_total[[, direction="out"]][1m])) / '
                  "sum by (partition) (rate(tessds_steps_total[[]][1m]))", "{{partition}}"),
        ], "bytes"),
        panel("Size of the snapshot", [query("max by (partition) (tessds_snapshot_bytes[[]])", "{{partition}}")], "bytes"),
    ]  # fmt: skip


def recovery():
    """What was lost, what did it cost, and what would be lost now?"""
    return [
        number("Recovered in an hour", "sum(increase(tessds_recoveries_total[[]][1h]))"),
        number("Steps repeated in an hour", "sum(increase(tessds_replayed_steps_total[[]][1h]))"),
        number("Steps not committed", "max(tessds_granted_steps[[]]) - max(tessds_committed_step[[]])",
               about="at most so many would have to be computed again"),
        number("Age of the last commit", "time() - max(tessds_last_commit_timestamp_seconds[[]])", "s"),
        number("Standbys", 'max(tessds_workers[[, state="standby"]])'),
        number("Workers away", 'max(tessds_workers[[, state="lost"]])'),
        panel("Partitions placed anew", [query("sum by (cause) (increase(tessds_recoveries_total[[]][1m]))", "{{cause}}")]),
        panel("Epoch", [query("max by (pod) (tessds_epoch[[]])", "{{pod}}")]),
        panel("Progress", [
            query("max(tessds_granted_steps[[]])", "granted"),
            query("max(tessds_recorded_step[[]])", "recorded"),
            query("max(tessds_committed_step[[]])", "committed"),
        ]),
        panel("Steps repeated per second", [query("sum(rate(tessds_replayed_steps_total[[]][1m]))", "repeated")]),
        panel("Time to store a part", quantiles("tessds_snapshot_seconds"), "s"),
        panel("Size of a snapshot", [query("sum(max by (partition) (tessds_snapshot_bytes[[]]))", "all partitions")], "bytes"),
        panel("Errors of the store", [
            query("sum by (operation) (increase(tessds_store_errors_total[[]][1m]))", "{{operation}}"),
        ], width=24),
    ]  # fmt: skip


def placed(panels):
    """Panels from left to right, row by row."""
    x = y = height = 0
    for i, p in enumerate(panels, 1):
        if x + p["gridPos"]["w"] > WIDTH:
            x, y, height = 0, y + height, 0
        p["id"], p["gridPos"] = i, {"x": x, "y": y, **p["gridPos"]}
        x, height = x + p["gridPos"]["w"], max(height, p["gridPos"]["h"])
    return panels


def dashboard(name, title, panels):
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {"name": "namespace", "type": "query", "label": "Namespace", "refresh": 2, "datasource": {"type": "prometheus", "uid": "$datasource"},
         "query": "label_values(tessds_build_info, namespace)"},
    ]  # fmt: skip
    return {
        "uid": f"tessds-{name}", "title": title, "tags": ["tessds"], "schemaVersion": SCHEMA, "editable": True, "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "browser", "templating": {"list": variables},
        "links": [{"type": "dashboards", "tags": ["tessds"], "title": "TessDS", "asDropdown": True}],
        "panels": placed(panels),
    }  # fmt: skip


def files():
    """Every file that is made, with its text."""
    boards = {"cluster": cluster, "partitions": partitions, "recovery": recovery}
    made = {
        MONITORING / "dashboards" / f"{name}.json": json.dumps(dashboard(name, f"TessDS {name}", make()), indent=1) + "\n"
        for name, make in boards.items()
    }
    rules = RULES.read_text()
    body = "".join(f"  {line}" if line.strip() else line for line in rules[rules.index("groups:") :].splitlines(True))
    return {**made, MONITORING / "prometheusrule.yaml": RULE_HEAD + body}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--check", action="store_true", help="write nothing; code 1 if a file is not up to date")
    a = p.parse_args()
    stale = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        common.say(f"{path.relative_to(common.ROOT)} is not up to date" if a.check else f"{path.relative_to(common.ROOT)} written")
        if not a.check:
            common.replace_file(path, files()[path])
    return 1 if a.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
