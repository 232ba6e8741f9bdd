#!/usr/bin/env python3
"""Runs a cluster of real processes under faults, and compares its result with that of an undisturbed run.

    tools/chaos.py [--seed N] [--runs K] [--quick] [--scenario NAME] [--only FAULT]... [--schedule FILE] [--tessds PATH]

Every run has a seed, from which follow its options and its faults (docs/chaos.md). It must end within a bound, with the digest
and the very bytes of the undisturbed run, and every process with exit code 0. One line says how it went; of a run that failed
the schedule, the ends of the logs and the command that repeats it are printed, and its folder is kept.
"""

import argparse
import asyncio
import collections
import filecmp
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import common
from harness import faults, schedule
from harness.cluster import OUTPUTS, Cluster, output_options

LOG_LINES = 12
FOLDER = common.ROOT / "out" / "chaos"


class Reference:
    """What an undisturbed run in one process writes. Made once for equal options."""

    def __init__(self, binary, scenario, options, folder):
        key = hashlib.sha256(json.dumps([scenario.digest(), options]).encode()).hexdigest()[:12]
        self.folder = pathlib.Path(folder) / f"reference-{scenario.name}-{key}"
        report, stamp = self.folder / "report.json", pathlib.Path(binary).stat().st_mtime
        if not report.exists() or report.stat().st_mtime < stamp:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            part = self.folder / "report.part"
            command = [binary, "run", "-c", scenario.cfg, "--quiet", *options, "--report-json", part, *output_options(self.folder)]
            subprocess.run([str(c) for c in command], check=True)
            os.replace(part, report)
        self.report = json.loads(report.read_text())

    def differences(self, folder, report):
        """What is wrong with the outputs and the report of another run."""
        found = []
        if report.get("digest") != self.report["digest"]:
            found.append(f"digest is {report.get('digest')}, {self.report['digest']} is right")
        for name in OUTPUTS:
            ours, theirs = self.folder / f"{name}.xml", pathlib.Path(folder) / f"{name}.xml"
            if not theirs.exists():
                found.append(f"{name}.xml is missing")
            elif not filecmp.cmp(ours, theirs, shallow=False):
                found.append(f"{name}.xml differs from {ours}")
        return found


class Outcome:
    def __init__(self, plan, cluster, fired, wall_s):
        self.plan, self.fired, self.wall_s = plan, fired, wall_s
        self.problems, self.notes = cluster.problems, sorted(set(cluster.notes))
        self.report, self.left_behind = cluster.report(), cluster.left_behind

    def line(self):
        plan, report = self.plan, self.report
        verdict = "FAILED" if self.problems else "ok"
        where = f"{plan['store']}, {plan['workers']} workers, {plan['partitions']} partitions"
        done = f"{len(self.fired)} of {len(plan['faults'])} faults"
        cost = f"{report.get('recoveries', '?')} recoveries, {report.get('replayed_steps', '?')} steps replayed"
        if self.left_behind:
            cost += f"; {self.left_behind} workers could not hear of the end"
        return f"seed {plan.get('seed', '-')}: {verdict} in {self.wall_s:.1f} s ({where}; {done}; {cost})"


async def run(binary, cfg, plan, folder):
    """One run under the faults of a schedule. Gives its outcome, the outputs not yet compared."""
    cluster, fired = Cluster(binary, cfg, plan, folder), {}
    for fault in (f for f in plan["faults"] if f["fault"] == "panic"):
        for name in fault["target"]:
            cluster.panics[name] = f"panic:{fault['part']}:{fault['step']}:{fault['times']}"
    acts = []
    try:
        await cluster.start()
        acts = [asyncio.ensure_future(faults.act(cluster, n, fault, fired)) for n, fault in enumerate(plan["faults"])]
        await cluster.first(cluster.over.wait(), timeout_s=plan["limit_s"])
        if not cluster.over.is_set():
            cluster.problems.append(f"the run hangs: not over after {plan['limit_s']} s, at step {cluster.step}")
            cluster.over.set()
        # The end of the run makes every fault heal at once.
        for result in await asyncio.gather(*acts, return_exceptions=True):
            if isinstance(result, BaseException):
                cluster.problems.append(f"the harness failed: {result!r}")
        if not cluster.problems:
            await cluster.finish()
    finally:
        for task in acts:
            task.cancel()
        await cluster.close()
    return Outcome(plan, cluster, fired, time.monotonic() - cluster.begun)


