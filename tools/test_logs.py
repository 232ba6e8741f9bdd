"""Checks of what log collectors make of lines of real runs, and of the saved objects of Kibana.

python3 -m unittest discover -s tools
"""

import json
import unittest

import common
import log_pipeline
import make_kibana

DATA = common.ROOT / "tools" / "testdata"


def events_of(name):
    pipeline = log_pipeline.Pipeline()
    return list(pipeline.events((DATA / name).read_text().splitlines())), pipeline.problems


class Pipeline(unittest.TestCase):
    def test_every_line_of_a_run_with_a_recovery_parses_and_every_field_is_known(self):
        for name in ("master.cri.log", "worker.cri.log"):
            events, problems = events_of(name)
            self.assertEqual(problems + log_pipeline.check(events), [])

    def test_a_failure_is_followed_from_its_detection_to_its_end(self):
        events, _ = events_of("master.cri.log")
        self.assertEqual(
            [(r["partition"], r["epoch"], r["step"], r["took_ms"]) for r in log_pipeline.recoveries(events)],
            [(2, 2, 600, 26), (3, 2, 600, 26)],
        )
        messages = [e["message"] for e in events]
        story = [messages.index(m) for m in ("connection to worker lost", "worker lost", "partition caught up")]
        self.assertEqual(story, sorted(story))

    def test_a_panic_is_one_event_and_so_is_the_summary_of_a_run(self):
        events, _ = events_of("worker.cri.log")
        (panic,) = [e for e in events if "panicked at" in e["message"]]
        self.assertEqual(panic["level"], "ERROR")
        self.assertIn("stack backtrace", panic["message"])
        events, _ = events_of("master.cri.log")
        (summary,) = [e for e in events if e["stream"] == "stdout"]
        self.assertIn("Digest: ", summary["message"])

    def test_a_line_that_the_runtime_has_cut_is_joined(self):
        events, _ = events_of("worker.cri.log")
        self.assertEqual(events[-1]["message"], "connection to the master lost")

    def test_what_does_not_fit_is_found(self):
        pipeline = log_pipeline.Pipeline()
        line = "2026-11-22T22:08:48.5+00:00 stderr F "
        events = list(pipeline.events(["no runtime wrote this", line + '{"half', line + '{"message":"a","level":"INFO","step":"7","mood":1}']))
        self.assertEqual(len(pipeline.problems), 2)
        self.assertEqual(len(log_pipeline.check(events)), 2)


class SavedObjects(unittest.TestCase):
    def test_every_object_refers_to_objects_that_are_there_and_asks_for_fields_that_exist(self):
        objects = {o["id"]: o for o in map(json.loads, make_kibana.text().splitlines())}
        fields = set(log_pipeline.template()) | {"message.keyword", "@timestamp"}
        for o in objects.values():
            for reference in o["references"]:
                self.assertEqual(objects[reference["id"]]["type"], reference["type"])
            if o["type"] == "visualization":
                for aggregation in json.loads(o["attributes"]["visState"])["aggs"]:
                    self.assertIn(aggregation["params"].get("field", "message"), fields)

    def test_messages_that_are_searched_for_are_messages_of_the_program(self):
        source = "".join(p.read_text() for p in (common.ROOT / "src").rglob("*.rs"))
        for message in make_kibana.STORY:
            self.assertIn(f'"{message}"', source)


if __name__ == "__main__":
    unittest.main()
