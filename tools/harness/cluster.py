"""A cluster of real processes: one master, workers, a store, and a relay on every connection that is to be disturbed."""

import asyncio
import json
import os
import pathlib
import time

from .processes import Process
from .ports import free_port
from .relay import Relay
from .stores import DirStore, RedisStore

RUN = "chaos"
OUTPUTS = {"tripinfo": "--tripinfo-output", "summary": "--summary-output", "edgedata": "--edgedata-output", "fcd": "--fcd-output"}
# A worker that a run has left behind may wait so long for its partitions to be taken off it.
LEAVE_S = 30.0
# How long after the master all workers have to be gone.
END_S = 10.0
POLL_S = 0.003


def relays_of(schedule):
    """Names of the relays that a schedule needs. The others would only slow the cluster down."""
    needed = {name for fault in schedule["faults"] for name in fault.get("target", []) if ">" in name}
    needed |= {f"{fault['when']['write']}>store" for fault in schedule["faults"] if "write" in fault.get("when", {})}
    if any(fault["fault"] == "usurp" for fault in schedule["faults"]):
        # The second master listens somewhere else.
        needed |= {f"w{n}>master" for n in range(1, 2 * schedule["workers"] + len(schedule["faults"]))}
    return needed


class RunOver(Exception):
    """The run ended before a fault was due."""


def output_options(folder):
    files = {name: pathlib.Path(folder) / f"{name}.xml" for name in OUTPUTS}
    return [x for name, option in OUTPUTS.items() for x in (option, files[name])]


