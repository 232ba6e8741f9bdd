#!/usr/bin/env python3
"""Shows that the chaos harness can fail: it has to find bugs that were planted on purpose.

    tools/chaos_proof.py --tessds PATH [--runs K]

PATH is a program built with the feature `planted-bugs`. Without a bug all runs have to be right; with each bug at least one has to be
wrong. `make chaos-proof` builds the program and runs this.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

from harness import schedule

TOOLS = pathlib.Path(__file__).resolve().parent
FOLDER = TOOLS.parent / "out" / "chaos-proof"
FIRST_SEED = 1
# What is planted, and faults that should show it.
BUGS = {
    "keep-no-log": "the log of sent frames is cut before a commit",
    "commit-early": "a snapshot is committed while a partition is recovering",
    "forget-reports": "a worker does not keep its reports until a commit",
    "keep-tails": "an output file is not cut back when a run goes on",
}
FAULTS = ("kill", "freeze")
# Drawn faults hardly ever strike between the last part of a snapshot and its commit; these do, for the master's store is slow.
SLOW_COMMITS = {
    "format": 1, "scenario": "helsinki", "options": schedule.WORKLOADS["plain"], "store": "redis", "workers": 3, "partitions": 3,
    "settings": {**schedule.SETTINGS, "cluster.snapshot_interval": 50}, "limit_s": 60,
    "faults": [
        {"when": {"step": 200}, "fault": "delay", "target": ["master>store"], "for_s": 40, "delay_s": 0.15},
        *({"when": {"step": step}, "fault": "kill", "target": ["w1"], "for_s": 0.1} for step in range(400, 4400, 400)),
    ],
}  # fmt: skip


def run(binary, seed, bug, slow=False):
    """Whether a run is right, and what the harness says."""
    command = [TOOLS / "chaos.py", "--tessds", binary, "--seed", seed, "--runs", 1, "--folder", FOLDER]
    command += [word for fault in FAULTS for word in ("--only", fault)]
    if bug == "commit-early" or slow:
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "slow-commits.json").write_text(json.dumps(SLOW_COMMITS))
        command += ["--schedule", FOLDER / "slow-commits.json"]
    environment = {**os.environ, "TESSDS_PLANT": bug or ""}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment)
    return done.returncode == 0, done.stdout


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--tessds", required=True, metavar="PATH")
    p.add_argument("--runs", type=int, default=8, help="seeds to try for each bug")
    p.add_argument("--only", action="append", default=[], metavar="BUG", choices=sorted(BUGS))
    a = p.parse_args()
    missed = []
    for bug in a.only or BUGS:
        for seed in range(FIRST_SEED, FIRST_SEED + a.runs):
            is_right, text = run(a.tessds, seed, bug)
            if not is_right:
                why = next((line.strip() for line in text.splitlines() if line.startswith("  ")), "?")
                print(f"{bug} ({BUGS[bug]}): seen with seed {seed}: {why}", flush=True)
                break
        else:
            missed.append(bug)
            print(f"{bug} ({BUGS[bug]}): not seen in {a.runs} runs", flush=True)
            continue
        if not run(a.tessds, seed, None, bug == "commit-early")[0]:
            missed.append(bug)
            print(f"seed {seed} fails without the bug, too, so it proves nothing", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
