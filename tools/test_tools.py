"""Checks of the tools themselves: the measures, the PBF reader, and what they say about a scenario. No SUMO, no network.

python3 -m unittest discover -s tools
"""

import json
import math
import pathlib
import struct
import tempfile
import unittest

import common
import fidelity
import measures
import osm_pbf
import overhead

TRIPINFO = """<tripinfos>
  <tripinfo id="a" duration="{0}" timeLoss="10" waitingTime="4" routeLength="500" departDelay="0"/>
  <tripinfo id="b" duration="60" timeLoss="20" waitingTime="6" routeLength="700" departDelay="2"/>
</tripinfos>"""

EDGEDATA = """<meandata>
  <interval begin="0" end="100">
    <edge id="in" sampledSeconds="100" speed="{0}" entered="5" departed="7"/><edge id=":j_0" sampledSeconds="9" speed="1"/>
    <edge id="empty" sampledSeconds="0" entered="0" departed="0"/>
  </interval>
  <interval begin="100" end="200"><edge id="in" sampledSeconds="300" speed="{0}" entered="3" departed="0"/></interval>
</meandata>"""


def outcome(duration, speed):
    with tempfile.TemporaryDirectory() as folder:
        trip, edge = pathlib.Path(folder) / "t.xml", pathlib.Path(folder) / "e.xml"
        trip.write_text(TRIPINFO.format(duration))
        edge.write_text(EDGEDATA.format(speed))
        return measures.Outcome(trip, edge)


class Overhead(unittest.TestCase):
    def test_each_side_goes_first_as_often_as_second_and_drift_falls_on_both_alike(self):
        order = overhead.turns(4)
        self.assertEqual(order, [True, False, False, True, True, False, False, True])
        self.assertEqual(sum(i for i, on in enumerate(order) if on), sum(i for i, on in enumerate(order) if not on))

    def test_the_interval_of_a_median_holds_it_and_outliers_do_not_move_it(self):
        quiet = [1.0 + 0.001 * (i % 7 - 3) for i in range(40)]
        middle, low, high = overhead.interval(quiet + [9.0, 9.0])
        self.assertAlmostEqual(middle, 1.0, places=2)
        self.assertTrue(0.997 <= low <= middle <= high <= 1.003)
        self.assertEqual(overhead.interval([2.5]), (2.5, 2.5, 2.5))


class Measures(unittest.TestCase):
    def test_an_outcome_holds_means_over_trips_and_sums_over_intervals(self):
        o = outcome(40, 8)
        self.assertEqual(o.means["trips"], 2)
        self.assertEqual(o.means["duration"], 50)
        self.assertEqual(o.means["departDelay"], 1)
        self.assertEqual(o.entered, {"in": 15, "empty": 0})
        self.assertEqual(o.speeds, {"in": (8.0, 400.0)})

    def test_a_run_compared_with_its_own_reference_has_ratio_one_and_no_flow_error(self):
        seeds = [outcome(40, 8), outcome(44, 9), outcome(48, 10)]
        ref = measures.reference(seeds, runs=[o.means for o in seeds])
        f = measures.compare(seeds, json.loads(json.dumps(ref)), hours=1.0)
        self.assertEqual(f["duration"]["ratio"], 1.0)
        self.assertEqual(f["duration"]["sigmas"], 0.0)
        self.assertEqual((f["geh5"], f["geh_mean"], f["edges"]), (1.0, 0.0, 1))
        # The mean of all seeds lies closer to each of them than the mean of the other seeds does.
        self.assertLess(f["trip_error"], 1.0)
        self.assertLess(f["speed_error"], 1.0)

    def test_an_error_of_one_is_the_distance_of_sumos_own_seeds(self):
        seeds = [outcome(40, 8), outcome(44, 8)]
        ref = measures.reference(seeds, runs=[o.means for o in seeds])
        self.assertEqual(ref["trip_noise"], [2.0, 2.0])
        f = measures.compare([outcome(46, 8)], {**ref, "speed_noise": [1.0]}, hours=1.0)
        self.assertEqual(f["trip_error"], 1.0)

    def test_geh_follows_its_formula(self):
        self.assertEqual(measures.geh(0, 0), 0)
        self.assertAlmostEqual(measures.geh(120, 100), math.sqrt(2 * 400 / 220))


