"""Schedules of faults: the format (docs/chaos.md), and how one is drawn from a seed. Knows no process and no socket."""

import json
import random

FORMAT = 1

# Short, so that a run sees many of them; the same for all processes.
SETTINGS = {
    "cluster.heartbeat_ms": 150,
    "cluster.timeout_ms": 900,
    "cluster.grace_ms": 300,
    "cluster.adoption_ms": 1500,
    "cluster.lease_ms": 2000,
}
TIMEOUT_S = SETTINGS["cluster.timeout_ms"] / 1000

# Runs of the bundled example: enough steps for some seconds, and an output file that one can still compare.
WORKLOADS = {
    "plain": ["--end", "2400", "--step-length", "0.5", "--device.fcd.period", "5"],
    "rerouting": ["--end", "2400", "--step-length", "0.5", "--device.fcd.period", "5", "--device.rerouting.probability", "0.4"],
    "until-empty": ["--end", "-1", "--device.fcd.period", "5"],
    "quick": ["--end", "900", "--step-length", "0.5", "--device.fcd.period", "5"],
}  # fmt: skip

# What a fault needs besides `when`, `fault` and `target`; `for_s` is how long it lasts.
FAULTS = {
    "kill": {"for_s"},
    "freeze": {"for_s"},
    "leave": {"for_s"},
    "stop": {"for_s"},
    "join": set(),
    "usurp": {"for_s"},
    "panic": {"part", "step", "times"},
    "cut": {"for_s"},
    "flap": {"for_s", "period_s"},
    "hold": {"for_s"},
    "lose": {"for_s"},
    "delay": {"for_s", "delay_s"},
    "throttle": {"for_s", "bytes_per_s"},
    "store-kill": {"for_s"},
    "store-oom": {"for_s"},
    "store-misconf": {"for_s"},
    "store-pause": {"for_s"},
    "disk-full": {"for_s"},
}
WHEN = {"after", "time_s", "step", "log", "process", "write", "delay_s"}
STORE_FAULTS = {"redis": ("store-kill", "store-oom", "store-misconf", "store-pause"), "dir": ("disk-full",)}
# Faults after which something is placed anew.
LOSSES = ("kill", "freeze", "leave", "panic", "lose")


class BadSchedule(Exception):
    """What is wrong with a schedule, and where."""


def check(schedule):
    """Gives the schedule back, or raises BadSchedule."""
    if schedule.get("format") != FORMAT:
        raise BadSchedule(f"format is {schedule.get('format')!r}, {FORMAT} is expected")
    missing = {"scenario", "options", "store", "workers", "partitions", "settings", "limit_s", "faults"} - schedule.keys()
    if missing:
        raise BadSchedule(f"{', '.join(sorted(missing))} missing")
    if schedule["store"] not in STORE_FAULTS:
        raise BadSchedule(f"store is {schedule['store']!r}, redis or dir is expected")
    for i, fault in enumerate(schedule["faults"]):
        kind, when = fault.get("fault"), fault.get("when", {})
        if kind not in FAULTS:
            raise BadSchedule(f"faults[{i}]: unknown fault {kind!r}; known are {', '.join(sorted(FAULTS))}")
        if absent := FAULTS[kind] - fault.keys():
            raise BadSchedule(f"faults[{i}]: {kind} needs {', '.join(sorted(absent))}")
        if unknown := when.keys() - WHEN:
            raise BadSchedule(f"faults[{i}]: unknown condition {', '.join(sorted(unknown))}")
        if not 0 <= when.get("after", 0) <= max(i - 1, 0):
            raise BadSchedule(f"faults[{i}]: 'after' has to be the number of an earlier fault")
        if kind.startswith(("store", "disk")) and kind not in STORE_FAULTS[schedule["store"]]:
            raise BadSchedule(f"faults[{i}]: {kind} is no fault of a {schedule['store']} store")
    return schedule


def read(path):
    with open(path) as file:
        return check(json.load(file))


def links(workers):
    """Names of all relays: from whom to whom."""
    names = [f"w{n}" for n in range(1, workers + 1)]
    return [f"{w}>master" for w in names] + [f">{w}" for w in names] + [f"{p}>store" for p in [*names, "master"]]


