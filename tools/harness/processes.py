"""One process under test: its command, its log as events, its signals, and how it ended."""

import asyncio
import json
import os
import pathlib
import signal

LINE_LIMIT = 1 << 20


class Process:
    """A started program. Every line of its log is kept in a file and handed to `on_event` as a dictionary."""

    def __init__(self, name, on_event):
        self.name, self.on_event = name, on_event
        self.process, self._reading = None, None
        # Exit codes that are in order, beside 0; a signal is its negative number.
        self.expected = set()
        self.is_frozen, self.is_told_to_end = False, False
        # A worker that its master knows.
        self.has_joined = False

    async def start(self, command, folder, environment):
        log = open(pathlib.Path(folder) / f"{self.name}.log", "ab")
        out = open(pathlib.Path(folder) / f"{self.name}.out", "ab")
        self.process = await asyncio.create_subprocess_exec(
            *map(str, command), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environment}, limit=LINE_LIMIT,
        )  # fmt: skip
        out.close()
        self._reading = asyncio.ensure_future(self._read(log))
        return self

    async def _read(self, log):
        with log:
            log.write(f'{{"message":"started","pid":{self.process.pid}}}\n'.encode())
            async for line in self.process.stderr:
                log.write(line)
                log.flush()
                try:
                    event = json.loads(line)
                except ValueError:
                    event = {"message": line.decode(errors="replace").strip()}
                self.on_event(self, event if isinstance(event, dict) else {"message": str(event)})

    @property
    def pid(self):
        return self.process.pid

    @property
    def code(self):
        """None while it runs; otherwise its exit code, a signal as a negative number."""
        return self.process.returncode

    @property
    def is_alive(self):
        return self.code is None

    async def ended(self, timeout_s=None):
        """Waits for the end. Gives the exit code, or None if the time is up."""
        try:
            await asyncio.wait_for(asyncio.shield(self.process.wait()), timeout_s)
        except asyncio.TimeoutError:
            return None
        await self._reading
        return self.code

    def send(self, number):
        if self.is_alive:
            self.process.send_signal(number)

    async def kill(self):
        self.expected.add(-signal.SIGKILL)
        self.send(signal.SIGKILL)
        await self.ended()

    def freeze(self):
        self.is_frozen = True
        self.send(signal.SIGSTOP)

    def thaw(self):
        self.is_frozen = False
        self.send(signal.SIGCONT)

    def terminate(self, *expected):
        self.is_told_to_end = True
        self.expected.update(expected)
        self.send(signal.SIGTERM)
