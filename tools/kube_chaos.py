#!/usr/bin/env python3
"""Runs a schedule of faults on a Kubernetes cluster, by ChaosBlade, and compares the digest of the run at its end.

    tools/kube_chaos.py --seed N --steps STEPS --digest HEX [--namespace NS] [--form tc|drop] [--schedule FILE] [--dry-run]

The schedule is drawn, or read, as tools/chaos.py does it (docs/chaos.md): one schedule runs in both. The cluster is an overlay of
deploy/kubernetes, on which the operator of ChaosBlade 1.8.0 is installed, and the run is under way or about to begin. --digest is that of
an undisturbed run (`tessds run` prints it). --dry-run prints the objects of all faults, and touches nothing.
"""

import argparse
import json
import re
import subprocess
import sys
import time

import common
from harness import blades, schedule

POLL_S = 1.0
# Logs are asked for with some overlap; an event counts by its own time.
OVERLAP_S = 10
# How long ChaosBlade may take until an experiment is in effect, or undone.
BLADE_S = 60
DIGEST = re.compile(r"^Digest: ([0-9a-f]{32})$", re.M)
MASTER = "tessds-master-0"
OPERATOR = 'redis-cli --user operator -a "$(cat /etc/redis/auth/operator-password)" --no-auth-warning'


