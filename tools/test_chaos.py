"""Checks of the chaos harness that need no cluster: schedules, relays, processes, and what counts as growth.

python3 -m unittest discover -s tools
"""

import asyncio
import contextlib
import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from harness import census, faults, schedule
from harness.ports import free_port
from harness.processes import Process
from harness.relay import Relay

PLAN = {
    "format": 1, "scenario": "helsinki", "options": [], "store": "redis", "workers": 3, "partitions": 3, "settings": {},
    "limit_s": 10, "faults": [{"when": {"step": 10}, "fault": "kill", "target": ["w1"], "for_s": 1.0}],
}  # fmt: skip
TOOLS = pathlib.Path(__file__).resolve().parent


class Schedules(unittest.TestCase):
    def test_a_seed_draws_the_same_schedule_every_time(self):
        for seed in range(20):
            first, second = (schedule.Draw(seed).schedule(4800) for _ in range(2))
            self.assertEqual(json.dumps(first), json.dumps(second))
        self.assertNotEqual(schedule.Draw(1).schedule(4800)["faults"], schedule.Draw(2).schedule(4800)["faults"])

    def test_every_schedule_that_is_drawn_is_well_formed_and_every_fault_is_drawn_some_time(self):
        seen = set()
        for seed in range(400):
            plan = schedule.check(schedule.Draw(seed, quick=seed % 2 == 0).schedule(4800))
            self.assertEqual(plan, schedule.check(json.loads(json.dumps(plan))))
            seen.update(fault["fault"] for fault in plan["faults"])
        self.assertEqual(seen, schedule.FAULTS.keys())

    def test_every_fault_has_an_action(self):
        self.assertEqual(schedule.FAULTS.keys(), faults.ACTIONS.keys())

    def test_a_bad_schedule_is_refused_with_the_place_of_the_mistake(self):
        def refused(change, expected):
            plan = copy.deepcopy(PLAN)
            change(plan)
            with self.assertRaisesRegex(schedule.BadSchedule, expected):
                schedule.check(plan)

        schedule.check(PLAN)
        refused(lambda p: p.update(format=2), "format is 2")
        refused(lambda p: p.pop("workers"), "workers missing")
        refused(lambda p: p.update(store="tape"), "store is 'tape'")
        refused(lambda p: p["faults"][0].update(fault="bite"), r"faults\[0\]: unknown fault 'bite'")
        refused(lambda p: p["faults"][0].pop("for_s"), r"faults\[0\]: kill needs for_s")
        refused(lambda p: p["faults"][0]["when"].update(mood="bad"), "unknown condition mood")
        refused(lambda p: p["faults"][0]["when"].update(after=3), "number of an earlier fault")
        refused(lambda p: p["faults"][0].update(fault="disk-full"), "no fault of a redis store")


class Relays(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        async def echo(reader, writer):
            with contextlib.suppress(OSError, asyncio.CancelledError):
                while data := await reader.read(1000):
                    writer.write(data)
            writer.close()

        self.server = await asyncio.start_server(echo, "127.0.0.1", 0)
        self.relay = await Relay("test", self.server.sockets[0].getsockname()[:2]).start()

    async def asyncTearDown(self):
        await self.relay.close()
        self.server.close()

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self.relay.port)

    async def test_bytes_get_through_and_an_end_is_passed_on(self):
        reader, writer = await self.open()
        writer.write(b"x" * 500_000)
        writer.write_eof()
        self.assertEqual(len(await reader.read(-1)), 500_000)
        writer.close()

    async def test_what_is_held_comes_when_it_flows_again(self):
        reader, writer = await self.open()
        self.relay.hold()
        writer.write(b"late")
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(10), 0.1)
        self.assertFalse(self.relay.is_through)
        self.relay.flow()
        self.assertEqual(await reader.readexactly(4), b"late")
        writer.close()

    async def test_a_cut_is_a_reset_and_the_next_connection_stands(self):
        reader, writer = await self.open()
        writer.write(b"a")
        await reader.readexactly(1)
        self.relay.cut()
        with self.assertRaises(ConnectionError):
            await reader.readexactly(1)
        reader, writer = await self.open()
        writer.write(b"b")
        self.assertEqual(await reader.readexactly(1), b"b")
        writer.close()

    async def test_a_relay_that_refuses_takes_connections_on_the_same_port_afterwards(self):
        port = self.relay.port
        self.relay.refuse()
        with self.assertRaises(ConnectionError):
            await self.open()
        await self.relay.start()
        self.assertEqual(self.relay.port, port)
        _, writer = await self.open()
        writer.close()

    async def test_two_faults_that_end_together_open_a_relay_once(self):
        self.relay.refuse()
        await asyncio.gather(self.relay.start(), self.relay.start())
        self.assertTrue(self.relay.is_open)

    async def test_a_delay_is_added_each_way(self):
        self.relay.delay_s = 0.05
        reader, writer = await self.open()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        writer.write(b"a")
        await reader.readexactly(1)
        self.assertGreaterEqual(loop.time() - begun, 0.1)
        writer.close()


class Ports(unittest.TestCase):
    def test_a_port_that_was_given_away_is_not_given_again_to_another_process(self):
        given = free_port()
        # All others are as good as taken.
        draw = f"ports.DRAWS.randrange = lambda low, high: {given}"
        other = f"from harness import ports\n{draw}\ntry: print(ports.free_port())\nexcept OSError: print('none')"
        found = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, cwd=TOOLS)
        self.assertEqual(found.stdout.strip(), "none", found.stderr)


class Processes(unittest.IsolatedAsyncioTestCase):
    async def test_log_lines_become_events_and_the_exit_code_is_known(self):
        events = []
        code = """import sys; print('{"message":"hello","step":3}', file=sys.stderr); print('no json', file=sys.stderr); sys.exit(4)"""
        with tempfile.TemporaryDirectory() as folder:
            process = Process("w1", lambda process, event: events.append((process.name, event)))
            await process.start([sys.executable, "-c", code], folder, {})
            self.assertEqual(await process.ended(20), 4)
            self.assertIn("hello", (pathlib.Path(folder) / "w1.log").read_text())
        self.assertEqual(events, [("w1", {"message": "hello", "step": 3}), ("w1", {"message": "no json"})])


class Growth(unittest.TestCase):
    def test_a_series_that_levels_off_is_bounded_and_one_that_rises_on_is_not(self):
        level = [10, 20, 30, 38, 40, 41, 41, 42, 41]
        self.assertIsNone(census.growth("rss_mib", level))
        self.assertIn("the last", census.growth("rss_mib", [10.0 * n for n in range(9)]))
        self.assertIn("the last", census.growth("fds", list(range(30))))

    def test_noise_and_short_series_are_no_growth(self):
        self.assertIsNone(census.growth("sockets", [11, 12, 11, 13, 11, 12]))
        self.assertIsNone(census.growth("rss_mib", [1, 100]))


if __name__ == "__main__":
    unittest.main()
