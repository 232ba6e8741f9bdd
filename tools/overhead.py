#!/usr/bin/env python3
"""Measures what metrics and JSON log lines cost.

    tools/overhead.py [--repeat N] [--steps N] [--no-build] [--tessds PATH] [--only counted|compared]

counted   bounds it from above out of its parts, each of them measured where it is large: what a step costs more when it is counted, on a
          network with one vehicle, whose steps cost nearly nothing else; what a scrape costs, of a run that waits; and the step of grid50k
          (56,000 vehicles at once, two partitions), in which both have their share
compared  grid50k with and without, in turns (with, without, without, with): CPU time of the steps by pairs. It takes in what the parts
          leave out, caches for example, and tells 1 % only when nothing else runs on the machine

CPU time is that of user and system. Every figure is a median with the 95 % interval of a bootstrap, so that what else the machine does widens
an interval instead of making a figure wrong. Metrics are scraped every second, snapshots taken every 100 steps in memory. Prints
tables, and ends with code 1 when the bound is above 1 %.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import common
import make_scenarios
from harness.ports import free_port

LIMIT = 0.01
# Steps on the network with one vehicle, and scrapes of a run that waits.
CHEAP_STEPS = 40_000
SCRAPES = 100
SCRAPES_A_SECOND = 1.0


def interval(values, rounds=4000, seed=1):
    """Median, and the 95 % interval of it that a bootstrap finds."""
    draw = random.Random(seed)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(rounds))
    return statistics.median(values), medians[round(0.025 * rounds)], medians[round(0.975 * rounds) - 1]


def turns(repeat):
    """Whether metrics are on, run by run: neighbours in time are compared, and drift is on both sides alike."""
    return [order for turn in range(repeat) for order in ([True, False] if turn % 2 == 0 else [False, True])]


class Scraper:
    """Does what Prometheus does: asks for all metrics, once a second."""

    def __init__(self, address):
        self.address, self.over, self.scrapes = address, threading.Event(), 0
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.over.wait(1.0 / SCRAPES_A_SECOND):
            with contextlib.suppress(OSError):
                self.scrapes += b"tessds_steps_total" in scrape(self.address)

    def close(self):
        self.over.set()
        self.thread.join()


def scrape(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return answer.read()


def cpu_s(binary, cfg, steps, with_metrics):
    """CPU time of a run of so many steps, and its report."""
    # Wired in the same way in both cases, by the store.
    options = ["--partitions", 2, "--store", "memory", "-e", steps]
    if not with_metrics:
        result = common.run_tessds(binary, cfg, *options, "-q")
        return result.cpu_s, result.report
    address = f"127.0.0.1:{free_port()}"
    scraper = Scraper(address)
    try:
        result = common.run_tessds(binary, cfg, *options, "--http", address, "--log-format", "json")
    finally:
        scraper.close()
    return result.cpu_s, result.report


class Stepping:
    """CPU time of steps alone: reading the scenario, and the names that clients use, are no part of it."""

    def __init__(self, binary, cfg, steps):
        self.binary, self.cfg, self.steps = binary, cfg, steps
        self.digests = set()
        self.before = {w: statistics.median(cpu_s(binary, cfg, 1, w)[0] for _ in range(3)) for w in (False, True)}

    def seconds(self, with_metrics):
        common.say(f"{'with' if with_metrics else 'without'} metrics, {self.steps} steps")
        seconds, report = cpu_s(self.binary, self.cfg, self.steps, with_metrics)
        self.digests.add(report["digest"])
        if len(self.digests) > 1:
            common.fail(f"the digests differ: {self.digests}")
        return seconds - self.before[with_metrics]

    def pairs(self, repeat):
        """CPU times with and without, from runs that follow each other."""
        found = {True: [], False: []}
        for with_metrics in turns(repeat):
            found[with_metrics].append(self.seconds(with_metrics))
        return list(zip(found[True], found[False]))


def process_cpu_s(pid):
    """CPU time of a process so far, by the clock of the scheduler: that of `stat` has ticks of 10 ms."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def scrape_costs(binary, cfg, repeat):
    """CPU time of one scrape, several times over, of a run that waits after its first steps."""
    address = f"127.0.0.1:{free_port()}"
    command = [binary, "run", "-c", cfg, "--partitions", 2, "--store", "memory", "--http", address, "--log-format", "json", "-q", "--no-step-log"]
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        command = lambda action: urllib.request.urlopen(urllib.request.Request(
            f"http://{address}/command", json.dumps({"type1": "up", "type2": "simulation", "param": [action]}).encode()), timeout=60).read()  # fmt: skip
        until = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                command({"action": "pause"})
                break
            if time.monotonic() > until or process.poll() is not None:
                common.fail("the run takes no commands")
            time.sleep(0.2)
        until = time.monotonic() + 120
        while json.loads(urllib.request.urlopen(f"http://{address}/status", timeout=60).read())["data"]["state"] != "paused":
            if time.monotonic() > until:
                common.fail("the run does not pause")
            time.sleep(0.2)
        time.sleep(1.0)
        found = []
        for _ in range(repeat):
            begun, before = time.monotonic(), process_cpu_s(process.pid)
            for _ in range(SCRAPES):
                scrape(address)
            took, used = time.monotonic() - begun, process_cpu_s(process.pid) - before
            # What it does while it waits is not the scrapes'.
            idle = process_cpu_s(process.pid)
            time.sleep(took)
            found.append((used - (process_cpu_s(process.pid) - idle)) / SCRAPES)
        return found
    finally:
        process.kill()
        process.wait()


