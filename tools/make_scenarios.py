#!/usr/bin/env python3
"""Makes the large scenarios that the benchmark measures, into $TESSDS_CACHE/scenarios.

    tools/make_scenarios.py [grid50k] [bignet]        default: both

grid50k  a grid town on which more than 50,000 vehicles drive at once, without jams
bignet   a network of about 23 MB and 10 MB of routes with hardly any traffic: what it measures is loading

The same pins give the same files. A scenario that is there already, made by the same version of this script, is kept.
"""

import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import common

VERSION = "1"  # raise it whenever a change below changes a scenario


class Town:
    """A town of `side` x `side` junctions, with every n-th street a two-lane arterial.

    Junctions of two arterials have signals, the others right of way by priority. Nodes and edges are named by their place, so
    that demand can be written without reading the network back.
    """

    def __init__(self, side, block_m, arterial_every):
        self.side, self.block_m, self.every = side, block_m, arterial_every

    def is_arterial(self, street):
        return street % self.every == self.every // 2

    def plain_xml(self, folder):
        nodes = ["<nodes>"]
        for x in range(self.side):
            for y in range(self.side):
                kind = "traffic_light" if self.is_arterial(x) and self.is_arterial(y) else "priority"
                nodes.append(f'<node id="{x}.{y}" x="{x * self.block_m}" y="{y * self.block_m}" type="{kind}"/>')
        edges = ["<edges>"]
        for x, y, dx, dy in self.all_steps():
            major = self.is_arterial(y if dx else x)
            edges.append(
                f'<edge id="{self.edge(x, y, dx, dy)}" from="{x}.{y}" to="{x + dx}.{y + dy}"'
                f' numLanes="{2 if major else 1}" speed="13.89" priority="{3 if major else 1}"/>'
            )
        (folder / "town.nod.xml").write_text("\n".join(nodes) + "\n</nodes>\n")
        (folder / "town.edg.xml").write_text("\n".join(edges) + "\n</edges>\n")

    def all_steps(self):
        for x in range(self.side):
            for y in range(self.side):
                for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                    if self.inside(x + dx, y + dy):
                        yield x, y, dx, dy

    def inside(self, x, y):
        return 0 <= x < self.side and 0 <= y < self.side

    @staticmethod
    def edge(x, y, dx, dy):
        return f"{x}.{y}{'e' if dx > 0 else 'w' if dx < 0 else 'n' if dy > 0 else 's'}"

    def route(self, rng, x, y, dx, dy, length, turn_share):
        """`length` edges from a first one on: mostly straight ahead, now and then a turn, never back, never out of town."""
        edges = []
        for _ in range(length):
            edges.append(self.edge(x, y, dx, dy))
            x, y = x + dx, y + dy
            ahead, sides = (dx, dy), [(dy, -dx), (-dy, dx)]
            rng.shuffle(sides)
            order = [*sides, ahead] if rng.random() < turn_share else [ahead, *sides]
            dx, dy = next((d for d in order if self.inside(x + d[0], y + d[1])), order[0])
        return edges


def netconvert(folder, target, *options):
    command = [common.sumo_tool("netconvert"), "-n", folder / "town.nod.xml", "-e", folder / "town.edg.xml", "-o", target]
    subprocess.run([*command, "--no-turnarounds", "--no-warnings", *options], check=True, stdout=subprocess.DEVNULL)
    # netconvert writes the moment and the folders of the run into a comment; the scenario shall not depend on them.
    text = target.read_text()
    start, end = text.find("<!--"), text.find("-->")
    if 0 <= start < end:
        target.write_text(text[:start] + text[end + 3 :].lstrip())


def config(name, begin, end):
    return f"""<configuration>
    <input><net-file value="{name}.net.xml"/><route-files value="{name}.rou.xml"/></input>
    <time><begin value="{begin}"/><end value="{end}"/></time>
</configuration>
"""


