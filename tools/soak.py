#!/usr/bin/env python3
"""Runs a cluster for long, in the four combinations of fault tolerance and heartbeat, and watches what it takes.

    tools/soak.py --minutes M [--workers N] [--store redis|dir] [--tessds PATH]

The traffic never ends: flows over routes of the bundled example. The last combination, with both, has faults all the time: a worker
is killed, another frozen, links are cut, the store is restarted; the master and the first worker are left alive, so that what
they lose shows. A table tells steps per second, and of each process resident set, threads, open files and sockets, and the size
of the store. The soak fails when one of these is larger in the last third of its time than in the middle one, beyond noise, when
a process ends, or when no step is done.
"""

import argparse
import asyncio
import collections
import contextlib
import gzip
import pathlib
import re
import shutil
import signal
import sys
import time

import common
from harness import faults, schedule
from harness.census import census, growth, thirds
from harness.cluster import Cluster

FOLDER = common.ROOT / "out" / "soak"
COMBINATIONS = [(False, False), (False, True), (True, False), (True, True)]
# Flows, seconds between two vehicles of one, and steps a second for which there is demand: more than a fast machine does.
FLOWS, PERIOD_S, STEPS_PER_S = 60, 120, 4000
SAMPLES = 60
FAULTS = [
    {"fault": "kill", "target": ["w2"], "for_s": 0.5},
    {"fault": "flap", "target": ["w1>master", ">w1", "w1>store"], "for_s": 1.0, "period_s": 0.1},
    {"fault": "freeze", "target": ["w3"], "for_s": 2.0},
    {"fault": "store-kill", "target": ["store"], "for_s": 0.5},
    {"fault": "cut", "target": [">w1", ">w2", ">w3"], "for_s": 0.3},
    {"fault": "leave", "target": ["w2"], "for_s": 0.2},
]
PAUSE_S = 1.0


