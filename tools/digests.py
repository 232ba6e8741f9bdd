#!/usr/bin/env python3
"""Shows that a change of the code is no change of behaviour: digests and hashes of output files, before and after.

    tools/digests.py [--tessds PATH] [--only NAME]... [--check FILE | --write FILE]

Runs the program for SECONDS simulated seconds on the scenarios of `make fidelity` that are cached, on the examples, and on every
network in tests/data with traffic and detectors made here; each in one and in three partitions, which must give equal results.
`--write` keeps the table, `--check` compares with it and ends with exit code 1 where a line differs. The table of the present
behaviour is tests/data/digests.txt; a change of behaviour writes it anew.
"""

import argparse
import gzip
import hashlib
import pathlib
import tempfile
import xml.etree.ElementTree as ET

import common

SECONDS = 300
PARTITIONS = (1, 3)
TRIPS = 240
LISTED = common.ROOT / "tests" / "data" / "digests.txt"
OUTPUTS = {
    "tripinfo": "--tripinfo-output",
    "summary": "--summary-output",
    "edgedata": "--edgedata-output",
    "fcd": "--fcd-output",
    "statistic": "--statistic-output",
    "vehroute": "--vehroute-output",
    "lanechange": "--lanechange-output",
    "collision": "--collision-output",
    "stop": "--stop-output",
}


def numbers(seed):
    """An endless series of numbers below 2^31; the same on every machine."""
    x = int(hashlib.sha256(seed.encode()).hexdigest()[:12], 16)
    while True:
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        yield x >> 33


def detectors(lanes):
    """An additional file with a detector of each kind on some of `lanes`: (id, length in metres)."""
    rows = ["<additional>", '<edgeData id="mean" file="mean.out.xml" period="60"/>']
    rows += ['<laneData id="lanes" file="lanes.out.xml" period="100" withInternal="true"/>']
    for i, (lane, length) in enumerate(lanes):
        rows.append(f'<inductionLoop id="e1_{i}" lane="{lane}" pos="{length / 2:.2f}" period="60" file="e1.out.xml"/>')
        rows.append(f'<instantInductionLoop id="i_{i}" lane="{lane}" pos="{length / 3:.2f}" file="instant.out.xml"/>')
        rows.append(
            f'<laneAreaDetector id="e2_{i}" lane="{lane}" pos="0" endPos="{length:.2f}" period="60" file="e2.out.xml"/>'
        )
        rows.append(f'<entryExitDetector id="e3_{i}" period="60" file="e3.out.xml">')
        rows.append(f'<detEntry lane="{lane}" pos="1"/><detExit lane="{lane}" pos="{length - 1:.2f}"/></entryExitDetector>')
    return "\n".join([*rows, "</additional>\n"])


def made_scenario(net, folder):
    """A scenario in `folder` on the network file `net`. Returns its configuration."""
    with common.open_input(net) as file:
        root = ET.parse(file).getroot()
    edges = [e for e in root.iter("edge") if e.get("function") is None]
    lanes = [(lane.get("id"), float(lane.get("length"))) for e in edges for lane in e.iter("lane")]
    draw = numbers(net.name)
    trips = [
        f'<trip id="t{i}" depart="{i}" from="{edges[next(draw) % len(edges)].get("id")}"'
        f' to="{edges[next(draw) % len(edges)].get("id")}" departLane="best" departSpeed="max"/>'
        for i in range(TRIPS)
    ]
    (folder / "trips.rou.xml").write_text("\n".join(["<routes>", *trips, "</routes>\n"]))
    (folder / "detectors.add.xml").write_text(detectors([lane for lane in lanes if lane[1] > 5][::7]))
    cfg = folder / "run.sumocfg"
    cfg.write_text(
        f'<configuration><net-file value="{net}"/><route-files value="trips.rou.xml"/>'
        '<additional-files value="detectors.add.xml"/><ignore-route-errors value="true"/></configuration>\n'
    )
    return cfg, 0.0, len([j for j in root.iter("junction") if j.get("type") != "internal"])


def found_scenario(scenario, folder):
    """A copy of a scenario in `folder`, so that what it writes is not written beside it."""
    return scenario.copy_to(folder), scenario.time("begin") or 0.0, 1000


def run(binary, make, parts):
    """Digest, and hash of each output by its name."""
    with tempfile.TemporaryDirectory(prefix="tessds-digests-") as work:
        work = pathlib.Path(work)
        cfg, begin, junctions = make(work)
        if junctions < 2 * parts and parts > 1:
            return None
        inputs = {p for p in work.rglob("*") if p.is_file()}
        options = [x for name, option in OUTPUTS.items() for x in (option, work / f"{name}.out.xml")]
        done = common.run_tessds(
            binary, cfg, "--seed", 7, "--end", begin + SECONDS, "--partitions", parts, *options, cwd=work
        )
        hashes = {}
        for path in sorted(p for p in work.rglob("*") if p.is_file() and p not in inputs):
            read = gzip.decompress if path.name.endswith(".gz") else bytes
            name = path.name.removesuffix(".gz").removesuffix(".xml").removesuffix(".out")
            hashes[name] = hashlib.sha256(read(path.read_bytes())).hexdigest()[:8]
        return done.report["digest"], done.report["vehicle_updates"], hashes


def scenarios():
    """How to make each scenario, by its name."""
    known = {name: lambda to, s=s: found_scenario(s, to) for name, s in common.scenarios().items()}
    for net in sorted((common.ROOT / "tests" / "data").rglob("*.net.xml*")):
        name = f"{net.parent.name}/{net.name.split('.')[0]}"
        known[name] = lambda to, net=net: made_scenario(net, to)
    return known


def line(binary, name, make):
    """The table's line of a scenario."""
    one, *others = (run(binary, make, parts) for parts in PARTITIONS)
    for parts, other in zip(PARTITIONS[1:], others):
        if other is not None and other != one:
            common.fail(f"{name}: {parts} partitions give another result than one:\n  {one}\n  {other}")
    digest, updates, hashes = one
    return f"{name} {digest} {updates} " + " ".join(f"{k}={v}" for k, v in hashes.items())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--tessds", metavar="PATH", help="the binary to run; without, the release binary is built")
    p.add_argument("--only", action="append", default=[], metavar="NAME", help="this scenario alone; may be repeated")
    p.add_argument("--check", nargs="?", const=LISTED, metavar="FILE", help=f"compare with this table (default {LISTED})")
    p.add_argument("--write", nargs="?", const=LISTED, metavar="FILE", help="keep the table in this file")
    a = p.parse_args()
    known = scenarios()
    chosen = {n: make for n, make in known.items() if not a.only or n in a.only}
    if unknown := [n for n in a.only if n not in known]:
        common.fail(f"no scenario named {', '.join(unknown)}; known are {', '.join(known)}")
    expected = {row.split()[0]: row for row in pathlib.Path(a.check).read_text().splitlines()} if a.check else {}
    binary, rows, differing = common.tessds(a.tessds), [], []
    for name, make in chosen.items():
        rows.append(line(binary, name, make))
        print(rows[-1], flush=True)
        if a.check and expected.get(name) != rows[-1]:
            differing.append(name)
            print(f"  was: {expected.get(name, 'not listed')}", flush=True)
    if a.write:
        common.replace_file(a.write, "\n".join(rows) + "\n")
    if differing:
        common.fail(f"{len(differing)} of {len(rows)} scenarios differ: {', '.join(differing)}")
    if a.check:
        print(f"{len(rows)} scenarios as listed")


if __name__ == "__main__":
    main()
