#!/usr/bin/env python3
"""Measures speed and memory of TessDS against SUMO, on the same scenarios in one go.

    tools/bench.py [--only NAME]... [--scenarios "FOLDER FOLDER"] [--repeat N] [--quick] [--no-build] [--tessds PATH]

UPS      vehicle updates per second of stepping, as each program reports it (loading is not in it)
wall     the whole process, from its start to its end
RSS      the largest resident set of the process
bytes    per running vehicle on grid50k, with its route: the resident set of the run, less that of a run of the same network
         without demand, over the vehicles that drive at the end

Best of N runs (default 3; one for runs of more than a minute). No output files are written. Nothing else should run on the
machine; the programs take turns, so that a disturbance meets all. The table goes to the screen and to docs/bench-table.md
and .json (with --only, --quick or --no-sumo to the screen alone).
"""

import argparse
import json
import math
import os
import pathlib
import platform
import statistics
import tempfile

import common
import make_scenarios

PUBLIC = ("acosta", "cologne8", "ingolstadt21", "helsinki")
GENERATED = ("grid50k", "bignet")
PARTITIONS = (1, 2)
LONG_RUN_S = 60.0


class Sample:
    def __init__(self, ups, wall_s, rss_mib, rtf, updates, running):
        self.ups, self.wall_s, self.rss_mib, self.rtf = ups, wall_s, rss_mib, rtf
        self.updates, self.running = updates, running


def sumo_sample(scenario, *options):
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as work:
        done = common.run_sumo(prepared(scenario, work), "--seed", 1, *options, cwd=work)
    return Sample(done.ups, done.wall_s, done.rss_mib, done.rtf, done.ups * done.stepping_s, done.running)


def tessds_sample(binary, partitions, scenario, *options):
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as work:
        cfg = prepared(scenario, work)
        done = common.run_tessds(binary, cfg, "--seed", 1, "--partitions", partitions, *options, cwd=work)
    r = done.report
    return Sample(r["ups"], done.wall_s, done.rss_mib, r["rtf"], r["vehicle_updates"], r["running"])


def prepared(scenario, work):
    """A copy of scenarios that may write files beside themselves; generated ones are large and write none."""
    return scenario.cfg if scenario.name in GENERATED else scenario.copy_to(work)


def best(samples):
    """The figures of the best run, each on its own; memory is the median."""
    pick = lambda choose, key: choose(getattr(s, key) for s in samples)
    memory = statistics.median(s.rss_mib for s in samples)
    return Sample(pick(max, "ups"), pick(min, "wall_s"), memory, pick(max, "rtf"), samples[0].updates, samples[0].running)


def measure(programs, scenario, repeat, *options):
    """{program: best sample}; the programs take turns."""
    taken = {name: [] for name in programs}
    for turn in range(repeat):
        for name, run in programs.items():
            if turn and taken[name][0].wall_s > LONG_RUN_S:
                continue
            common.say(f"{scenario.name}: {name}, run {turn + 1}")
            taken[name].append(run(scenario, *options))
    return {name: best(samples) for name, samples in taken.items()}


def bytes_per_vehicle(programs, scenario, full):
    """{program: resident set with vehicles less without, per vehicle}"""
    found = {}
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as folder:
        folder = pathlib.Path(folder)
        (folder / "none.rou.xml").write_text("<routes/>\n")
        (net,) = (p for p in scenario.inputs() if p.name.endswith(".net.xml"))
        (folder / "run.sumocfg").write_text(
            f'<configuration><input><net-file value="{net}"/><route-files value="none.rou.xml"/></input>'
            '<time><begin value="0"/><end value="2"/></time></configuration>\n'
        )
        empty = common.Scenario(scenario.name, folder / "run.sumocfg")
        for name, run in programs.items():
            common.say(f"{scenario.name}: {name}, without vehicles")
            vehicles = full[name].running
            found[name] = (full[name].rss_mib - run(empty).rss_mib) * 2**20 / vehicles if vehicles else math.nan
    return found


def machine():
    model = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def rows_of(name, result):
    first, base = next(iter(result.items()))
    rows = []
    for program, s in result.items():
        times = lambda ours, theirs: "" if program == first else f" ({ours / theirs:.2f}x)"
        rows.append(
            [name if program == first else "", program, f"{s.ups:,.0f}" + times(s.ups, base.ups), f"{s.rtf:,.0f}",
             f"{s.wall_s:.2f}" + times(base.wall_s, s.wall_s), f"{s.rss_mib:.0f}" + times(base.rss_mib, s.rss_mib),
             f"{s.updates:,.0f}"]
        )  # fmt: skip
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--only", action="append", default=[], metavar="NAME", help="this scenario alone; may be repeated")
    p.add_argument("--scenarios", default="", help="further scenario folders, separated by blanks")
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--quick", action="store_true", help="one run each, without the generated scenarios")
    p.add_argument("--no-sumo", action="store_true", help="TessDS alone; ratios are to one partition")
    p.add_argument("--no-build", action="store_true", help="take the release binary as it is")
    p.add_argument("--tessds", metavar="PATH", help="the binary to measure")
    a = p.parse_args()

    common.setup("scenarios", "sumo")
    known = common.scenarios(a.scenarios)
    wanted = a.only or [n for n in PUBLIC if n in known] + ([] if a.quick else list(GENERATED))
    for name in wanted:
        if name in GENERATED:
            known[name] = common.Scenario(name, common.config_in(make_scenarios.make(name)))
        elif name not in known:
            common.fail(f"no scenario named {name}; known are {', '.join([*known, *GENERATED])}")
    binary = common.tessds(a.tessds, build=not a.no_build)
    programs = {} if a.no_sumo else {"SUMO": sumo_sample}
    for n in PARTITIONS:
        label = f"TessDS, {n} partition" + ("s" if n > 1 else "")
        programs[label] = lambda scenario, *options, n=n: tessds_sample(binary, n, scenario, *options)

    rows, kept, per_vehicle = [], {}, {}
    for name in wanted:
        result = measure(programs, known[name], 1 if a.quick else a.repeat)
        rows += rows_of(name, result)
        kept[name] = {program: vars(sample) for program, sample in result.items()}
        if name == "grid50k":
            per_vehicle = bytes_per_vehicle(programs, known[name], result)
            kept[name]["bytes_per_vehicle"] = per_vehicle
    header = ["scenario", "program", "UPS", "times real time", "wall, s", "RSS, MiB", "vehicle updates"]
    text = common.table(header, rows)
    if per_vehicle:
        text += "\n\n" + common.table(["program", "bytes per running vehicle"], [[k, f"{v:,.0f}"] for k, v in per_vehicle.items()])
    print("\n" + text)
    if not (a.only or a.quick or a.no_sumo):
        about = f"SUMO {common.sumo_version()} and TessDS on one machine ({machine()}), best of {a.repeat} runs. "
        about += "In brackets: how many times better than SUMO."
        common.replace_file(common.DOCS / "bench-table.md", f"{about}\n\n{text}\n")
        common.replace_file(common.DOCS / "bench-table.json", json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