def counted(binary, grid, steps, repeat):
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as folder:
        cheap = Stepping(binary, make_scenarios.one_vehicle(pathlib.Path(folder), CHEAP_STEPS), CHEAP_STEPS)
        more = interval([(a - b) / CHEAP_STEPS for a, b in cheap.pairs(3 * repeat)])
    common.say("scrapes")
    asked = interval(scrape_costs(binary, grid, 2 * repeat))
    whole = Stepping(binary, grid, steps)
    large = interval([whole.seconds(False) / steps for _ in range(repeat)])
    # Two partitions step at once, so a second of this run has up to two of CPU time; one makes the bound safe.
    share = lambda step, scraped, of: step / of + scraped * SCRAPES_A_SECOND
    middle, bound = share(more[0], asked[0], large[0]), share(more[2], asked[2], large[1])
    row = lambda name, figures, unit: [name, *(f"{unit * x:,.2f}" for x in figures)]
    rows = [
        row("a step more, counted and logged, µs", more, 1e6),
        row("a scrape, µs", asked, 1e6),
        row("a step of grid50k, µs", large, 1e6),
    ]
    text = common.table(["CPU time, two partitions in one process", "median", "from", "to"], rows)
    text += f"\n\nMetrics, scraped every second, and JSON log lines take {100 * middle:.3f} % of grid50k; at most {100 * bound:.3f} %."
    if more[2] > 0:
        text += f" Counting alone reaches 1 % where a step takes less than {1e6 * more[2] / LIMIT:,.0f} µs of CPU time."
    return text, bound


def compared(binary, grid, steps, repeat):
    pairs = Stepping(binary, grid, steps).pairs(4 * repeat)
    middle, low, high = interval([a / b for a, b in pairs])
    within = "which resolves 1 %" if high - low < LIMIT else "which does not resolve 1 %: something else ran"
    return (
        f"grid50k, {len(pairs)} pairs of {steps} steps: with metrics and JSON log lines {middle:.4f} times the CPU time without "
        f"({low:.4f} to {high:.4f}, {within})."
    )


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--steps", type=int, default=100, help="of grid50k")
    p.add_argument("--only", choices=("counted", "compared"))
    p.add_argument("--no-build", action="store_true", help="take the release binary as it is")
    p.add_argument("--tessds", metavar="PATH", help="the binary to measure")
    a = p.parse_args()
    common.setup("system", "scenarios", "sumo")
    binary = common.tessds(a.tessds, build=not a.no_build)
    grid = common.config_in(make_scenarios.make("grid50k"))
    bound = 0.0
    load = os.getloadavg()[0]
    if a.only != "compared":
        text, bound = counted(binary, grid, a.steps, a.repeat)
        print(f"\n{text}", flush=True)
    if a.only != "counted":
        print(f"\n{compared(binary, grid, a.steps, a.repeat)}", flush=True)
    print(f"\nLoad of the machine: {load:.1f} before, {os.getloadavg()[0]:.1f} after.")
    return 0 if bound <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