def print_failure(outcome, folder, command):
    plan = outcome.plan
    print(f"--- {outcome.line()}")
    for problem in outcome.problems:
        print(f"  {problem}")
    print(f"repeat it with: {command}")
    print(f"or with the schedule itself: tools/chaos.py --schedule {folder}/schedule.json")
    print(f"{plan['scenario']} {' '.join(plan['options'])}; settings {plan['settings']}")
    for n, fault in enumerate(plan["faults"]):
        moment = f"{outcome.fired[n]:6.2f} s" if n in outcome.fired else "   never"
        print(f"  {n} {moment}  {schedule.describe(fault)}")
    for log in sorted(pathlib.Path(folder).glob("*.log")):
        print(f"--- {log.name}")
        with open(log, errors="replace") as file:
            print("".join(collections.deque(file, LOG_LINES)), end="")
    print(f"--- all of it is in {folder}", flush=True)


def chaos(a, binary, known):
    """All runs asked for. Gives the number of those that failed."""
    plans = [schedule.read(a.schedule)] * a.runs if a.schedule else [None] * a.runs
    failed, totals, begun = 0, collections.Counter(), time.monotonic()
    for n, plan in enumerate(plans):
        draw = None
        if plan is None:
            draw = schedule.Draw(a.seed + n, a.scenario, a.quick, a.store, a.only)
            plan = draw.setup
        if plan["scenario"] not in known:
            common.fail(f"no scenario named {plan['scenario']}; known are {', '.join(known)}")
        scenario = known[plan["scenario"]]
        reference = Reference(binary, scenario, plan["options"], a.folder)
        if draw is not None:
            plan = draw.schedule(reference.report["steps"])
        folder = a.folder / (f"seed-{plan['seed']}" if draw else "schedule")
        if a.schedule and pathlib.Path(a.schedule).resolve().parent == folder.resolve():
            common.fail(f"{a.schedule} lies where its run is to write; copy it elsewhere first")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "schedule.json").write_text(json.dumps(plan, indent=1) + "\n")
        outcome = asyncio.run(run(binary, scenario.cfg, plan, folder))
        if not outcome.problems:
            outcome.problems += reference.differences(folder, outcome.report)
        totals.update(plan["faults"][i]["fault"] for i in outcome.fired)
        for note in outcome.notes:
            print(f"seed {plan.get('seed', '-')}: {note}")
        if outcome.problems:
            failed += 1
            repeat = f"make chaos SEED={plan.get('seed')} RUNS=1 ARGS='{arguments_of(a)}'"
            print_failure(outcome, folder, repeat)
        else:
            print(outcome.line(), flush=True)
            if not a.keep:
                shutil.rmtree(folder)
    struck = ", ".join(f"{kind} {count}" for kind, count in sorted(totals.items()))
    print(f"{a.runs - failed} of {a.runs} runs as undisturbed, in {time.monotonic() - begun:.0f} s; faults: {struck or 'none'}")
    return failed


def arguments_of(a):
    """The options that a seed's outcome depends on, as they were given."""
    given = ["--quick"] * a.quick + [f"--scenario={a.scenario}"] * (a.scenario != "helsinki")
    given += [f"--store={a.store}"] * bool(a.store) + [f"--only={kind}" for kind in a.only]
    return " ".join(given + [f"--tessds={a.tessds}"] * bool(a.tessds))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=1, help="seed of the first run; the others follow")
    p.add_argument("--runs", type=int, default=1)
    p.add_argument("--quick", action="store_true", help="short runs with few faults, for CI")
    p.add_argument("--scenario", default="helsinki", metavar="NAME")
    p.add_argument("--scenarios", default="", help="further scenario folders, separated by blanks")
    p.add_argument("--store", choices=["redis", "dir"], help="instead of a drawn one")
    p.add_argument("--only", action="append", default=[], metavar="FAULT", choices=sorted(schedule.FAULTS))
    p.add_argument("--schedule", metavar="FILE", help="these faults instead of drawn ones")
    p.add_argument("--tessds", metavar="PATH", help="the program to test; by default the release build, made anew")
    p.add_argument("--folder", type=pathlib.Path, default=FOLDER, help="where runs write")
    p.add_argument("--keep", action="store_true", help="keep the folders of good runs, too")
    a = p.parse_args()
    if not shutil.which("redis-server"):
        common.setup("system")
    a.folder = a.folder.resolve()
    # What was started has to be ended, also when the harness itself is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return 1 if chaos(a, common.tessds(a.tessds), common.scenarios(a.scenarios)) else 0
    except schedule.BadSchedule as error:
        common.fail(f"{a.schedule}: {error}")


if __name__ == "__main__":
    sys.exit(main())