def grid50k(folder):
    """56,000 vehicles are put on all edges within the first minute and drive for the rest of the run."""
    town, rng = Town(side=84, block_m=190, arterial_every=4), random.Random(1)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        town.plain_xml(work)
        netconvert(work, folder / "grid50k.net.xml", "--tls.default-type", "static")
    starts = []
    for x, y, dx, dy in town.all_steps():
        starts += [(x, y, dx, dy)] * (2 if town.is_arterial(y if dx else x) else 1)
    count = 56_000
    rows = []
    for i in range(count):
        x, y, dx, dy = starts[i % len(starts)] if i < len(starts) else rng.choice(starts)
        rows.append((i * 60 // count, town.route(rng, x, y, dx, dy, rng.randint(28, 44), 0.12)))
    with open(folder / "grid50k.rou.xml", "w") as out:
        out.write('<routes>\n<vType id="car" accel="2.6" decel="4.5" sigma="0.5" speedDev="0.1"/>\n')
        for i, (depart, edges) in enumerate(rows):
            out.write(f'<vehicle id="{i}" type="car" depart="{depart}" departPos="random_free" departLane="best" ')
            out.write(f'departSpeed="max"><route edges="{" ".join(edges)}"/></vehicle>\n')
        out.write("</routes>\n")
    (folder / "run.sumocfg").write_text(config("grid50k", 0, 200))


def bignet(folder):
    """A large town for its size in bytes; a few hundred steps of light traffic."""
    town, rng = Town(side=52, block_m=160, arterial_every=3), random.Random(2)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        town.plain_xml(work)
        netconvert(work, folder / "bignet.net.xml", "--tls.default-type", "static")
    starts = list(town.all_steps())
    with open(folder / "bignet.rou.xml", "w") as out:
        out.write("<routes>\n")
        size, i = 0, 0
        while size < 10_000_000:
            x, y, dx, dy = rng.choice(starts)
            edges = town.route(rng, x, y, dx, dy, rng.randint(30, 90), 0.12)
            line = f'<vehicle id="{i}" depart="{i * 0.5:.1f}"><route edges="{" ".join(edges)}"/></vehicle>\n'
            size += out.write(line)
            i += 1
        out.write("</routes>\n")
    # The departures that lie after the end have to be read all the same, which SUMO does only if it is told to.
    text = config("bignet", 0, 30)
    (folder / "run.sumocfg").write_text(text.replace("</input>", '</input>\n    <processing><route-steps value="0"/></processing>'))


def one_vehicle(folder, steps):
    """Writes a scenario in which one vehicle stands still, so that its steps cost next to nothing; its configuration."""
    net = common.ROOT / "examples/helsinki/helsinki.net.xml.gz"
    lines = common.open_input(net).read().decode().splitlines()
    edge = next(line.split('id="')[1].split('"')[0] for line in lines if line.strip().startswith("<edge ") and 'id=":' not in line)
    (folder / "one.rou.xml").write_text(
        f'<routes><vehicle id="v" depart="0"><route edges="{edge}"/><stop edge="{edge}" duration="{steps}"/></vehicle></routes>\n'
    )
    (folder / "run.sumocfg").write_text(
        f'<configuration><input><net-file value="{net}"/><route-files value="one.rou.xml"/></input>'
        f'<time><begin value="0"/><end value="{steps}"/></time></configuration>\n'
    )
    return folder / "run.sumocfg"


MAKERS = {"grid50k": grid50k, "bignet": bignet}


def make(name):
    """The folder of the scenario, which is made if it is not there."""
    folder = common.CACHE / "scenarios" / name
    stamp, wanted = folder / ".made", f"{VERSION} sumo {common.sumo_version()}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    common.say(f"making scenario {name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    MAKERS[name](folder)
    stamp.write_text(wanted)
    return folder


def main():
    names = sys.argv[1:] or list(MAKERS)
    for name in names:
        if name not in MAKERS:
            common.fail(f"no scenario named {name}; known are {', '.join(MAKERS)}")
        folder = make(name)
        for path in sorted(folder.iterdir()):
            print(f"{path.stat().st_size / 1e6:9.2f} MB  {path}")


if __name__ == "__main__":
    main()
