"""What the tools share: where things are, which scenarios exist, and how SUMO and TessDS are started."""

import gzip
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("TESSDS_CACHE") or ROOT / ".cache").resolve()
DOCS = ROOT / "docs"

# Options of a .sumocfg that name input files.
INPUT_OPTIONS = ("net-file", "route-files", "additional-files", "weight-files")


def say(text):
    print(text, file=sys.stderr, flush=True)


def fail(text):
    raise SystemExit(f"error: {text}")


class Scenario:
    """A folder with a .sumocfg in it."""

    def __init__(self, name, cfg):
        self.name, self.cfg = name, pathlib.Path(cfg).resolve()
        self.folder = self.cfg.parent
        self.options = {}
        for e in ET.parse(self.cfg).getroot().iter():
            if e.get("value") is not None:
                self.options[e.tag] = e.get("value")

    def inputs(self):
        """The files that the configuration names."""
        names = (n.strip() for o in INPUT_OPTIONS for n in self.options.get(o, "").split(","))
        return [self.folder / n for n in names if n]

    def digest(self):
        """A hash of the configuration and of every file that it names."""
        h = hashlib.sha256()
        for path in [self.cfg, *self.inputs()]:
            h.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return h.hexdigest()[:16]

    def time(self, option):
        """`begin` or `end` in seconds, or None where the configuration leaves it open."""
        value = self.options.get(option)
        return None if value is None or float(value) < 0 else float(value)

    def copy_to(self, folder):
        """Copies the inputs, so that output files named by them do not land in the scenario. Returns the new cfg."""
        for path in [self.cfg, *self.inputs()]:
            target = pathlib.Path(folder) / path.relative_to(self.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        return pathlib.Path(folder) / self.cfg.name


def open_input(path):
    """An input file for reading, unpacked if its name ends in .gz."""
    return gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb")


def config_in(folder):
    """The scenario's configuration: run.sumocfg, or else the only .sumocfg in the folder. None if there is none."""
    found = sorted(pathlib.Path(folder).glob("*.sumocfg"))
    named = [p for p in found if p.name == "run.sumocfg"]
    return (named or found or [None])[0]


def extra_folders(arguments=""):
    """Scenario folders given by hand: either scenario folders themselves or folders of scenario folders."""
    found = []
    given = f"{arguments} {os.environ.get('TESSDS_EXTRA_SCENARIOS', '')}".replace(os.pathsep, " ").split()
    for item in map(pathlib.Path, given):
        if not item.is_dir():
            fail(f"no such scenario folder: {item}")
        folders = [item] if config_in(item) else sorted(p for p in item.iterdir() if p.is_dir() and config_in(p))
        if not folders:
            fail(f"no .sumocfg in {item} nor in the folders below it")
        found += folders
    return found


def scenarios(arguments=""):
    """The RESCO scenarios, the bundled examples, and what the user adds, by name."""
    folders = sorted((CACHE / "scenarios" / "RESCO").glob("*/")) + sorted((ROOT / "examples").glob("*/"))
    folders += extra_folders(arguments)
    return {f.name: Scenario(f.name, config_in(f)) for f in folders if config_in(f)}


def setup(*parts):
    subprocess.run([ROOT / "tools" / "setup.sh", *parts], check=True)


def run_in_venv(part):
    """Starts this program again with the Python of what `setup.sh PART` installs, unless it runs there."""
    if pathlib.Path(sys.prefix).resolve() == CACHE / f"{part}-venv":
        return
    setup(part)
    # Python finds its packages by the name that it is called with.
    python = str(CACHE / f"{part}-venv" / "bin" / "python3")
    os.execv(python, [python, *sys.argv])


def sumo_tool(name="sumo"):
    path = CACHE / "venv" / "bin" / name
    if not path.exists():
        setup("sumo")
    return str(path)


def sumo_python_tools():
    """The folder of the Python scripts that come with SUMO."""
    sumo_tool()
    (path,) = (CACHE / "venv" / "lib").glob("python3*/site-packages/sumo/tools")
    return path


_version = []


def sumo_version():
    if not _version:
        text = subprocess.run([sumo_tool(), "--version"], capture_output=True, text=True, check=True).stdout
        _version.append(re.search(r"(\d+\.\d+\.\d+)", text).group(1))
    return _version[0]


def tessds(path=None, build=True):
    """The binary to measure. Without a path it is built first, unless `build` is off."""
    if path:
        found = pathlib.Path(path).resolve()
    else:
        if build:
            subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
        found = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve() / "release" / "tessds"
    if not found.exists():
        fail(f"no TessDS binary at {found}; build it, or name one with --tessds")
    return str(found)


class Finished:
    """How a process ended: its output, its wall time, its CPU time (all, and in user mode) and its largest resident set."""

    def __init__(self, stdout, stderr, wall_s, cpu_s, user_s, rss_mib):
        self.stdout, self.stderr = stdout, stderr
        self.wall_s, self.cpu_s, self.user_s, self.rss_mib = wall_s, cpu_s, user_s, rss_mib


def measure(command, cwd=None, check=True):
    """Runs a command to its end. The resident set is what wait4 tells, of the program and its children; where that is no more
    than the interpreter here needs, which counts too, it is the program's own high-water mark, read while it runs."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen([str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        watch = threading.Thread(target=watch_memory, args=(process.pid, peak := [0.0]), daemon=True)
        watch.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if check and process.returncode != 0:
        tail = "\n".join((texts[1] or texts[0]).splitlines()[-15:])
        fail(f"exit code {process.returncode} from {' '.join(map(str, command))}\n{tail}")
    watch.join()
    own_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rss_mib = usage.ru_maxrss / 1024 if usage.ru_maxrss > 1.1 * own_kib else peak[0]
    return Finished(*texts, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_utime, rss_mib)


def watch_memory(pid, peak):
    """Keeps the greatest resident set of a process in peak[0], MiB, until it is gone."""
    while True:
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        if not found:
            return
        peak[0] = max(peak[0], int(found[1]) / 1024)
        time.sleep(0.005)


def run_sumo(cfg, *options, cwd=None):
    """One run of SUMO. The figures of its statistics log are added to the result."""
    command = [sumo_tool(), "-c", cfg, "--no-step-log", "--no-warnings", "--duration-log.statistics", *options]
    result = measure(command, cwd=cwd)
    number = lambda pattern: float((re.findall(pattern, result.stdout) or ["0"])[-1])
    result.ups = number(r"UPS: ([\d.]+)")
    result.rtf = number(r"Real time factor: ([\d.]+)")
    result.stepping_s = number(r"Duration: ([\d.]+) ?s")
    result.teleports = int(number(r"Teleports: (\d+)"))
    result.inserted = int(number(r"Inserted: (\d+)"))
    result.loaded = int((re.findall(r"Loaded: (\d+)", result.stdout) or [result.inserted])[-1])
    result.running = int(number(r"Running: (\d+)"))
    result.waiting = int(number(r"Waiting: (\d+)"))
    return result


def run_tessds(binary, cfg, *options, cwd=None):
    """One run of TessDS, with its report as `report`."""
    with tempfile.TemporaryDirectory() as work:
        report = pathlib.Path(work) / "report.json"
        result = measure([binary, "run", "-c", cfg, "--no-step-log", "--report-json", report, *options], cwd=cwd)
        result.report = json.loads(report.read_text())
    return result


def replace_file(path, text):
    """Writes a file as a whole or not at all."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text)
    os.replace(part, path)


def table(header, rows):
    """A markdown table whose columns line up."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    width = [max(len(row[i]) for row in cells) for i in range(len(header))]
    line = lambda row: "| " + " | ".join(c.ljust(w) for c, w in zip(row, width)) + " |"
    return "\n".join([line(cells[0]), "|" + "|".join("-" * (w + 2) for w in width) + "|", *map(line, cells[1:])])