class Verdicts(unittest.TestCase):
    def figures(self, **changed):
        good = {"ratio": 1.0, "sigmas": 0.0}
        base = {"trips": good, "duration": good, "timeLoss": good, "geh5": 1.0, "trip_error": 1.0, "speed_error": 1.0}
        return {**base, "teleports": {"ours": 1, "sumo_range": [0, 3]}, **changed}

    def check(self, expected, **changed):
        self.assertEqual(fidelity.verdicts(self.figures(**changed)), expected)

    def test_equal_figures_pass(self):
        self.check([])

    def test_a_mean_may_be_off_by_ten_percent_or_by_two_sigmas(self):
        self.check([], duration={"ratio": 1.09, "sigmas": 9.0})
        self.check([], duration={"ratio": 1.5, "sigmas": 1.9})
        self.check(["duration"], duration={"ratio": 1.11, "sigmas": 2.1})

    def test_each_limit_is_held(self):
        self.check(["trips"], trips={"ratio": 0.98, "sigmas": -9.0})
        self.check(["GEH"], geh5=0.96)
        self.check(["GEH"], geh5=math.nan)
        self.check(["trip error", "speed error"], trip_error=2.1, speed_error=math.nan)
        self.check(["teleports"], teleports={"ours": 4, "sumo_range": [0, 3]})


class Scenarios(unittest.TestCase):
    def scenario(self, folder, text):
        (folder / "x.net.xml").write_text("<net/>")
        (folder / "x.rou.xml").write_text('<routes><trip id="0" depart="100"/><flow id="f" begin="0" end="3700"/></routes>')
        (folder / "any.sumocfg").write_text(f'<configuration><net-file value="x.net.xml"/>{text}</configuration>')
        return common.Scenario("x", common.config_in(folder))

    def test_the_digest_follows_the_files_that_the_configuration_names(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            s = self.scenario(folder, '<route-files value="x.rou.xml"/>')
            before = s.digest()
            (folder / "output.xml").write_text("not an input")
            self.assertEqual(before, s.digest())
            (folder / "x.net.xml").write_text("<net />")
            self.assertNotEqual(before, s.digest())

    def test_hours_are_the_configured_ones_or_the_span_of_departures(self):
        with tempfile.TemporaryDirectory() as folder:
            s = self.scenario(pathlib.Path(folder), '<route-files value="x.rou.xml"/><begin value="100"/>')
            self.assertEqual(fidelity.hours(s), 1.0)
        with tempfile.TemporaryDirectory() as folder:
            s = self.scenario(pathlib.Path(folder), '<begin value="0"/><end value="1800"/>')
            self.assertEqual(fidelity.hours(s), 0.5)


class Pbf(unittest.TestCase):
    def test_roads_are_read_from_a_file(self):
        varint = lambda n: bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
        field = lambda n, body: varint(n << 3 | 2) + varint(len(body)) + body
        number = lambda n, value: varint(n << 3) + varint(value)
        zigzag = lambda values: b"".join(varint(v * 2 if v >= 0 else -v * 2 - 1) for v in values)
        strings = field(1, b"".join(field(1, s) for s in (b"", b"highway", b"primary", b"crossing")))
        # Two nodes, 7 and 9, the second tagged highway=crossing; one road over both.
        dense = field(1, zigzag([7, 2])) + field(8, zigzag([600_000_000, 5])) + field(9, zigzag([-10, 30]))
        dense += field(10, bytes([0, 1, 3, 0]))
        way = number(1, 4) + field(2, bytes([1])) + field(3, bytes([2])) + field(8, zigzag([7, 2]))
        block = strings + field(2, field(2, dense)) + field(2, field(3, way))
        blob = field(1, block)
        header = field(1, b"OSMData") + number(3, len(blob))
        with tempfile.NamedTemporaryFile() as file:
            file.write(struct.pack(">I", len(header)) + header + blob)
            file.flush()
            nodes, ways, restrictions = osm_pbf.read_roads(file.name)
        self.assertEqual(ways, {4: ([7, 9], {"highway": "primary"})})
        self.assertEqual(nodes[9][2], {"highway": "crossing"})
        self.assertAlmostEqual(nodes[7][1], 60.0)
        self.assertAlmostEqual(nodes[9][0], 20e-7)
        self.assertEqual(restrictions, {})


if __name__ == "__main__":
    unittest.main()
