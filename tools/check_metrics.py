#!/usr/bin/env python3
"""Lets Prometheus look at a live cluster through a recovery, and asks it everything that dashboards and alerts ask.

    tools/check_metrics.py [--tessds PATH] [--folder DIR]

A master and three workers run the example, kept to a pace at which it takes a minute. What they show goes through `promtool check
metrics`; a Prometheus with the rules of deploy/ scrapes them every second. A worker that hosts a partition is killed, commands are
sent, and then every query has to have data: those of the dashboards as they stand, those of alerts without what they compare with,
since a run without further trouble raises none. TessdsRecovered, which needs no threshold, has to be raised, and alerts that tell
of a failed run must not be. Needs `tools/setup.sh deploy`, which it calls.
"""

import argparse
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import common

if __name__ == "__main__":
    common.run_in_venv("deploy")

import yaml

import check_deploy
import deployment as d
from harness.ports import free_port

NAMESPACE = "tessds"
# Simulated seconds a second: the hour of the example takes a minute and a half.
SPEED = 40
LIMIT_S = 120
# What Prometheus has to have seen, before and after the recovery, so that rates have something to be made of.
WATCHED_S = 8


def command(address, subject, direction="up", **param):
    body = {"type1": direction, "type2": subject} | ({"param": [param]} if param else {})
    request = urllib.request.Request(f"http://{address}/command", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["data"]


class Cluster:
    """Processes by the names of their pods, with the address of their health and metrics."""

    def __init__(self, a):
        self.a, self.processes, self.addresses = a, {}, {}
        self.listen = f"127.0.0.1:{free_port()}"
        self.start(
            "tessds-master-0", "--role=master", f"--configuration-file={common.ROOT / 'examples' / 'helsinki' / 'run.sumocfg'}", f"--listen={self.listen}",
            "--workers=2", "--partitions=2", f"--speed={SPEED}", f"--report-json={a.folder / 'report.json'}", "--run-id=watched",
        )  # fmt: skip
        for n in range(3):
            self.start(f"tessds-worker-{n}", "--role=worker", f"--master={self.listen}")

    def start(self, name, *options):
        self.addresses[name] = f"127.0.0.1:{free_port()}"
        line = [self.a.tessds, "run", f"--name={name}", f"--http={self.addresses[name]}", f"--store=dir:{self.a.folder / 'store'}", "--log-format=json", *options]
        with (self.a.folder / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen([str(word) for word in line], stdout=subprocess.DEVNULL, stderr=log)

    @property
    def master(self):
        return self.addresses["tessds-master-0"]

    def status(self):
        status, text = d.http_get(self.master, "/status")
        return json.loads(text)["data"] if status == 200 else {}

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


def wait(condition, what):
    until = time.monotonic() + LIMIT_S
    while not (found := condition()):
        if time.monotonic() > until:
            common.fail(f"{what}: not within {LIMIT_S} s")
        time.sleep(0.1)
    return found


class Prometheus:
    """One with the configuration of deploy/, but for where it finds its targets, and how often it looks."""

    def __init__(self, folder, cluster):
        config = yaml.safe_load((d.DEPLOY / "monitoring" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(d.DEPLOY / "monitoring" / name) for name in config["rule_files"]]
        for job in config["scrape_configs"]:
            pods = [name for name in cluster.addresses if name.startswith(job["job_name"])]
            for key in ("dns_sd_configs", "relabel_configs"):
                del job[key]
            job["static_configs"] = [{"targets": [cluster.addresses[pod]], "labels": {"pod": pod, "namespace": NAMESPACE}} for pod in pods]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.address = f"127.0.0.1:{free_port()}"
        with (folder / "prometheus.log").open("w") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={self.address}"],
                stdout=log, stderr=log,
            )  # fmt: skip

    def ask(self, path, **arguments):
        status, text = d.http_get(self.address, f"/api/v1/{path}?{urllib.parse.urlencode(arguments)}", 10)
        answer = json.loads(text)
        if status != 200:
            common.fail(f"Prometheus: {answer.get('error')}: {arguments}")
        return answer["data"]

    def values(self, expression):
        """Numbers that a query gives now."""
        found = self.ask("query", query=expression)
        points = [found["result"]] if found["resultType"] == "scalar" else [series["value"] for series in found["result"]]
        values = [float(number) for _, number in points]
        return [v for v in values if not math.isnan(v)]

    def is_up(self):
        # Before it is ready it answers no queries.
        return d.http_get(self.address, "/-/ready")[0] == 200 and len(self.values("up == 1")) == 4

    def alerts(self):
        return {a["labels"]["alertname"] for a in self.ask("alerts")["alerts"]}

    def close(self):
        self.process.terminate()
        self.process.wait()


def without_thresholds(expression):
    """What an alert looks at, whatever it compares with."""
    return re.sub(r"\s(?:==|!=|>=|<=|>|<)\s+-?\d+(?:\.\d+)?\b", "", expression)


def well_formed(cluster):
    """What promtool has to say of what the processes show."""
    for name, address in cluster.addresses.items():
        text = d.http_get(address, "/metrics")[1]
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        if done.returncode != 0 or done.stderr.strip():
            yield f"promtool check metrics, {name}: {(done.stdout + done.stderr).strip()}"


def unanswered(prometheus):
    """Queries without data."""
    for where, expression in check_deploy.queries():
        expression = expression.replace("$namespace", NAMESPACE)
        if where.startswith("alert"):
            expression = without_thresholds(expression)
        if not prometheus.values(expression):
            yield f"{where} has no data: {expression}"


def unruly(prometheus):
    """Rules that cannot be evaluated, and alerts that should or should not be raised."""
    for group in prometheus.ask("rules")["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                yield f"alert {rule['name']} is {rule['health']}: {rule.get('lastError', '')}"
    raised = prometheus.alerts()
    if "TessdsRecovered" not in raised:
        yield f"a partition was recovered and TessdsRecovered is not raised, only {sorted(raised)}"
    for wrong in raised & {"TessdsRunFailed", "TessdsPartitionFails", "TessdsMasterDown", "TessdsStoreFails", "TessdsSnapshotOld", "TessdsVersionsDiffer"}:
        yield f"{wrong} is raised without a cause"


def watch(a):
    """Everything that is wrong."""
    cluster = Cluster(a)
    prometheus = Prometheus(a.folder, cluster)
    try:
        wait(lambda: cluster.status().get("state") == "running" and prometheus.is_up(), "a running cluster that Prometheus sees")
        begun = time.monotonic()
        yield from well_formed(cluster)
        wait(lambda: cluster.status()["committed"] > 0 and time.monotonic() > begun + WATCHED_S, "the first commit")
        victim = cluster.status()["partitions"][0]["worker"]
        cluster.processes[victim].kill()
        wait(lambda: cluster.status()["recoveries"] > 0 and all(p["stage"] == "running" for p in cluster.status()["partitions"]), "the recovery")
        recovered = cluster.status()["committed"]
        print(f"{victim} killed at step {cluster.status()['step']}, recovered", flush=True)
        for _ in range(WATCHED_S):
            command(cluster.master, "simulation", "down")
            command(cluster.master, "simulation", action="speed", factor=str(SPEED))
            time.sleep(1)
        wait(lambda: cluster.status()["committed"] > recovered, "a commit after the recovery")
        time.sleep(2)
        queries = check_deploy.queries()
        yield from unanswered(prometheus)
        yield from unruly(prometheus)
        yield from well_formed(Survivors(cluster, victim))
        series = prometheus.values('{__name__=~"tessds_.+|process_.+"}')
        print(f"{len(queries)} queries asked of {len(series)} series")
    finally:
        prometheus.close()
        cluster.close()


class Survivors:
    """The processes of a cluster that are left."""

    def __init__(self, cluster, lost):
        self.addresses = {name: address for name, address in cluster.addresses.items() if name != lost}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--tessds", metavar="PATH", help="the program; by default the debug build")
    p.add_argument("--folder", type=pathlib.Path, default=common.ROOT / "out" / "check-metrics")
    a = p.parse_args()
    a.tessds = pathlib.Path(a.tessds or os.environ.get("CARGO_TARGET_DIR", common.ROOT / "target") / pathlib.Path("debug/tessds")).resolve()
    if not a.tessds.exists():
        common.fail(f"no TessDS binary at {a.tessds}; build it, or name one with --tessds")
    a.folder = a.folder.resolve()
    shutil.rmtree(a.folder, ignore_errors=True)
    a.folder.mkdir(parents=True)
    problems = list(watch(a))
    for problem in problems:
        print(f"  {problem}")
    print("ok" if not problems else f"{len(problems)} wrong; logs are in {a.folder}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
