#!/usr/bin/env python3
"""Holds TessDS against SUMO on public scenarios.

    tools/fidelity.py [--only NAME]... [--seeds N] [--scenarios "FOLDER FOLDER"] [--no-build] [--tessds PATH]

SUMO runs once per scenario with ten seeds; what has to be known of these runs is cached in $TESSDS_CACHE/refs, under a hash
of the scenario's files and SUMO's version. TessDS runs with eight seeds. The table goes to the screen and to
docs/fidelity-table.md and .json (with --only it goes to the screen alone). The exit code is 1 when a limit is missed.

Scenarios: the eight of RESCO, those in examples/, and any that --scenarios or TESSDS_EXTRA_SCENARIOS name. Each is a folder
with a .sumocfg. `--references` only fills the cache. docs/fidelity.md explains the measures and the limits.
"""

import argparse
import json
import pathlib
import statistics
import tempfile
import xml.etree.ElementTree as ET

import common
import measures

SUMO_SEEDS = 10
TRIPS_MARGIN = 0.01
MEAN_MARGIN, MEAN_SIGMAS = 0.10, 2.0
MIN_GEH5, MAX_TRIP_ERROR, MAX_SPEED_ERROR = 0.97, 2.0, 2.0


def departures(scenario):
    """First and last departure of the demand in seconds."""
    times = []
    for path in scenario.inputs():
        if ".rou" not in path.name and ".trips" not in path.name:
            continue
        opened = common.open_input(path)
        with opened:
            for _, e in ET.iterparse(opened):
                if e.tag in ("vehicle", "trip", "flow"):
                    for key in ("depart", "begin", "end"):
                        try:
                            times.append(float(e.get(key)))
                        except (TypeError, ValueError):
                            pass  # absent, or one of the words such as "triggered"
                    e.clear()
    return (min(times), max(times)) if times else (0.0, 3600.0)


def hours(scenario):
    """The time over which flows are counted: the configured one, or else the span of the departures."""
    begin, end = scenario.time("begin"), scenario.time("end")
    if end is None:
        first, last = departures(scenario)
        return max(last - max(first, begin or 0.0), 60.0) / 3600
    return (end - (begin or 0.0)) / 3600


def run_once(program, scenario, seed):
    """One run with outputs; `program` is run_sumo or a closure over run_tessds. Returns (outcome, process)."""
    with tempfile.TemporaryDirectory(prefix="tessds-fidelity-") as work:
        work = pathlib.Path(work)
        cfg = scenario.copy_to(work)
        trip, edge = work / "fidelity-trip.xml", work / "fidelity-edge.xml"
        done = program(cfg, "--seed", seed, "--tripinfo-output", trip, "--edgedata-output", edge, cwd=work)
        return measures.Outcome(trip, edge), done


def reference(scenario, seeds=SUMO_SEEDS):
    """SUMO's figures for a scenario, from the cache or by running it."""
    version = common.sumo_version()
    path = common.CACHE / "refs" / f"{scenario.name}-{scenario.digest()}-sumo{version}-{seeds}.json"
    if path.exists():
        return json.loads(path.read_text())
    outcomes, runs, ups = [], [], []
    for seed in range(1, seeds + 1):
        common.say(f"{scenario.name}: SUMO {version}, seed {seed} of {seeds}")
        outcome, done = run_once(common.run_sumo, scenario, seed)
        outcomes.append(outcome)
        counts = {k: getattr(done, k) for k in ("teleports", "loaded", "inserted", "running", "waiting")}
        runs.append({**outcome.means, **counts})
        ups.append(done.ups)
    ref = measures.reference(outcomes, scenario=scenario.name, sumo=version, hours=hours(scenario), runs=runs, ups=ups)
    common.replace_file(path, json.dumps(ref, sort_keys=True))
    return ref


def verdicts(figures):
    """What misses its limit, in words. Empty means the scenario passes."""
    missed = []
    if abs(figures["trips"]["ratio"] - 1) > TRIPS_MARGIN:
        missed.append("trips")
    for key in ("duration", "timeLoss"):
        f = figures[key]
        if abs(f["ratio"] - 1) > MEAN_MARGIN and abs(f["sigmas"]) > MEAN_SIGMAS:
            missed.append(key)
    # Written so that a figure that is not a number misses its limit.
    if not figures["geh5"] >= MIN_GEH5:
        missed.append("GEH")
    if not figures["trip_error"] <= MAX_TRIP_ERROR:
        missed.append("trip error")
    if not figures["speed_error"] <= MAX_SPEED_ERROR:
        missed.append("speed error")
    low, high = figures["teleports"]["sumo_range"]
    if not low <= figures["teleports"]["ours"] <= high:
        missed.append("teleports")
    return missed


