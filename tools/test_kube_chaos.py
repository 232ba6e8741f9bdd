"""Checks of chaos on Kubernetes that need no cluster: the objects of ChaosBlade, and the runner with a stand-in for kubectl.

python3 -m unittest discover -s tools
"""

import json
import unittest

import common
import kube_chaos
from harness import blades, schedule

SCHEMA = json.loads((common.ROOT / "deploy" / "chaos" / "chaosblade.schema.json").read_text())
PLAN = {
    "format": 1, "scenario": "helsinki", "options": [], "store": "redis", "workers": 3, "partitions": 3, "settings": {},
    "seed": 7, "limit_s": 100, "faults": [],
}  # fmt: skip
DIGEST = "40b026b1ee69aaaece4cb21765616a1c"


def line(second, message, **fields):
    return {"timestamp": f"2026-11-22T22:00:{second:02}.000000Z", "level": "INFO", "message": message, **fields}


class FakeKubectl:
    """Notes what it is asked, tells prepared events, and gives the digest after some looks."""

    namespace = "t"

    def __init__(self, looks):
        self.looks, self.calls, self.applied = looks, [], []

    def __call__(self, *args, stdin=None, check=True):
        self.calls.append(" ".join(map(str, args)))
        if stdin:
            self.applied.append(json.loads(stdin))
        if args[0] == "get":
            return "3"
        return "maxmemory\n12345\n" if "CONFIG GET" in self.calls[-1] else ""

    def events(self):
        return self.looks.pop(0) if self.looks else []

    def digest(self):
        return None if self.looks else DIGEST


def run(faults, looks):
    clock = iter(range(1000))
    kubectl = FakeKubectl(looks)
    runner = kube_chaos.Runner(kubectl, {**PLAN, "faults": faults}, "tc", clock=lambda: float(next(clock)), sleep=lambda s: None)
    return runner.run(), runner, kubectl


class Objects(unittest.TestCase):
    def checked(self, item):
        """The parts of the schema that the standard library can check; `make check-deploy` checks all of it."""
        self.assertEqual((item["apiVersion"], item["kind"]), ("chaosblade.io/v1alpha1", "ChaosBlade"))
        for e in item["spec"]["experiments"]:
            allowed = [
                o["properties"] for o in SCHEMA["properties"]["spec"]["properties"]["experiments"]["items"]["oneOf"]
                if all(o["properties"][k]["const"] == e[k] for k in ("scope", "target", "action"))
            ]  # fmt: skip
            self.assertEqual(len(allowed), 1, e)
            names = allowed[0]["matchers"]["items"]["properties"]["name"]["enum"]
            for matcher in e["matchers"]:
                self.assertIn(matcher["name"], names)
                self.assertTrue(matcher["value"] and all(isinstance(v, str) for v in matcher["value"]))

    def test_every_fault_that_is_drawn_has_an_object_or_a_reason_in_both_forms(self):
        for seed in range(60):
            plan = schedule.Draw(seed, store="redis").schedule(4800)
            for form in ("tc", "drop"):
                items, notes = kube_chaos.objects(plan, "t", form)
                for item in items:
                    self.checked(item)
                silent = [f for f in plan["faults"] if f["fault"] in blades.NOT_BY_BLADE]
                self.assertGreaterEqual(len(items) + len(notes) + len(silent), len(plan["faults"]))

    def test_every_fault_of_the_schedule_format_is_known_here(self):
        values = {"for_s": 1, "delay_s": 0.01, "period_s": 0.1, "bytes_per_s": 1000, "part": 0, "step": 1, "times": 1}
        for kind in schedule.FAULTS:
            target = ["w1>master"] if kind in ("cut", "flap", "hold", "lose", "delay", "throttle") else ["w1"]
            blades.experiments({"when": {}, "fault": kind, "target": target, **values}, "t")

    def test_the_links_of_a_pod_are_one_experiment_because_a_pod_takes_only_one(self):
        fault = {"fault": "hold", "target": ["w1>master", "w1>store", ">w1", "w2>master"], "for_s": 1}
        found, _ = blades.experiments(fault, "t")
        self.assertEqual(len(found), 2)
        matchers = {m["name"]: m["value"] for m in found[0]["matchers"]}
        self.assertEqual(matchers["names"], ["tessds-worker-0"])
        self.assertEqual(matchers["remote-port"], ["6379,7700"])
        self.assertEqual(matchers["local-port"], ["7701"])
        self.assertEqual(matchers["percent"], ["100"])

    def test_one_name_is_one_pod(self):
        self.assertEqual([blades.pod(n) for n in ("master", "w1", "w3", "store")],
                         ["tessds-master-0", "tessds-worker-0", "tessds-worker-2", "tessds-redis-0"])  # fmt: skip


