#!/usr/bin/env python3
"""Compares TessDS with SUMO on generated networks of every kind, each at two levels of demand.

    tools/generated.py [--seed 1] [--only REGEX] [--level free|dense] [--keep DIR] [--json FILE] [--no-build] [--tessds PATH]

netgenerate (for some kinds netconvert) builds the networks from the seed, randomTrips.py and duarouter draw trips and routes,
so equal seeds give equal scenarios. Both programs run each scenario until 3,600 s after the last departure. The level
`free` is light traffic; at `dense` the network works near its capacity. Per scenario: trips, and for each program the arrived ones, teleports,
mean duration and mean time loss. The last column names what is wrong:

* `arrivals`: TessDS lets less than 95 % as many vehicles arrive as SUMO does,
* `teleports`: TessDS teleports more vehicles than SUMO, by more than 2 and by more than 0.5 % of the trips: somebody was stuck,
* `duration`: the mean duration differs by more than 10 %; chance alone makes a few percent, near capacity more,
* `fails`: a program did not finish; the message follows the table.

The exit code is 1 when a scenario shows `arrivals`, `teleports` or `fails`.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

import common

DEPARTURES_S, EXTRA_S = 1800, 3600
FEWEST_ARRIVALS, TELEPORT_SHARE, DURATION_MARGIN = 0.95, 0.005, 0.10
LEVELS = ("free", "dense")


class Kind:
    """How a network is made, and the demand of the level `dense` in vehicles an hour; `free` is a part of it."""

    def __init__(self, name, dense_vph, *options, free=0.35, trips=(), build=None):
        self.name, self.dense_vph, self.options, self.free, self.trips = name, dense_vph, options, free, trips
        self.build = build or netgenerate

    def vehicles_per_hour(self, level):
        return self.dense_vph * (self.free if level == "free" else 1)


def call(*command, cwd):
    """Runs a tool of SUMO's; its messages are only shown when it fails."""
    env = {**os.environ, "SUMO_HOME": str(common.sumo_python_tools().parent)}
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stderr[-1500:]}")


def netgenerate(kind, folder, seed):
    call(common.sumo_tool("netgenerate"), *kind.options, "--seed", seed, "-o", "net.net.xml", cwd=folder)


def convert(folder, nodes, edges, *options, connections=()):
    """Builds a network from nodes (id, x, y, type) and edges (id, from, to, further attributes)."""
    node = lambda id, x, y, kind: f'<node id="{id}" x="{x}" y="{y}" type="{kind}"/>'
    edge = lambda id, a, b, more: f'<edge id="{id}" from="{a}" to="{b}" {more}/>'
    (folder / "n.nod.xml").write_text(f"<nodes>{''.join(node(*n) for n in nodes)}</nodes>")
    (folder / "e.edg.xml").write_text(f"<edges>{''.join(edge(*e) for e in edges)}</edges>")
    (folder / "c.con.xml").write_text(f"<connections>{''.join(connections)}</connections>")
    call(common.sumo_tool("netconvert"), "-n", "n.nod.xml", "-e", "e.edg.xml", "-x", "c.con.xml", "--no-turnarounds",
         *options, "-o", "net.net.xml", cwd=folder)  # fmt: skip


ARMS = (("E", 1, 0), ("N", 0, 1), ("W", -1, 0), ("S", 0, -1))


def both_ways(a, b, more):
    return [(f"{a}{b}", a, b, more), (f"{b}{a}", b, a, more)]


def crossing(kind, folder, _seed):
    """Four arms of 300 m; the roads from east and west are minor."""
    lanes, node_type, width = kind.options
    nodes, edges = [("c", 0, 0, node_type)], []
    for arm, x, y in ARMS:
        nodes.append((arm, 300 * x, 300 * y, "priority"))
        edges += both_ways(arm, "c", f'numLanes="{lanes}" priority="{2 if y else 1}" width="{width}" speed="13.89"')
    convert(folder, nodes, edges)