class Kubectl:
    """The command line of a cluster."""

    def __init__(self, namespace, program="kubectl"):
        self.namespace, self.program = namespace, program

    def __call__(self, *args, stdin=None, check=True):
        command = [self.program, "-n", self.namespace, *map(str, args)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def events(self):
        """Log lines of all pods of the last seconds, as pairs of a process of the schedule and a dictionary."""
        found = []
        for component, name in (("master", lambda n: "master"), ("worker", lambda n: f"w{n + 1}")):
            selector = f"app.kubernetes.io/name=tessds,app.kubernetes.io/component={component}"
            text = self("logs", "-l", selector, f"--since={OVERLAP_S}s", "--prefix", "--tail=-1", check=False)
            for line in text.splitlines():
                prefix = re.match(r"\[pod/[a-z-]+-(\d+)/\S+\] (\{.*)", line)
                if not prefix:
                    continue
                try:
                    found.append((name(int(prefix[1])), json.loads(prefix[2])))
                except ValueError:
                    continue
        return found

    def digest(self):
        """The digest that the master has printed, if the run is over; also by the container before this one."""
        for options in ([], ["--previous"]):
            found = DIGEST.findall(self("logs", MASTER, "--tail=200", *options, check=False))
            if found:
                return found[-1]
        return None


class Waiting:
    """A fault that waits for the conditions of its `when`, one after another; told of events until it is due."""

    ORDER = ("after", "time_s", "step", "log", "write", "delay_s")

    def __init__(self, number, fault):
        self.number, self.fault = number, fault
        self.left = [c for c in self.ORDER if c in fault["when"]]
        # A log line counts, and a delay begins, from when the condition before is met.
        self.since, self.since_stamp = None, ""

    def is_due(self, now, began, stamp, step, struck, events):
        """`now` and `began` in seconds of one clock; `stamp` is the time of the newest log line, as text."""
        when = self.fault["when"]
        while self.left:
            if self.since is None:
                self.since, self.since_stamp = now, stamp
            condition = self.left[0]
            met = {
                "after": lambda: when["after"] in struck,
                "time_s": lambda: now - began >= when["time_s"],
                "step": lambda: step >= when["step"],
                "log": lambda: self.has_come(events),
                # From outside a pod nobody sees it write; a snapshot is written after every commit of a fast run.
                "write": lambda: True,
                "delay_s": lambda: now - self.since >= when["delay_s"],
            }[condition]()
            if not met:
                return False
            self.left.pop(0)
            self.since = None
        return True

    def has_come(self, events):
        who, text = self.fault["when"].get("process"), self.fault["when"]["log"]
        return any(
            who in (None, name) and text in e.get("message", "") and e.get("timestamp", "") > self.since_stamp for name, e in events
        )


class Runner:
    """One schedule on one cluster."""

    def __init__(self, kubectl, plan, form, clock=time.monotonic, sleep=time.sleep):
        self.kubectl, self.plan, self.form, self.clock, self.sleep = kubectl, plan, form, clock, sleep
        self.struck, self.healing, self.notes = {}, [], []
        # Pods under traffic control, of which a pod takes one at a time.
        self.shaped = set()
        self.waiting = [Waiting(n, fault) for n, fault in enumerate(plan["faults"])]
        self.step, self.stamp = 0, ""

    def run(self):
        """Strikes and heals until the run is over. Gives its digest, or None when it did not end in time."""
        began = self.clock()
        digest = None
        try:
            while digest is None and self.clock() - began < self.plan["limit_s"]:
                self.look(began)
                digest = self.kubectl.digest()
                self.sleep(POLL_S)
        finally:
            for _, undo in self.healing:
                undo()
            self.kubectl("delete", "chaosblades.chaosblade.io", "-l", "app.kubernetes.io/part-of=tessds", "--ignore-not-found")
        # Whoever was frozen or cut off at the end goes on now.
        while digest is None and self.clock() - began < 2 * self.plan["limit_s"]:
            digest = self.kubectl.digest()
            self.sleep(POLL_S)
        return digest

    def look(self, began):
        events = self.kubectl.events()
        self.stamp = max([self.stamp, *(e.get("timestamp", "") for _, e in events)])
        steps = [e["step"] for _, e in events if e.get("message") == "snapshot committed" and "step" in e]
        self.step = max([self.step, *steps])
        now = self.clock()
        for until, undo in [h for h in self.healing if now >= h[0]]:
            undo()
            self.healing = [h for h in self.healing if h[1] is not undo]
        for fault in [w for w in self.waiting if w.is_due(now, began, self.stamp, self.step, self.struck, events)]:
            self.waiting.remove(fault)
            self.strike(fault.number, fault.fault, now)

    def strike(self, number, fault, now):
        found, note = blades.experiments(fault, self.kubectl.namespace, self.form)
        if note:
            self.notes.append(note)
        pods = blades.shaped(found)
        if pods & self.shaped:
            self.notes.append(f"{fault['fault']} left out: the network of {', '.join(sorted(pods & self.shaped))} is disturbed already")
            return
        undo = self.act(number, fault, found)
        if undo is None:
            return
        self.shaped |= pods
        self.struck[number] = now
        common.say(f"{number}: {schedule.describe(fault)}")
        self.healing.append((now + fault.get("for_s", 0), lambda: (undo(), self.shaped.difference_update(pods))))

    def act(self, number, fault, found):
        """Does it, and gives what undoes it; None for what has no counterpart."""
        kubectl = self.kubectl
        if found:
            name = f"tessds-{self.plan.get('seed', 'schedule')}-{number}"
            kubectl("apply", "-f", "-", stdin=json.dumps(blades.blade(name, found, schedule.describe(fault))))
            return lambda: kubectl("delete", "chaosblades.chaosblade.io", name, "--ignore-not-found", f"--timeout={BLADE_S}s")
        if fault["fault"] == "join":
            have = int(kubectl("get", "statefulset", "tessds-worker", "-o", "jsonpath={.spec.replicas}"))
            kubectl("scale", "statefulset", "tessds-worker", f"--replicas={have + 1}")
            return lambda: None
        if fault["fault"] == "store-oom":
            before = self.redis("CONFIG GET maxmemory").split()[-1]
            self.redis("CONFIG SET maxmemory 1mb")
            return lambda: self.redis(f"CONFIG SET maxmemory {before}")
        return None

    def redis(self, words):
        return self.kubectl("exec", "tessds-redis-0", "--", "sh", "-c", f"{OPERATOR} {words}")


def objects(plan, namespace, form):
    """All objects of a schedule, and notes on what they are not."""
    items, notes = [], []
    for number, fault in enumerate(plan["faults"]):
        found, note = blades.experiments(fault, namespace, form)
        notes += [f"{number}: {note}"] * bool(note)
        if found:
            items.append(blades.blade(f"tessds-{plan.get('seed', 'schedule')}-{number}", found, schedule.describe(fault)))
    return items, notes


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=4800, help="steps of the run, among which faults are drawn")
    p.add_argument("--only", action="append", default=[], metavar="FAULT", choices=sorted(schedule.FAULTS))
    p.add_argument("--schedule", metavar="FILE", help="these faults instead of drawn ones")
    p.add_argument("--digest", help="of the undisturbed run")
    p.add_argument("--namespace", default="tessds-dev")
    p.add_argument("--form", choices=["tc", "drop"], default="tc", help="how links are disturbed (docs/chaos.md)")
    p.add_argument("--kubectl", default="kubectl")
    p.add_argument("--dry-run", action="store_true", help="print the objects, touch nothing")
    a = p.parse_args()
    try:
        plan = schedule.read(a.schedule) if a.schedule else schedule.Draw(a.seed, store="redis", only=a.only).schedule(a.steps)
    except schedule.BadSchedule as error:
        common.fail(f"{a.schedule}: {error}")
    if a.dry_run:
        items, notes = objects(plan, a.namespace, a.form)
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
        for note in notes:
            common.say(note)
        return 0
    if not a.digest:
        common.fail("--digest is missing: without the digest of an undisturbed run there is nothing to compare")
    kubectl = Kubectl(a.namespace, a.kubectl)
    if kubectl.digest():
        common.fail(f"the run in namespace {a.namespace} is over already; begin another one (TESSDS_RUN)")
    runner = Runner(kubectl, plan, a.form)
    digest = runner.run()
    for note in sorted(set(runner.notes)):
        print(note)
    verdict = "ok" if digest == a.digest else f"FAILED, {digest or 'no digest'} instead of {a.digest}"
    print(f"seed {plan.get('seed', '-')}: {verdict} ({len(runner.struck)} of {len(plan['faults'])} faults)")
    return 0 if digest == a.digest else 1


if __name__ == "__main__":
    sys.exit(main())