class Running(unittest.TestCase):
    def test_a_fault_strikes_at_its_step_and_is_undone_after_its_time(self):
        faults = [{"when": {"step": 800}, "fault": "freeze", "target": ["w1"], "for_s": 3.0}]
        early, late = [("master", line(1, "snapshot committed", step=700))], [("master", line(2, "snapshot committed", step=900))]
        digest, runner, kubectl = run(faults, [early, [], late, [], [], [], []])
        self.assertEqual(digest, DIGEST)
        self.assertEqual(len(kubectl.applied), 1)
        applied = kubectl.calls.index("apply -f -")
        deleted = kubectl.calls.index("delete chaosblades.chaosblade.io tessds-7-0 --ignore-not-found --timeout=60s")
        self.assertGreater(deleted, applied)
        self.assertEqual(runner.healing, [])

    def test_a_log_line_from_before_does_not_count(self):
        faults = [{"when": {"log": "partition placed"}, "fault": "kill", "target": ["w2"], "for_s": 0.0}]
        old = [("master", line(1, "partition placed"))]
        self.assertEqual(run(faults, [old, old, old])[2].applied, [])
        self.assertEqual(len(run(faults, [old, [("master", line(5, "partition placed"))]])[2].applied), 1)

    def test_conditions_are_waited_for_one_after_another(self):
        faults = [
            {"when": {"time_s": 2}, "fault": "kill", "target": ["w1"], "for_s": 0.0},
            {"when": {"after": 0, "delay_s": 2.0}, "fault": "join"},
        ]
        _, runner, kubectl = run(faults, [[] for _ in range(12)])
        self.assertGreaterEqual(runner.struck[1] - runner.struck[0], 2.0)
        self.assertIn("scale statefulset tessds-worker --replicas=4", kubectl.calls)

    def test_full_memory_is_given_back(self):
        _, _, kubectl = run([{"when": {}, "fault": "store-oom", "target": ["store"], "for_s": 1.0}], [[] for _ in range(8)])
        settings = [c.split("--no-auth-warning ")[1] for c in kubectl.calls if "CONFIG" in c]
        self.assertEqual(settings, ["CONFIG GET maxmemory", "CONFIG SET maxmemory 1mb", "CONFIG SET maxmemory 12345"])

    def test_a_network_that_is_disturbed_already_is_left_alone(self):
        faults = [{"when": {}, "fault": "hold", "target": ["w1>master"], "for_s": 90.0} for _ in range(2)]
        _, runner, kubectl = run(faults, [[], [], []])
        self.assertEqual(len(kubectl.applied), 1)
        self.assertIn("tessds-worker-0 is disturbed already", " ".join(runner.notes))
        # All is healed at the end, whatever its time.
        self.assertIn("delete chaosblades.chaosblade.io -l app.kubernetes.io/part-of=tessds --ignore-not-found", kubectl.calls)

    def test_what_has_no_counterpart_is_left_out_with_a_reason(self):
        _, runner, kubectl = run([{"when": {}, "fault": "panic", "target": ["w1"], "part": 0, "step": 1, "times": 1}], [[]])
        self.assertEqual((kubectl.applied, runner.struck), ([], {}))
        self.assertIn("panic left out", runner.notes[0])


if __name__ == "__main__":
    unittest.main()
