#!/usr/bin/env python3
"""Measures what it costs to run over several processes, to take snapshots, and to recover.

    tools/cluster_bench.py [--repeat N] [--steps N] [--no-build] [--tessds PATH] [--part NAME]...

throughput  grid50k (56,000 vehicles at once) cut in two: in one process, in two worker processes, without and with snapshots
            every 100 steps in a directory and in Redis; UPS over the stepping, best of N, and the greatest memory of Redis
step        time of a step on a network with one vehicle, one and two partitions, in one process and in two
recovery    how long it takes after a worker is killed or frozen: until the master notices, until its partition is restored, and
            until it is past the step of the failure

The table goes to the screen and to docs/cluster-table.md (with --part to the screen alone). Nothing else should run on the
machine.
"""

import argparse
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import datetime

import common
import make_scenarios
from harness.ports import free_port

PARTS = ("throughput", "step", "recovery")
INTERVAL = 100


class Redis:
    """A server of our own, without persistence: what is measured is the traffic to it."""

    def __init__(self, folder):
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.url = f"redis://127.0.0.1:{self.port}"
        for _ in range(100):
            if self.ask("PING").strip() == "PONG":
                return
            time.sleep(0.05)
        common.fail("redis-server does not answer")

    def ask(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True)
        return done.stdout

    def peak_mib(self):
        lines = dict(line.split(":", 1) for line in self.ask("INFO", "memory").splitlines() if ":" in line)
        return int(lines["used_memory_peak"]) / 2**20

    def close(self):
        self.process.terminate()
        self.process.wait()


class Cluster:
    """A master and its workers."""

    def __init__(self, binary, cfg, folder, workers, store, *options):
        self.binary, self.folder, self.store = binary, pathlib.Path(folder), store
        self.address = f"127.0.0.1:{free_port()}"
        self.report = self.folder / "report.json"
        self.master = self.start(
            "master", "--role", "master", "-c", cfg, "--workers", workers, "--partitions", workers, "--listen", self.address,
            "--report-json", self.report, *options
        )  # fmt: skip
        self.workers = [self.worker(f"worker-{i}") for i in range(workers)]

    def start(self, name, *options):
        command = [self.binary, "run", "--name", name, "--store", self.store, "--no-step-log", "--log-format", "json", *options]
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=log)

    def worker(self, name):
        return self.start(name, "--role", "worker", "--master", self.address)

    def events(self):
        """What the master has logged, with times as seconds since 1970."""
        for line in (self.folder / "master.log").read_text().splitlines():
            event = json.loads(line)
            stamp = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
            yield stamp.timestamp(), event

    def wait_for(self, message, count=1, timeout_s=600):
        until = time.time() + timeout_s
        while time.time() < until:
            if sum(e["message"] == message for _, e in self.events()) >= count:
                return
            if self.master.poll() is not None:
                common.fail(f"the master has ended: {(self.folder / 'master.log').read_text()[-2000:]}")
            time.sleep(0.05)
        common.fail(f"no '{message}' within {timeout_s} s")

    def finish(self):
        if self.master.wait() != 0:
            common.fail(f"the run failed: {(self.folder / 'master.log').read_text()[-2000:]}")
        for worker in self.workers:
            worker.wait()
        return json.loads(self.report.read_text())

    def close(self):
        for process in [self.master, *self.workers]:
            if process.poll() is None:
                process.kill()
                process.wait()


def cluster_report(binary, cfg, store, *options):
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as folder:
        cluster = Cluster(binary, cfg, folder, 2, store or f"dir:{folder}/store", *options)
        try:
            return cluster.finish()
        finally:
            cluster.close()


def local_report(binary, cfg, partitions, *options):
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as folder:
        path = pathlib.Path(folder) / "report.json"
        command = [binary, "run", "-c", cfg, "--partitions", partitions, "--no-step-log", "-q", "--report-json", path, *options]
        subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)
        return json.loads(path.read_text())