def roundabout(kind, folder, _seed):
    """Four arms of 200 m at a ring with a diameter of 40 m."""
    (lanes,) = kind.options
    nodes, edges = [], []
    for arm, x, y in ARMS:
        nodes += [(f"r{arm}", 20 * x, 20 * y, "priority"), (arm, 220 * x, 220 * y, "priority")]
        edges += both_ways(arm, f"r{arm}", f'numLanes="{lanes}" priority="1" speed="13.89"')
    for (a, ax, ay), (b, bx, by) in zip(ARMS, ARMS[1:] + ARMS[:1]):
        middle = f"{14.1 * (ax + bx)},{14.1 * (ay + by)}"
        edges.append((f"r{a}r{b}", f"r{a}", f"r{b}", f'numLanes="{lanes}" priority="3" speed="8" shape="{20 * ax},{20 * ay} {middle} {20 * bx},{20 * by}"'))  # fmt: skip
    convert(folder, nodes, edges, "--roundabouts.guess", "true")


def twins(kind, folder, _seed):
    """A road that crosses a dual carriageway: two junctions a few metres apart."""
    (gap,) = kind.options
    y = gap / 2
    nodes = [("a", 0, y, "priority"), ("b", 0, -y, "priority"), ("n", 0, 250, "priority"), ("s", 0, -250, "priority")]
    nodes += [("ww", -250, y, "priority"), ("ew", 250, y, "priority"), ("we", -250, -y, "priority"), ("ee", 250, -y, "priority")]
    more = 'numLanes="1" priority="1" speed="13.89"'
    edges = both_ways("n", "a", more) + both_ways("a", "b", more) + both_ways("b", "s", more)
    edges += [("ea", "ew", "a", more), ("aw", "a", "ww", more), ("wb", "we", "b", more), ("be", "b", "ee", more)]
    convert(folder, nodes, edges)


def lane_drop(kind, folder, _seed):
    """Two lanes that merge into one like a zipper."""
    nodes = [("a", 0, 0, "priority"), ("b", 500, 0, "zipper"), ("c", 1000, 0, "priority")]
    edges = [("ab", "a", "b", 'numLanes="2" speed="13.89"'), ("bc", "b", "c", 'numLanes="1" speed="13.89"')]
    links = [f'<connection from="ab" to="bc" fromLane="{lane}" toLane="0"/>' for lane in (0, 1)]
    convert(folder, nodes, edges, connections=links)


def level_crossing(kind, folder, _seed):
    """A road over a railway between two junctions."""
    nodes = [("x", 0, 0, "rail_crossing"), ("rs", 0, -500, "priority"), ("rn", 0, 500, "priority")]
    nodes += [("w", -80, 0, "priority"), ("e", 80, 0, "priority")]
    nodes += [(f"{a}{b}", x * 300, y * 200, "priority") for a, x in (("w", -1), ("e", 1)) for b, y in (("n", 1), ("s", -1))]
    road, rail = 'numLanes="1" speed="13.89" disallow="rail"', 'numLanes="1" speed="30" allow="rail"'
    edges = both_ways("w", "x", road) + both_ways("x", "e", road)
    for a in "we":
        edges += both_ways(f"{a}n", a, road) + both_ways(f"{a}s", a, road)
    edges += [("rsx", "rs", "x", rail), ("xrn", "x", "rn", rail)]
    convert(folder, nodes, edges)


def grid(*options, number=4, length=150):
    return ("--grid", "--grid.number", number, "--grid.length", length, "--grid.attach-length", length, *options)


def spider(*options):
    return ("--spider", "--spider.arm-number", 6, "--spider.circle-number", 3, "--spider.space-radius", 120, *options)


def rand(*options):
    return ("--rand", "--rand.iterations", 60, *options)


FEET = ("--sidewalks.guess", "--crossings.guess", "--sidewalks.guess.max-speed", 20)
BIKES = ("--bikelanes.guess", "--bikelanes.guess.max-speed", 20)
ACTUATED = ("-j", "traffic_light", "--tls.default-type", "actuated")
SHORT = {"number": 6, "length": 20}