def judge(binary, scenario, seeds, worst):
    ref = reference(scenario)
    outcomes, reports, ups = [], [], []
    ours = lambda cfg, *options, cwd: common.run_tessds(binary, cfg, "--partitions", 1, *options, cwd=cwd)
    for seed in range(1, seeds + 1):
        common.say(f"{scenario.name}: TessDS, seed {seed} of {seeds}")
        outcome, done = run_once(ours, scenario, seed)
        outcomes.append(outcome)
        reports.append(done.report)
        ups.append(done.report["ups"])
    figures = measures.compare(outcomes, ref, ref["hours"])
    theirs = [run["teleports"] for run in ref["runs"]]
    counts = [r["teleports"] for r in reports]
    figures["teleports"] = {
        "ours": round(statistics.fmean(counts), 2),
        "ours_each": counts,
        "sumo_range": [min(theirs), max(theirs)],
    }
    figures["missed"] = verdicts(figures)
    if worst:
        print(f"\n{scenario.name}: edges that differ most")
        rows = measures.worst_edges(outcomes, ref, ref["hours"], worst)
        print(common.table(["GEH", "edge", "TessDS", "SUMO"], [[f"{g:.2f}", k, f"{a:.1f}", f"{b:.1f}"] for g, k, a, b in rows]))
    return figures


HEADER = ["scenario", "trips", "duration", "time loss", "waiting", "depart delay", "GEH < 5", "mean GEH"]
HEADER += ["trip error", "speed error", "teleports (SUMO)", "verdict"]


def row(name, f):
    def ratio(key):
        value = f[key]["ratio"]
        return f"{value:.3f} ({f[key]['sigmas']:+.1f} sd)" if value is not None else f"{f[key]['ours']:.1f} vs 0"

    low, high = f["teleports"]["sumo_range"]
    return [
        name, f"{f['trips']['ratio']:.4f}", ratio("duration"), ratio("timeLoss"), ratio("waitingTime"), ratio("departDelay"),
        f"{f['geh5']:.3f}", f"{f['geh_mean']:.2f}", f"{f['trip_error']:.2f}", f"{f['speed_error']:.2f}",
        f"{f['teleports']['ours']:g} ({low}..{high})", "pass" if not f["missed"] else "misses " + ", ".join(f["missed"]),
    ]  # fmt: skip


def print_references(chosen):
    """SUMO's own means, as a table."""
    rows = []
    for name, scenario in chosen.items():
        ref = reference(scenario)
        mean = lambda key: statistics.fmean(run[key] for run in ref["runs"])
        spread = lambda key: statistics.pstdev(run[key] for run in ref["runs"])
        cell = lambda key: f"{mean(key):.1f} ± {spread(key):.1f}"
        jumps = [run["teleports"] for run in ref["runs"]]
        rows.append(
            [name, f"{ref['hours']:.2f}", f"{mean('loaded'):g}", f"{mean('inserted'):g}", cell("trips"), f"{mean('running'):.0f}",
             f"{mean('waiting'):.0f}", *map(cell, measures.MEANS), f"{statistics.fmean(jumps):.1f} ({min(jumps)}..{max(jumps)})",
             f"{statistics.fmean(ref['trip_noise']):.1f}", f"{statistics.fmean(ref['speed_noise']):.3f}",
             f"{statistics.median(ref['ups']):.0f}"]
        )  # fmt: skip
    header = ["scenario", "hours", "loaded", "inserted", "trips", "running", "waiting", *measures.MEANS]
    print(common.table([*header, "teleports", "trip noise", "speed noise", "UPS"], rows))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--only", action="append", default=[], metavar="NAME", help="this scenario alone; may be repeated")
    p.add_argument("--seeds", type=int, default=8, help="seeds of TessDS (default 8)")
    p.add_argument("--scenarios", default="", help="further scenario folders, separated by blanks")
    p.add_argument("--references", action="store_true", help="only run SUMO and fill the cache")
    p.add_argument("--worst", type=int, default=0, metavar="N", help="also list the N edges that differ most")
    p.add_argument("--no-build", action="store_true", help="take the release binary as it is")
    p.add_argument("--tessds", metavar="PATH", help="the binary to measure")
    a = p.parse_args()

    common.setup("scenarios", "sumo")
    known = common.scenarios(a.scenarios)
    unknown = [n for n in a.only if n not in known]
    if unknown:
        common.fail(f"no scenario named {', '.join(unknown)}; known are {', '.join(known)}")
    chosen = {n: s for n, s in known.items() if not a.only or n in a.only}
    if a.references:
        print_references(chosen)
        return
    binary = common.tessds(a.tessds, build=not a.no_build)
    results = {name: judge(binary, scenario, a.seeds, a.worst) for name, scenario in chosen.items()}
    text = common.table(HEADER, [row(n, f) for n, f in results.items()])
    print("\n" + text)
    if not a.only:
        about = f"SUMO {common.sumo_version()}, {SUMO_SEEDS} seeds; TessDS, {a.seeds} seeds. Ratios are TessDS to SUMO."
        common.replace_file(common.DOCS / "fidelity-table.md", f"{about}\n\n{text}\n")
        common.replace_file(common.DOCS / "fidelity-table.json", json.dumps(results, indent=1, sort_keys=True) + "\n")
    missed = {n: f["missed"] for n, f in results.items() if f["missed"]}
    passed = len(results) - len(missed)
    print(f"\n{passed} of {len(results)} scenarios within the limits")
    if missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
