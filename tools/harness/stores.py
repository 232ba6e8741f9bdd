"""The stores under test: a Redis server of the harness's own, and a directory, on a small disk where that can be had."""

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from .ports import free_port

DISK_MIB = 48
PATIENCE_S = 20.0


class RedisStore:
    """A redis-server with an append-only file, which survives kill -9 of the server (not a loss of power)."""

    kind = "redis"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "redis"
        self.folder.mkdir(parents=True)
        self.port, self.process = free_port(), None
        # Faults of the store take turns.
        self.turn = asyncio.Lock()

    async def start(self):
        command = [
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--appendonly", "yes",
            "--appendfsync", "everysec", "--save", "3600 1", "--stop-writes-on-bgsave-error", "yes",
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip
        log = open(self.folder / "server.log", "ab")
        with log:
            self.process = await asyncio.create_subprocess_exec(*map(str, command), stdout=log, stderr=log)
        for _ in range(int(PATIENCE_S / 0.02)):
            with contextlib.suppress(OSError, RedisError):
                await self.ask("PING")
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"redis-server does not answer on port {self.port}; see {log.name}")

    async def ask(self, *words):
        """One command over a connection of its own. Gives the reply as text."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            words = [str(w).encode() for w in words]
            writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            line = (await reader.readline()).decode().rstrip("\r\n")
            if line.startswith("-") or not line:
                raise RedisError(line or "closed by the server")
            if line.startswith("$") and line != "$-1":
                return (await reader.readexactly(int(line[1:]) + 2))[:-2].decode(errors="replace")
            return line[1:]
        finally:
            writer.close()

    async def kill(self):
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def out_of_memory(self):
        await self.ask("CONFIG", "SET", "maxmemory", "1mb")

    async def enough_memory(self):
        await self.ask("CONFIG", "SET", "maxmemory", "0")

    async def refuse_writes(self):
        """Makes a background save fail (its file cannot be replaced), after which every write is answered with MISCONF."""
        (self.folder / "dump.rdb").unlink(missing_ok=True)
        (self.folder / "dump.rdb" / "x").mkdir(parents=True)
        await self._save("err")

    async def take_writes(self):
        shutil.rmtree(self.folder / "dump.rdb", ignore_errors=True)
        await self._save("ok")

    async def _save(self, status):
        for _ in range(int(PATIENCE_S / 0.05)):
            with contextlib.suppress(RedisError):
                await self.ask("BGSAVE")
            await asyncio.sleep(0.05)
            info = await self.ask("INFO", "persistence")
            if f"rdb_last_bgsave_status:{status}" in info and "rdb_bgsave_in_progress:0" in info:
                return
        raise RuntimeError(f"redis-server does not come to a background save with status {status}")

    async def pause(self, seconds):
        await self.ask("CLIENT", "PAUSE", int(1000 * seconds), "ALL")

    async def size(self):
        """Bytes of memory that the server's data take."""
        info = await self.ask("INFO", "memory")
        return int(next(line.split(":")[1] for line in info.splitlines() if line.startswith("used_memory:")))

    async def close(self):
        if self.process and self.process.returncode is None:
            await self.kill()


class RedisError(Exception):
    """The server's answer was an error."""


class DirStore:
    """A directory. As root it is a small disk of its own (tmpfs), which can be filled."""

    kind = "dir"

    def __init__(self, folder, on_small_disk=True):
        self.folder = pathlib.Path(folder) / "store"
        self.folder.mkdir(parents=True)
        self.url = f"dir:{self.folder}/kept"
        self.turn = asyncio.Lock()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tessds-chaos", str(self.folder)]
        may = on_small_disk and os.geteuid() == 0
        self.is_small_disk = may and subprocess.run(mount, capture_output=True).returncode == 0

    async def start(self):
        pass

    def fill(self):
        with contextlib.suppress(OSError), open(self.folder / "filler", "wb") as f:
            while True:
                f.write(bytes(1 << 16))
                f.flush()

    def empty(self):
        (self.folder / "filler").unlink(missing_ok=True)

    def parts(self):
        """Names of the parts of snapshots that are there."""
        return {p.name for p in self.folder.glob("kept/runs/*/parts/*")}

    async def size(self):
        """Bytes of all files."""
        total = 0
        for path in self.folder.glob("kept/**/*"):
            with contextlib.suppress(OSError):
                total += path.stat().st_size if path.is_file() else 0
        return total

    async def close(self):
        if not self.is_small_disk:
            return
        # What it held is worth something when the run failed.
        kept = self.folder.with_name("store-kept")
        with contextlib.suppress(OSError, shutil.Error):
            shutil.copytree(self.folder / "kept", kept, dirs_exist_ok=True)
        subprocess.run(["umount", "-l", str(self.folder)], check=False)
        self.is_small_disk = False