KINDS = [
    Kind("grid priority", 2600, *grid("-j", "priority")),
    Kind("grid priority_stop", 2200, *grid("-j", "priority_stop")),
    Kind("grid traffic_light", 3000, *grid("-j", "traffic_light")),
    Kind("grid actuated", 3000, *grid(*ACTUATED)),
    Kind("grid right_before_left", 2400, *grid("-j", "right_before_left")),
    Kind("grid left_before_right", 2400, *grid("-j", "left_before_right")),
    Kind("grid allway_stop", 2000, *grid("-j", "allway_stop")),
    Kind("grid unregulated", 2200, *grid("-j", "unregulated")),
    Kind("grid zipper", 2000, *grid("-j", "zipper")),
    Kind("grid 2 lanes priority", 3600, *grid("-j", "priority", "-L", 2)),
    Kind("grid 3 lanes traffic_light", 6000, *grid("-j", "traffic_light", "-L", 3)),
    Kind("grid 2 lanes actuated", 5000, *grid(*ACTUATED, "-L", 2)),
    Kind("grid turn lanes", 4000, *grid("-j", "traffic_light", "--turn-lanes", 1, "--turn-lanes.length", 40)),
    Kind("grid perturbed", 2600, *grid("-j", "priority", "--perturb-x", "norm(0,20)", "--perturb-y", "norm(0,20)")),
    Kind("grid without internal links", 2600, *grid("-j", "priority", "--no-internal-links")),
    Kind("grid left-hand priority", 2600, *grid("-j", "priority", "--lefthand")),
    Kind("grid left-hand traffic_light", 3000, *grid("-j", "traffic_light", "--lefthand")),
    Kind("grid crossings", 3000, *grid("-j", "traffic_light", *FEET)),
    Kind("grid priority crossings", 2400, *grid("-j", "priority", *FEET)),
    Kind("grid bike lanes", 3000, *grid("-j", "traffic_light", *FEET, *BIKES)),
    Kind("grid bicycles", 1200, *grid("-j", "priority", *BIKES), trips=("--vehicle-class", "bicycle")),
    Kind("grid wide lanes", 2600, *grid("-j", "priority", "--default.lanewidth", 5)),
    Kind("grid of 20 m", 1500, *grid("-j", "priority", **SHORT)),
    Kind("grid of 20 m traffic_light", 1500, *grid("-j", "traffic_light", **SHORT)),
    Kind("grid of 20 m 2 lanes", 1800, *grid("-j", "priority", "-L", 2, **SHORT)),
    Kind("spider priority", 1800, *spider("-j", "priority")),
    Kind("spider traffic_light", 1800, *spider("-j", "traffic_light")),
    Kind("spider right_before_left", 1500, *spider("-j", "right_before_left")),
    Kind("spider without centre", 1800, *spider("-j", "priority", "--spider.omit-center")),
    Kind("random priority", 1500, *rand("-j", "priority")),
    Kind("random traffic_light", 1500, *rand("-j", "traffic_light")),
    Kind("random right_before_left", 1200, *rand("-j", "right_before_left")),
    Kind("random 2 lanes", 2200, *rand("-L", 2)),
    Kind("random bidirectional", 1200, *rand("--rand.bidi-probability", "0.7")),
    Kind("crossing of wide lanes", 1300, 1, "priority", 4, build=crossing),
    Kind("crossing right_before_left", 1500, 1, "right_before_left", 3.2, build=crossing),
    Kind("crossing allway_stop", 1300, 1, "allway_stop", 3.2, build=crossing),
    Kind("crossing 2 lanes", 2000, 2, "priority", 3.2, build=crossing),
    Kind("crossing 2 lanes traffic_light", 2200, 2, "traffic_light", 3.2, build=crossing),
    Kind("roundabout", 2000, 1, build=roundabout),
    Kind("roundabout 2 lanes", 2600, 2, build=roundabout),
    Kind("twin junctions 10 m apart", 900, 10, build=twins),
    Kind("twin junctions 15 m apart", 1000, 15, build=twins),
    Kind("twin junctions 20 m apart", 1000, 20, build=twins),
    Kind("zipper lane drop", 1700, build=lane_drop),
    Kind("level crossing", 700, build=level_crossing, trips=("--vehicle-class", "passenger")),
]


def make(kind, level, folder, seed):
    """A scenario in `folder`; returns its configuration and the number of its trips."""
    kind.build(kind, folder, seed)
    tools = common.sumo_python_tools()
    call(sys.executable, tools / "randomTrips.py", "-n", "net.net.xml", "-s", seed, "-b", 0, "-e", DEPARTURES_S,
         "--insertion-rate", kind.vehicles_per_hour(level), "--random-depart", "--fringe-factor", 10, "--min-distance", 100,
         "-o", "trips.trips.xml", "-r", "routes.rou.xml", "-t", 'departSpeed="max" departLane="best"', *kind.trips, cwd=folder)  # fmt: skip
    config = folder / "run.sumocfg"
    config.write_text(
        '<configuration><input><net-file value="net.net.xml"/><route-files value="routes.rou.xml"/></input>'
        f'<time><begin value="0"/><end value="{DEPARTURES_S + EXTRA_S}"/></time></configuration>'
    )
    return config, (folder / "routes.rou.xml").read_text().count("<vehicle ")