def throughput(binary, cfg, steps, repeat):
    end = ("-e", steps)
    no_snapshots = ("--fault-tolerance", "false", *end)
    snapshots = ("--snapshot-interval", INTERVAL, *end)
    folder = tempfile.mkdtemp(prefix="tessds-bench-redis-")
    redis = Redis(folder)
    variants = {
        "two partitions in one process": lambda: local_report(binary, cfg, 2, *end),
        "two processes": lambda: cluster_report(binary, cfg, None, *no_snapshots),
        f"two processes, snapshots every {INTERVAL} steps in a directory": lambda: cluster_report(binary, cfg, None, *snapshots),
        f"two processes, snapshots every {INTERVAL} steps in Redis": lambda: cluster_report(binary, cfg, redis.url, *snapshots),
    }
    best, digests = {}, set()
    try:
        for turn in range(repeat):
            for name, run in variants.items():
                common.say(f"{name}, run {turn + 1}")
                report = run()
                best[name] = max(best.get(name, 0), report["ups"])
                digests.add(report["digest"])
        peak = redis.peak_mib()
    finally:
        redis.close()
        shutil.rmtree(folder, ignore_errors=True)
    if len(digests) != 1:
        common.fail(f"the digests differ: {digests}")
    first = next(iter(best.values()))
    two = list(best.values())[1]
    rows = [[name, f"{ups:,.0f}", f"{ups / first:.3f}", f"{ups / two:.3f}"] for name, ups in best.items()]
    text = common.table(["grid50k", "UPS", "to one process", "to two processes"], rows)
    return f"{text}\n\nGreatest memory of Redis, over all runs: {peak:.0f} MiB."


def step_time(binary, repeat):
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as folder:
        cfg = make_scenarios.one_vehicle(pathlib.Path(folder), 20_000)
        variants = {
            "one partition": lambda: local_report(binary, cfg, 1),
            "two partitions in one process": lambda: local_report(binary, cfg, 2),
            "two processes": lambda: cluster_report(binary, cfg, None, "--fault-tolerance", "false"),
            "two processes, with snapshots": lambda: cluster_report(binary, cfg, None),
        }
        rows = []
        for name, run in variants.items():
            common.say(name)
            figures = sorted(1e6 * r["wall_s"] / r["steps"] for r in (run() for _ in range(repeat)))
            rows.append([name, f"{figures[0]:.1f}", f"{figures[len(figures) // 2]:.1f}"])
    return common.table(["one vehicle, mean of 20,000 steps", "µs a step, best run", "median run"], rows)


def recovery(binary, cfg, steps, repeat):
    rows = []
    for fault in ("killed", "frozen"):
        for turn in range(repeat):
            common.say(f"worker {fault}, run {turn + 1}")
            with tempfile.TemporaryDirectory(prefix="tessds-bench-") as folder:
                cluster = Cluster(
                    binary, cfg, folder, 2, f"dir:{folder}/store", "-e", steps, "--snapshot-interval", 50
                )  # fmt: skip
                try:
                    # It comes when all places are taken; else it might be one of the two that are not.
                    cluster.wait_for("partition started", 2)
                    cluster.workers.append(cluster.worker("standby"))
                    cluster.wait_for("snapshot committed", 2)
                    time.sleep(2.0)
                    at = time.time()
                    victim = cluster.workers[0]
                    victim.send_signal(signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
                    cluster.wait_for("partition caught up", 1)
                    times = {}
                    for stamp, event in cluster.events():
                        if stamp >= at:
                            times.setdefault(event["message"], stamp)
                    lost, up = times["worker lost"], times["partition started"]
                    done = times["partition caught up"]
                    figures = [lost - at, up - lost, done - up, done - at]
                    rows.append([fault, *(f"{seconds:.2f}" for seconds in figures)])
                finally:
                    cluster.close()
    return common.table(["worker", "detection, s", "restore, s", "replay, s", "total, s"], rows)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--steps", type=int, default=200, help="of grid50k")
    p.add_argument("--part", action="append", default=[], choices=PARTS, help="this part alone; may be repeated")
    p.add_argument("--no-build", action="store_true", help="take the release binary as it is")
    p.add_argument("--tessds", metavar="PATH", help="the binary to measure")
    a = p.parse_args()
    common.setup("system", "scenarios", "sumo")
    binary = common.tessds(a.tessds, build=not a.no_build)
    cfg = common.config_in(make_scenarios.make("grid50k"))
    work = {
        "throughput": lambda: throughput(binary, cfg, a.steps, a.repeat),
        "step": lambda: step_time(binary, a.repeat),
        "recovery": lambda: recovery(binary, cfg, 2 * a.steps, a.repeat),
    }
    texts = [work[part]() for part in a.part or PARTS]
    text = "\n\n".join(texts)
    print("\n" + text)
    if not a.part:
        common.replace_file(common.DOCS / "cluster-table.md", text + "\n")


if __name__ == "__main__":
    main()