class Cluster:
    """What runs, by name: `master`, `w1` …; relays are named `FROM>TO`."""

    def __init__(self, binary, cfg, schedule, folder, outputs=None):
        self.binary, self.cfg, self.schedule, self.folder = binary, cfg, schedule, pathlib.Path(folder)
        self.outputs = outputs or output_options(folder)
        self.begun = time.monotonic()
        self.processes, self.everyone, self.relays = {}, [], {}
        self.wanted_relays = relays_of(schedule)
        self.events, self.news = [], asyncio.Event()
        self.over = asyncio.Event()
        self.step, self.problems, self.notes = 0, [], []
        self.panics = {}
        # Workers that could not hear that the run was over: nobody tells them later.
        self.unreached = set()
        self.joined, self.left_behind = 0, 0
        self.master_port = free_port()
        self.store = RedisStore(self.folder) if schedule["store"] == "redis" else DirStore(self.folder)
        self.environment = {
            "TESSDS__" + key.upper().replace(".", "__"): str(value) for key, value in schedule["settings"].items()
        }
        self.environment.setdefault("TESSDS__LOG__FORMAT", "json")
        self.environment.setdefault("TESSDS__LOG__FILTER", os.environ.get("TESSDS__LOG__FILTER", "info"))

    # Starting.

    async def start(self):
        await self.store.start()
        await self.start_master()
        for n in range(1, self.schedule["workers"] + 1):
            await self.start_worker(f"w{n}")

    async def start_master(self, port=None):
        self.master_port = port or self.master_port
        schedule, url = self.schedule, await self.store_url("master")
        enough = schedule["workers"] - bool(schedule.get("standby"))
        command = [
            self.binary, "run", "--no-step-log", "--role", "master", "--name", "master", "-c", self.cfg, *schedule["options"],
            "--workers", enough, "--partitions", schedule["partitions"], "--listen", f"127.0.0.1:{self.master_port}",
            "--store", url, "--run-id", RUN, "--report-json", self.folder / "report.json", *self.outputs,
        ]  # fmt: skip
        self.processes["master"] = await self._launch("master", command, {})
        for name, relay in self.relays.items():
            if name.endswith(">master"):
                relay.target = ("127.0.0.1", self.master_port)

    async def start_worker(self, name):
        url = await self.store_url(name)
        master = await self.port(f"{name}>master", self.master_port)
        peers = await self.port(f">{name}", None)
        command = [
            self.binary, "run", "--role", "worker", "--name", name, "--master", f"127.0.0.1:{master}", "--listen",
            "127.0.0.1:0", "--store", url, *(["--advertise", f"127.0.0.1:{peers}"] if peers else []),
        ]  # fmt: skip
        # A panic strikes the first process of a name alone; the one that replaces it is well.
        fault = self.panics.pop(name, None)
        self.processes[name] = await self._launch(name, command, {"TESSDS_FAULT": fault} if fault else {})

    async def store_url(self, name):
        if self.store.kind == "dir":
            return self.store.url
        return f"redis://127.0.0.1:{await self.port(f'{name}>store', self.store.port)}"

    async def port(self, name, target):
        """The port to connect to: that of the relay of this name, if it is needed, or else the target's own."""
        if name not in self.wanted_relays:
            return target
        if name not in self.relays:
            self.relays[name] = await Relay(name, target and ("127.0.0.1", target)).start()
        return self.relays[name].port

    async def _launch(self, name, command, environment):
        process = Process(name, self._event)
        self.everyone.append(process)
        await process.start(command, self.folder, {**self.environment, **environment})
        asyncio.ensure_future(self._watch(process))
        return process

    async def _watch(self, process):
        code = await process.ended()
        is_master = process.name == "master"
        if is_master:
            links = {p: self.relays.get(f"{p.name}>master") for p in self.everyone if p.is_alive}
            self.unreached = {p.name for p, relay in links.items() if not p.has_joined or (relay and not relay.is_through)}
        if code not in (0, *process.expected):
            self.problems.append(f"{process.name} ended with code {code}")
        # A worker may hear before anybody else that the run is over; the master says when it is.
        if (is_master and code == 0 and not process.is_told_to_end) or self.problems:
            self.over.set()
        self.news.set()

    # Events.

    def _event(self, process, event):
        message = event.get("message", "")
        self.events.append((process.name, event))
        if message == "snapshot committed":
            self.step = max(self.step, event.get("step", 0))
        elif message == "worker joined" and event.get("worker") in self.processes:
            self.processes[event["worker"]].has_joined = True
        elif message == "worker connects to its master" and f">{process.name}" in self.relays:
            host, _, port = event["address"].rpartition(":")
            self.relays[f">{process.name}"].target = (host, int(port))
        elif "panicked at" in message and "planned_panic.rs" not in message:
            self.problems.append(f"{process.name}: {message}")
        elif message == "partition ended" and "TESSDS_FAULT" not in event.get("status", ""):
            # No fault from outside may end one. It would be recovered from, so the result alone does not show it.
            self.problems.append(f"partition {event.get('partition')} ended by itself: {event.get('status')}")
            self.over.set()
        self.news.set()

    async def until(self, condition):
        """Waits until `condition()` holds. Raises RunOver if the run ends before."""
        while not condition():
            if self.over.is_set():
                raise RunOver
            self.news.clear()
            await self.first(self.news.wait(), self.over.wait())

    async def first(self, *waits, timeout_s=None):
        tasks = [asyncio.ensure_future(w) for w in waits]
        try:
            await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def pause(self, seconds):
        """Waits, but not beyond the end of the run: then it is time to heal."""
        await self.first(self.over.wait(), timeout_s=seconds)

    async def writes(self, name):
        """Waits until a process has begun to write a snapshot."""
        if self.store.kind == "dir":
            before = self.store.parts()
            while not self.store.parts() - before:
                if self.over.is_set():
                    raise RunOver
                await asyncio.sleep(POLL_S)
            return
        begun, relay = asyncio.Event(), self.relays[f"{name}>store"]
        relay.on_upload = lambda size: begun.set() if size > 2048 else None
        try:
            await self.first(begun.wait(), self.over.wait())
        finally:
            relay.on_upload = lambda size: None
        if self.over.is_set():
            raise RunOver

    # The end.

    async def finish(self):
        """After the run: everything has to end by itself, with code 0."""
        deadline = time.monotonic() + END_S
        for process in [p for p in self.everyone if p.is_alive]:
            await process.ended(max(0.0, deadline - time.monotonic()))
        left = [p for p in self.everyone if p.is_alive]
        for process in left:
            process.terminate()
        for process in left:
            code = await process.ended(LEAVE_S)
            if code is None:
                self.problems.append(f"{process.name} hangs: it ends neither with its run nor when it is told to")
            elif process.name in self.unreached and code == 0:
                self.left_behind += 1
            else:
                self.problems.append(f"{process.name} did not end with its run, only when it was told to (code {code})")

    async def close(self):
        for process in self.everyone:
            if process.process is not None and process.is_alive:
                await process.kill()
        for relay in self.relays.values():
            await relay.close()
        await self.store.close()

    def report(self):
        try:
            return json.loads((self.folder / "report.json").read_text())
        except (OSError, ValueError):
            return {}