def results(folder, name, command):
    """Arrived trips, teleports, mean duration and time loss of a run, or the message with which it failed."""
    trips, statistics = folder / f"{name}-trips.xml", folder / f"{name}-statistics.xml"
    try:
        done = subprocess.run([*map(str, command), "--tripinfo-output", trips, "--statistic-output", statistics],
                              capture_output=True, text=True, timeout=900)  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": "does not end"}
    if done.returncode != 0:
        return {"error": (done.stderr or done.stdout).strip()[-500:]}
    arrived = [t for t in ET.parse(trips).getroot() if t.tag == "tripinfo" and float(t.get("arrival")) >= 0]
    mean = lambda key: sum(float(t.get(key)) for t in arrived) / max(len(arrived), 1)
    teleports = int(re.search(r'<teleports total="(\d+)"', statistics.read_text())[1])
    return {"arrived": len(arrived), "teleports": teleports, "duration": mean("duration"), "loss": mean("timeLoss")}


def verdict(trips, sumo, ours):
    if "error" in sumo or "error" in ours:
        return ["fails"]
    found = []
    if ours["arrived"] < FEWEST_ARRIVALS * sumo["arrived"]:
        found.append("arrivals")
    if ours["teleports"] - sumo["teleports"] > max(2, TELEPORT_SHARE * trips):
        found.append("teleports")
    if abs(ours["duration"] - sumo["duration"]) > DURATION_MARGIN * max(sumo["duration"], 1):
        found.append("duration")
    return found


def compare(binary, kind, level, folder, seed):
    name = f"{kind.name}, {level}"
    try:
        config, trips = make(kind, level, folder, seed)
    except RuntimeError as error:
        return {"name": name, "trips": 0, "sumo": {"error": str(error)}, "tessds": {}, "wrong": ["fails"]}
    sumo = results(folder, "sumo", [common.sumo_tool(), "-c", config, "--no-step-log", "--no-warnings", "--seed", seed])
    ours = results(folder, "tessds", [binary, "run", "-c", config, "--no-step-log", "--seed", seed])
    return {"name": name, "trips": trips, "sumo": sumo, "tessds": ours, "wrong": verdict(trips, sumo, ours)}


HEADER = ["network, demand", "trips", "arrived", "teleports", "duration s", "time loss s", "duration ratio", "wrong"]


def row(found):
    sumo, ours = found["sumo"], found["tessds"]
    if "fails" in found["wrong"]:
        return [found["name"], found["trips"], "", "", "", "", "", "fails"]
    pair = lambda key, digits: f"{ours[key]:.{digits}f} / {sumo[key]:.{digits}f}"
    ratio = f"{ours['duration'] / max(sumo['duration'], 1e-9):.3f}"
    cells = [pair("arrived", 0), pair("teleports", 0), pair("duration", 1), pair("loss", 1), ratio]
    return [found["name"], found["trips"], *cells, ", ".join(found["wrong"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="REGEX", help="kinds whose name this is found in")
    parser.add_argument("--level", choices=LEVELS)
    parser.add_argument("--keep", metavar="DIR", help="leave scenarios and outputs there")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--tessds", metavar="PATH")
    args = parser.parse_args()
    binary = common.tessds(args.tessds, build=not args.no_build)
    rows = []
    with tempfile.TemporaryDirectory(prefix="tessds-generated-") as work:
        for kind in (k for k in KINDS if re.search(args.only, k.name)):
            for level in (level for level in LEVELS if args.level in (None, level)):
                folder = pathlib.Path(args.keep or work).resolve() / re.sub(r"\W+", "-", f"{kind.name} {level}")
                folder.mkdir(parents=True, exist_ok=True)
                rows.append(compare(binary, kind, level, folder, args.seed))
                common.say(" | ".join(map(str, row(rows[-1]))))
    print(common.table(HEADER, map(row, rows)))
    print("\nEach pair is TessDS / SUMO.")
    for found in rows:
        for program in ("sumo", "tessds"):
            if "error" in found[program]:
                print(f"\n{found['name']}, {program}: {found[program]['error']}")
    if args.json:
        common.replace_file(args.json, json.dumps({"seed": args.seed, "rows": rows}, indent=1))
    return 1 if any(set(found["wrong"]) - {"duration"} for found in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