def endless(example, folder, seconds):
    """A scenario on the example's network whose traffic goes on for so many simulated seconds."""
    with gzip.open(next(example.folder.glob("*.rou.xml.gz")), "rt") as file:
        routes = re.findall(r'<route edges="([^"]+)"', file.read())
    chosen = routes[:: max(1, len(routes) // FLOWS)][:FLOWS]
    text = "".join(
        f'<route id="r{n}" edges="{edges}"/><flow id="f{n}" route="r{n}" begin="{n}" end="{seconds}" period="{PERIOD_S}"/>\n'
        for n, edges in enumerate(chosen)
    )
    (folder / "soak.rou.xml").write_text(f"<routes>\n{text}</routes>\n")
    (net,) = (p for p in example.inputs() if ".net.xml" in p.name)
    (folder / "run.sumocfg").write_text(
        f'<configuration><input><net-file value="{net}"/><route-files value="soak.rou.xml"/></input>'
        f'<time><begin value="0"/><end value="{seconds}"/></time></configuration>\n'
    )
    return folder / "run.sumocfg"


def steps_in(summary):
    """The last step that a summary file tells of."""
    try:
        with open(summary, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - 2000))
            found = re.findall(rb'time="([\d.]+)"', file.read())
        return int(float(found[-1])) if found else 0
    except OSError:
        return 0


class Soak:
    """One combination: the series of what was seen, by process and kind."""

    def __init__(self, tolerant, heartbeat):
        self.name = f"fault tolerance {'on' if tolerant else 'off'}, heartbeat {'on' if heartbeat else 'off'}"
        self.tolerant, self.heartbeat, self.faulty = tolerant, heartbeat, tolerant and heartbeat
        self.series = collections.defaultdict(list)
        self.steps, self.struck, self.problems = [], 0, []

    def plan(self, a):
        settings = {
            **schedule.SETTINGS,
            "cluster.fault_tolerance": str(self.tolerant).lower(),
            "cluster.heartbeat": str(self.heartbeat).lower(),
            "cluster.snapshot_interval": 100,
        }
        return {
            "store": a.store, "workers": a.workers, "partitions": a.workers, "options": [], "settings": settings,
            "faults": FAULTS if self.faulty else [],
        }  # fmt: skip

    async def run(self, binary, cfg, a, seconds, folder):
        summary = folder / "summary.xml"
        outputs = ["--summary-output", summary, "--summary-output.period", "10"]
        cluster = Cluster(binary, cfg, self.plan(a), folder, outputs)
        striking = None
        try:
            await cluster.start()
            striking = asyncio.ensure_future(self.strike(cluster)) if self.faulty else None
            begun, period = time.monotonic(), max(0.5, seconds / SAMPLES)
            while time.monotonic() - begun < seconds and not cluster.over.is_set():
                await cluster.pause(period)
                await self.sample(cluster, time.monotonic() - begun, summary)
            self.problems += cluster.problems
            if cluster.over.is_set() and not cluster.problems:
                self.problems.append("the demand was used up; ask for less time, or raise STEPS_PER_S")
        finally:
            if striking:
                striking.cancel()
            await cluster.close()

    async def strike(self, cluster):
        while not cluster.over.is_set():
            for fault in FAULTS:
                await cluster.pause(PAUSE_S)
                if fault["fault"] == "store-kill" and cluster.store.kind != "redis":
                    continue
                await faults.ACTIONS[fault["fault"]](cluster, fault)
                self.struck += 1

    async def sample(self, cluster, at_s, summary):
        self.steps.append((at_s, steps_in(summary)))
        for name, process in list(cluster.processes.items()):
            for what, number in census(process.pid).items():
                self.series[name, what].append(number)
        # It may be down at the moment.
        with contextlib.suppress(Exception):
            self.series["store", "store_mib"].append(await cluster.store.size() / 2**20)

    def judge(self):
        if not self.steps or self.steps[-1][1] <= self.steps[len(self.steps) // 2][1]:
            self.problems.append("no step was done in the second half")
        for (name, what), values in sorted(self.series.items()):
            if found := growth(what, values):
                self.problems.append(f"{what} of {name} grows: {found}")

    def rows(self):
        """Means over the thirds of the time."""
        ends = [self.steps[i] for i in (len(self.steps) // 3, 2 * len(self.steps) // 3, len(self.steps) - 1)]
        spans = zip([(0.0, 0), *ends], ends)
        rows = [[self.name, "run", "steps per s", *(f"{(b[1] - a[1]) / max(b[0] - a[0], 1e-9):,.0f}" for a, b in spans)]]
        for (name, what), values in sorted(self.series.items()):
            rows.append(["", name, what.replace("_mib", ", MiB"), *(f"{mean:.1f}" for mean in thirds(values))])
        return rows


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--minutes", type=float, default=4.0, help="for all combinations together")
    p.add_argument("--workers", type=int, default=3)
    p.add_argument("--store", choices=["redis", "dir"], default="redis")
    p.add_argument("--tessds", metavar="PATH", help="the program to test; by default the release build, made anew")
    p.add_argument("--folder", type=pathlib.Path, default=FOLDER)
    a = p.parse_args()
    # What was started has to be ended, also when the harness itself is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if a.workers < 3:
        common.fail("--workers has to be at least 3: one is left alone, one killed, one frozen")
    binary, example = common.tessds(a.tessds), common.scenarios()["helsinki"]
    seconds, failed, rows = 60 * a.minutes / len(COMBINATIONS), False, []
    for tolerant, heartbeat in COMBINATIONS:
        soak = Soak(tolerant, heartbeat)
        folder = a.folder.resolve() / soak.name.replace(", ", "-").replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        cfg = endless(example, folder, int(seconds * STEPS_PER_S))
        common.say(f"{soak.name}: {seconds:.0f} s" + (" with faults" if soak.faulty else ""))
        asyncio.run(soak.run(binary, cfg, a, seconds, folder))
        soak.judge()
        rows += soak.rows()
        if soak.faulty:
            common.say(f"{soak.struck} faults")
        for problem in soak.problems:
            failed = True
            print(f"{soak.name}: {problem}; logs are in {folder}", flush=True)
    print(common.table(["combination", "of", "what", "first third", "second", "last"], rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