class Draw:
    """Draws one schedule. First the setup, of which a reference can be made; with its number of steps, the faults."""

    def __init__(self, seed, scenario="helsinki", quick=False, store=None, only=()):
        self.rng, self.seed, self.only = random.Random(seed), seed, only
        rng, bundled = self.rng, scenario == "helsinki"
        workload = "quick" if quick else rng.choice(["plain", "plain", "rerouting", "until-empty"])
        kind = rng.choice(["redis", "redis", "dir"])
        workers = rng.randint(2, 5)
        self.setup = {
            "format": FORMAT,
            "seed": seed,
            "scenario": scenario,
            "options": WORKLOADS[workload] if bundled else ["--device.fcd.period", "10"],
            "store": store or kind,
            "workers": workers,
            # The master starts with one less: the last is a standby.
            "standby": workers > 2 and rng.random() < 0.4,
            "partitions": rng.choice([workers, workers + 1, 2 * workers]),
            "settings": {**SETTINGS, "cluster.snapshot_interval": rng.choice([20, 50, 100, 200])},
            "limit_s": 60.0 if quick else 120.0,
        }
        self.most = rng.randint(2, 3) if quick else rng.randint(3, 9)

    def schedule(self, steps):
        """The schedule, for a run of so many steps."""
        faults = []
        while len(faults) < self.most:
            faults.append(self.fault(steps, faults))
        # What lasts runs on beside the stepping; a run that stands still for long is not worth its time.
        limit_s = self.setup["limit_s"] + sum(f.get("for_s", 0) for f in faults)
        return check({**self.setup, "limit_s": round(limit_s, 1), "faults": faults})

    def fault(self, steps, earlier):
        rng, workers = self.rng, self.setup["workers"]
        names = [f"w{n}" for n in range(1, workers + 1)]
        weights = {
            "kill": 10, "freeze": 5, "leave": 2, "stop": 1, "join": 1, "usurp": 1, "panic": 2, "cut": 3, "flap": 2, "hold": 3,
            "lose": 3, "delay": 2, "throttle": 2, **{name: 2 for name in STORE_FAULTS[self.setup["store"]]},
        }  # fmt: skip
        weights = {k: v for k, v in weights.items() if not self.only or k in self.only}
        kind = rng.choices(list(weights), weights.values())[0]
        if kind in ("usurp", "panic") and any(f["fault"] == kind for f in earlier):
            kind = "kill"
        when, fault = self.when(steps, earlier, names), {"fault": kind}
        some = lambda items: sorted(rng.sample(items, rng.randint(1, max(1, len(items) // 2))))
        if kind == "kill":
            who = rng.choices([[rng.choice(names)], ["master"], some(names), ["master", *some(names)]], [5, 3, 2, 2])[0]
            fault.update(target=who, for_s=self.span(0.0, 1.5))
        elif kind == "freeze":
            who = rng.choices([[rng.choice(names)], ["master"]], [4, 1])[0]
            fault.update(target=who, for_s=rng.choice([self.span(0.05, 0.6), self.span(1.3, 3.0)]))
        elif kind == "leave":
            fault.update(target=[rng.choice(names)], for_s=self.span(0.0, 1.0))
        elif kind in ("stop", "usurp"):
            fault.update(target=["master"], for_s=self.span(0.2, 2.0))
        elif kind == "panic":
            when = {}
            part, step = rng.randrange(self.setup["partitions"]), rng.randrange(steps)
            fault.update(target=some(names), part=part, step=step, times=rng.randint(1, 2))
        elif kind in ("cut", "flap", "hold", "lose", "delay", "throttle"):
            # Some links, or everything that one process has.
            everywhere = links(workers)
            who = rng.choice([*names, "master"])
            own = [name for name in everywhere if who in name.split(">")]
            fault.update(target=rng.choice([[rng.choice(everywhere)], some(everywhere), own]), for_s=self.span(0.1, 2.5))
            if kind == "flap":
                fault.update(period_s=self.span(0.03, 0.3))
            if kind == "delay":
                fault.update(delay_s=rng.choice([self.span(0.001, 0.01), self.span(0.01, 0.1)]))
            if kind == "throttle":
                fault.update(bytes_per_s=rng.choice([20_000, 100_000, 500_000]))
        elif kind != "join":
            fault.update(target=["store"], for_s=self.span(0.2, 3.0))
        return {"when": when, **fault}

    def when(self, steps, earlier, names):
        rng = self.rng
        losses = [i for i, f in enumerate(earlier) if f["fault"] in LOSSES and f["when"]]
        when = {"step": rng.randrange(int(0.95 * steps))}
        choice = rng.random()
        if losses and choice < 0.3:
            # During a recovery.
            when = {"after": rng.choice(losses), "log": rng.choice(["partition placed", "partition started", "worker lost"])}
        elif choice < 0.5:
            # During a snapshot write.
            when["write"] = rng.choice([*names, "master"])
        elif choice < 0.6:
            # Right after a commit.
            return when
        return {**when, "delay_s": self.span(0.0, 0.3)}

    def span(self, least, most):
        return round(self.rng.uniform(least, most), 3)


def describe(fault):
    """One line for people."""
    conditions = ", ".join(f"{k} {v}" for k, v in fault["when"].items()) or "at the start"
    rest = ", ".join(f"{k} {v}" for k, v in fault.items() if k not in ("when", "fault", "target"))
    return f"{fault['fault']} {' '.join(fault.get('target', []))} ({rest}) when {conditions}".replace(" ()", "")
