"""A TCP relay whose connections can be cut, held, slowed down and lost: the network faults of the chaos harness.

It stands in for `tc netem`, which many kernels lack, and needs no rights. Everything stays on loopback.
"""

import asyncio
import contextlib
import socket
import struct
import time

from .ports import free_port

CHUNK = 64 * 1024
# Chunks that wait for their delay. A sender that is faster is held back, as by a full socket.
WINDOW = 256
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Relay:
    """Listens on a port of its own and passes everything on to `target`, a (host, port), as long as nothing is set."""

    def __init__(self, name, target=None):
        self.name, self.target = name, target
        self.port = 0
        # Seconds that every byte takes longer, each way; bytes per second each way, None: no limit.
        self.delay_s, self.bytes_per_s = 0.0, None
        self.carried = 0
        self.on_upload = lambda size: None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server, self._connections, self._starting = None, set(), asyncio.Lock()

    async def start(self):
        """Begins to listen, on the same port as before if there was one; where two faults overlap, the first to end begins."""
        async with self._starting:
            if self._server is None:
                self.port = self.port or free_port()
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    @property
    def is_open(self):
        """New connections are taken."""
        return self._server is not None

    @property
    def is_through(self):
        """Somebody is connected, and what is said gets there."""
        return bool(self._connections) and self._flowing.is_set()

    async def close(self):
        self.refuse()
        self.cut()
        self._flowing.set()

    # Faults.

    def refuse(self):
        """Takes no new connections until `start`; those that stand are left."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self, reset=True):
        """Breaks all connections: by reset, or as if both ends had hung up."""
        for connection in list(self._connections):
            connection.end(reset)

    def hold(self):
        """Nothing gets through any more, and neither end is told."""
        self._flowing.clear()

    def flow(self):
        """What was held goes on."""
        self._flowing.set()

    # Connections.

    async def _serve(self, reader, writer):
        try:
            if self.target is None:
                raise ConnectionError("nobody is there yet")
            up_reader, up_writer = await asyncio.open_connection(*self.target)
        except (OSError, asyncio.CancelledError):
            # Cancelled: the relay's loop ends while the connection comes about.
            reset(writer)
            return
        connection = Connection(self, writer, up_writer)
        self._connections.add(connection)
        try:
            await connection.run(reader, up_reader)
        finally:
            self._connections.discard(connection)

    async def pace(self, size):
        """Waits until so many bytes may go on."""
        await self._flowing.wait()
        if self.bytes_per_s:
            await asyncio.sleep(size / self.bytes_per_s)
            await self._flowing.wait()


class Connection:
    """One connection through a relay: two sockets, and a task for each end of each direction."""

    def __init__(self, relay, client, server):
        self.relay, self.client, self.server = relay, client, server
        self.tasks = []

    async def run(self, client_reader, server_reader):
        upload, download = asyncio.Queue(WINDOW), asyncio.Queue(WINDOW)
        jobs = [
            self._read(client_reader, upload, lambda size: self.relay.on_upload(size)),
            self._write(upload, self.server),
            self._read(server_reader, download, lambda size: None),
            self._write(download, self.client),
        ]
        self.tasks = [asyncio.ensure_future(job) for job in jobs]
        try:
            # The writing halves end when all that was read is written; the other two have ended before.
            await asyncio.gather(*self.tasks)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.end(reset_both=False)

    def end(self, reset_both):
        for task in self.tasks:
            task.cancel()
        for writer in (self.client, self.server):
            if reset_both:
                reset(writer)
            else:
                writer.close()

    async def _read(self, reader, queue, notice):
        while True:
            data = await reader.read(CHUNK)
            notice(len(data))
            await queue.put((time.monotonic() + self.relay.delay_s, data))
            if not data:
                return

    async def _write(self, queue, writer):
        while True:
            due, data = await queue.get()
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            await self.relay.pace(len(data))
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            writer.write(data)
            self.relay.carried += len(data)
            await writer.drain()


def reset(writer):
    """Closes a socket so that the other end sees a reset."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
