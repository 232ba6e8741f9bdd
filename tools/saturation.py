#!/usr/bin/env python3
"""Measures the saturation flow of one signalised lane, in SUMO and in TessDS.

    tools/saturation.py [--no-build] [--tessds PATH] [--sumo-only] [--seeds N]

A queue that never ends stands before a signal on one straight lane: speed limit 13.89 m/s, the default vehicle type, steps of
one second. Saturation flow is what crosses the stop line while the light is green, from ten seconds into the green phase on,
when the time lost at the start is over, in vehicles per hour. Crossings are read from FCD output. The exit code is 1 when
TessDS lies outside 1750..1850 vehicles per hour.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile

import common

LOW, HIGH = 1750, 1850

GREEN_S, YELLOW_S, RED_S, END_S = 60, 3, 57, 3600
START_S = 10  # the part of a green phase in which the queue gets going

NODES = """<nodes>
  <node id="a" x="-2000" y="0"/><node id="stop" x="0" y="0" type="traffic_light"/><node id="b" x="1000" y="0"/>
</nodes>
"""
EDGES = """<edges>
  <edge id="approach" from="a" to="stop" numLanes="1" speed="13.89"/><edge id="exit" from="stop" to="b" numLanes="1" speed="13.89"/>
</edges>
"""
PHASES = f"""
        <phase duration="{RED_S}" state="r"/><phase duration="{GREEN_S}" state="G"/><phase duration="{YELLOW_S}" state="y"/>
    """
ROUTES = f"""<routes>
  <route id="through" edges="approach exit"/>
  <flow id="queue" route="through" begin="0" end="{END_S}" vehsPerHour="1500" departSpeed="max"/>
</routes>
"""
CONFIG = f"""<configuration>
  <input><net-file value="net.xml"/><route-files value="routes.rou.xml"/></input>
  <time><begin value="0"/><end value="{END_S}"/><step-length value="1"/></time>
  <processing><time-to-teleport value="-1"/></processing>
</configuration>
"""


def build(folder):
    for name, text in (("n.nod.xml", NODES), ("e.edg.xml", EDGES), ("routes.rou.xml", ROUTES)):
        (folder / name).write_text(text)
    command = [common.sumo_tool("netconvert"), "-n", folder / "n.nod.xml", "-e", folder / "e.edg.xml"]
    command += ["-o", folder / "net.xml", "--no-warnings"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    # netconvert guesses a program; ours takes its place.
    text, count = re.subn(r"(<tlLogic [^>]*>).*?(</tlLogic>)", rf"\1{PHASES}\2", (folder / "net.xml").read_text(), flags=re.S)
    assert count == 1, "the network has one signal"
    (folder / "net.xml").write_text(text)
    (folder / "run.sumocfg").write_text(CONFIG)
    return folder / "run.sumocfg"


def crossings(fcd, line_m):
    """When each vehicle's front passed the stop line: interpolated between its last moment before it and the next one."""
    time, before, crossed = 0.0, {}, {}
    attribute = lambda line, key: re.search(rf'\b{key}="([^"]*)"', line).group(1)
    with open(fcd) as file:
        for line in file:
            if "<timestep" in line:
                time = float(attribute(line, "time"))
            elif "<vehicle" in line:
                name, x = attribute(line, "id"), float(attribute(line, "x"))
                if name in before and before[name][1] < line_m <= x:
                    t, at = before[name]
                    crossed[name] = t + (time - t) * (line_m - at) / (x - at)
                before[name] = time, x
    return sorted(crossed.values())


def stop_line(net):
    """x of the downstream end of the approach lane in FCD coordinates"""
    shape = re.search(r'<lane id="approach_0"[^>]*shape="([^"]*)"', net.read_text()).group(1)
    return float(shape.split()[-1].split(",")[0])


def saturation_flow(times):
    """Mean flow in vehicles per hour over the green phases, without the first two, in which the queue forms."""
    cycle, counts = RED_S + GREEN_S + YELLOW_S, []
    for n in range(2, END_S // cycle):
        green = n * cycle + RED_S
        counts.append(sum(green + START_S <= t < green + GREEN_S for t in times))
    return statistics.fmean(counts) / (GREEN_S - START_S) * 3600


def measure(run, cfg, seeds):
    line_m = stop_line(cfg.parent / "net.xml")
    flows = []
    for seed in range(1, seeds + 1):
        fcd = cfg.parent / "fcd.xml"
        run(cfg, "--seed", seed, "--fcd-output", fcd)
        flows.append(saturation_flow(crossings(fcd, line_m)))
    return flows


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--sumo-only", action="store_true")
    p.add_argument("--no-build", action="store_true", help="take the release binary as it is")
    p.add_argument("--tessds", metavar="PATH", help="the binary to measure")
    a = p.parse_args()
    programs = {"SUMO": common.run_sumo}
    if not a.sumo_only:
        binary = common.tessds(a.tessds, build=not a.no_build)
        programs["TessDS"] = lambda cfg, *options: common.run_tessds(binary, cfg, *options)
    rows, ok = [], True
    with tempfile.TemporaryDirectory(prefix="tessds-saturation-") as folder:
        cfg = build(pathlib.Path(folder))
        for name, run in programs.items():
            flows = measure(run, cfg, a.seeds)
            mean = statistics.fmean(flows)
            ok = ok and (name == "SUMO" or LOW <= mean <= HIGH)
            rows.append([name, f"{mean:.0f}", f"{min(flows):.0f}..{max(flows):.0f}"])
    print(common.table(["", "saturation flow, veh/h", "over the seeds"], rows))
    if not ok:
        raise SystemExit(f"TessDS lies outside {LOW}..{HIGH} vehicles per hour")


if __name__ == "__main__":
    main()
