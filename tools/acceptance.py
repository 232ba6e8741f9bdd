#!/usr/bin/env python3
"""Runs every SUMO configuration below some folders in SUMO and in TessDS and compares what came of it.

    tools/acceptance.py FOLDER... [--span SECONDS] [--cpu SECONDS] [--most N] [--only REGEX] [--json FILE] [--references]
                        [--tessds PATH]

A configuration is a file that ends in .sumocfg or in sumo.cfg. Each is run where it lies, from its begin for at most --span
simulated seconds (900), and is given up after --cpu seconds of computing time (60). Of folders with more than --most
configurations (all) as many are drawn, always the same. What SUMO makes of them is kept in $TESSDS_CACHE/acceptance.json, under
a hash of the configuration and the files beside it; --references only fills this cache.

The table tells for each configuration whether TessDS accepts what SUMO accepts, and arrivals, mean duration and teleports of
both. Arrivals count as close when they differ by less than 5 % or one vehicle, where SUMO finishes 20 trips or more. The
exit code is 1 when a configuration that SUMO runs is refused, or when fewer than 90 % of the arrivals are close.
"""

import argparse
import hashlib
import json
import pathlib
import random
import re
import resource
import statistics
import subprocess
import tempfile
import xml.etree.ElementTree as ET

import common

MIN_TRIPS, CLOSE_SHARE, CLOSE_CASES = 20, 0.05, 0.90


def configurations(folders, most):
    """All configurations, of each folder at most as many as asked for, by their path."""
    found = {}
    for folder in map(pathlib.Path, folders):
        paths = sorted(p for p in folder.rglob("*") if p.name.endswith((".sumocfg", "sumo.cfg")) and p.is_file())
        if most and len(paths) > most:
            paths = sorted(random.Random(1).sample(paths, most))
        found |= {str(path.relative_to(folder.parent)): path for path in paths}
    return found


def seconds(text, otherwise):
    """A time of a configuration, given in seconds or as D:HH:MM:SS."""
    try:
        parts = [float(part) for part in (text or "").strip().split(":")]
    except ValueError:
        return otherwise
    return sum(part * unit for part, unit in zip(reversed(parts), (1, 60, 3600, 86400)))


def last_second(path, span):
    """The end of the run: that of the configuration, or `span` after its begin."""
    options = {}
    for element in ET.parse(path).getroot().iter():
        options[element.tag] = element.get("value") or element.get("v")
    begin = seconds(options.get("begin") or options.get("b"), 0.0)
    end = seconds(options.get("end") or options.get("e"), -1.0)
    return min(end, begin + span) if end >= begin else begin + span


def run(command, path, span, cpu):
    """One run: exit code, what was said of errors and warnings, and the counts of the outputs."""
    try:
        end = last_second(path, span)
    except ET.ParseError as error:
        return {"exit": "not XML", "errors": [str(error)]}
    with tempfile.TemporaryDirectory(prefix="tessds-acceptance-") as work:
        trips, statistic = f"{work}/trips.xml", f"{work}/statistic.xml"
        # Without a port neither program waits for a client.
        outputs = ["--tripinfo-output", trips, "--statistic-output", statistic, "--end", f"{end:g}", "--remote-port", "0"]
        done = subprocess.run(
            [*command, "-c", path.name, *outputs], cwd=path.parent, stdin=subprocess.DEVNULL, capture_output=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu)), check=False)
        said = done.stderr.decode(errors="replace").splitlines()
        result = {
            "exit": "too slow" if done.returncode in (-9, -24) else done.returncode,
            "errors": [line[:200] for line in said if re.search("error|panick", line, re.I)][-2:],
            "warnings": sorted({re.sub(" times=.*", "", line)[:160] for line in said if "WARN" in line}),
        }
        try:
            root = ET.parse(statistic).getroot()
            result |= {name: int(value) for name, value in root.find("vehicles").attrib.items()}
            result["teleports"] = int(root.find("teleports").get("total", 0))
            durations = [float(e.get("duration")) for e in ET.parse(trips).getroot().iter("tripinfo")]
            result |= {"arrived": len(durations), "duration": statistics.fmean(durations) if durations else 0.0}
        except (OSError, ET.ParseError, AttributeError):
            pass  # it ended before it wrote them
        return result


def fingerprint(path, span):
    """A hash of a configuration and of what lies beside it."""
    h = hashlib.sha256(f"{common.sumo_version()} {span}".encode())
    for file in [path, *sorted(p for p in path.parent.iterdir() if p.is_file() and ".xml" in p.name)]:
        h.update(f"{file.name} {file.stat().st_size}".encode())
    h.update(path.read_bytes())
    return h.hexdigest()[:16]


def reference(path, span, cpu):
    """What SUMO makes of a configuration, from the cache or by running it."""
    store = common.CACHE / "acceptance.json"
    known = json.loads(store.read_text()) if store.exists() else {}
    key = f"{path} {fingerprint(path, span)}"
    if key not in known:
        known[key] = run([common.sumo_tool(), "--no-step-log", "true"], path, span, cpu)
        store.write_text(json.dumps(known, indent=1))
    return known[key]


def verdict(sumo, mine):
    """How a configuration fared: neither, refused, few (too few trips to compare), close or far."""
    if sumo["exit"] != 0:
        return "neither" if mine["exit"] != 0 else "TessDS only"
    if mine["exit"] != 0:
        return "refused" if mine["exit"] != "too slow" else "too slow"
    arrived = sumo.get("arrived", 0)
    if arrived < MIN_TRIPS:
        return "few"
    return "close" if abs(mine["arrived"] - arrived) <= max(1, CLOSE_SHARE * arrived) else "far"


def row(name, sumo, mine, what):
    cells = [name, what]
    for key, form in (("arrived", "{}"), ("duration", "{:.1f}"), ("teleports", "{}")):
        cells += [form.format(r[key]) if key in r else "–" for r in (sumo, mine)]
    ratio = mine.get("duration", 0) / sumo["duration"] if sumo.get("duration") else None
    return "| " + " | ".join([*cells, f"{ratio:.3f}" if ratio else "–", str(len(mine.get("warnings", [])))]) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--span", type=float, default=900)
    parser.add_argument("--cpu", type=int, default=60)
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("--references", action="store_true")
    parser.add_argument("--tessds", default=common.ROOT / "target" / "release" / "tessds")
    given = parser.parse_args()
    common.CACHE.mkdir(parents=True, exist_ok=True)
    command = [pathlib.Path(given.tessds).resolve(), "run", "--threads", "1", "--no-step-log", "--log-format", "text"]
    rows = []
    print("| configuration | verdict | arrived SUMO | TessDS | duration SUMO | TessDS | teleports SUMO | TessDS | ratio | warnings |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, path in configurations(given.folders, given.most).items():
        if not re.search(given.only, name):
            continue
        sumo = reference(path, given.span, given.cpu)
        if given.references:
            continue
        mine = run(command, path, given.span, given.cpu)
        rows.append({"name": name, "verdict": verdict(sumo, mine), "sumo": sumo, "tessds": mine})
        print(row(name, sumo, mine, rows[-1]["verdict"]), flush=True)
    counts = {what: sum(r["verdict"] == what for r in rows) for what in sorted({r["verdict"] for r in rows})}
    compared = counts.get("close", 0) + counts.get("far", 0)
    print(f"\n{len(rows)} configurations: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps(rows, indent=1) + "\n")
    enough = counts.get("close", 0) >= CLOSE_CASES * compared
    raise SystemExit(0 if enough and not counts.get("refused") else 1)


if __name__ == "__main__":
    main()
