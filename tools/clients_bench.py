#!/usr/bin/env python3
"""Measures what it costs a run to be watched by many.

    tools/clients_bench.py [--clients N] [--rate HZ] [--topic NAME] [--repeat N] [--steps N] [--no-build] [--tessds PATH]

A run of grid50k (one partition) takes turns: alone with its gateway, and with N WebSocket clients that each subscribe to a
stream (`vehicles` within a kilometre's square unless --topic says another) at HZ updates a second, one of which subscribes to all
vehicles and never reads. Meanwhile a command is given every two seconds. Told are the vehicle updates a second of both, the updates a
second that each client got (median and least), how long it took from sending a command until its step was recorded, whether the
deaf client was dropped, and the memory of the process. The clients are a process of their own; nothing else should run on the
machine.
"""

import argparse
import base64
import json
import multiprocessing
import os
import pathlib
import re
import selectors
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request

import common
import make_scenarios

AREA = {"x0": 0, "y0": 0, "x1": 1000, "y1": 1000}
COMMANDS_EVERY_S = 2.0
POLL_S = 0.01


def frame(text):
    """A WebSocket message of a client (RFC 6455, section 5.2): masked, here with zeros."""
    data = text.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(data))
    return b"\x81" + length + bytes(4) + data


def connect(port, topic, rate, area):
    s = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    s.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        byte = s.recv(1)
        if not byte:
            common.fail(f"the gateway hung up: {head[:200]}")
        head += byte
    if b" 101 " not in head.split(b"\r\n")[0]:
        common.fail(f"no WebSocket: {head[:200]}")
    wanted = {"topic": topic, "rate": rate, **(area or {})}
    s.sendall(frame(json.dumps({"type1": "up", "type2": "subscribe", "param": [wanted]})))
    return s


def listen(port, clients, topic, rate, ready, done, counts):
    """Reads what all clients but the first get, and counts messages by their frames' heads."""
    deaf = connect(port, "vehicles", rate, None)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    selector = selectors.DefaultSelector()
    for _ in range(clients - 1):
        s = connect(port, topic, rate, AREA if topic == "vehicles" else None)
        s.setblocking(False)
        # What is left of a message, of a frame's head, and the messages so far.
        selector.register(s, selectors.EVENT_READ, [b"", 0, 0])
    ready.set()
    begun, received = time.monotonic(), 0
    everybody = [key.data for key in selector.get_map().values()]
    while not done.is_set():
        for key, _ in selector.select(timeout=0.2):
            try:
                data = key.fileobj.recv(1 << 20)
            except OSError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
                continue
            received += len(data)
            rest, skip, _ = key.data
            if skip >= len(data):
                key.data[1] -= len(data)
                continue
            rest, at = rest + data[skip:], 0
            while len(rest) - at >= 10:
                size = rest[at + 1] & 127
                start = 2
                if size == 126:
                    size, start = struct.unpack_from(">H", rest, at + 2)[0], 4
                elif size == 127:
                    size, start = struct.unpack_from(">Q", rest, at + 2)[0], 10
                key.data[2] += 1
                at += start + size
            key.data[:2] = [rest[at:], 0] if at <= len(rest) else [b"", at - len(rest)]
    time_s = time.monotonic() - begun
    # The first message of each is the answer to its subscription.
    counts.put(([(of[2] - 1) / time_s for of in everybody], received / time_s / 2**20))


class Commander:
    """Gives a command that changes nothing every so often, and measures until its step is recorded."""

    def __init__(self, port):
        self.url, self.over, self.took_s = f"http://127.0.0.1:{port}", threading.Event(), []
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def command(self, message):
        request = urllib.request.Request(f"{self.url}/command", json.dumps(message).encode())
        return json.load(urllib.request.urlopen(request, timeout=60))["data"]

    def step(self):
        return json.load(urllib.request.urlopen(f"{self.url}/status", timeout=60))["data"]["step"]

    def work(self):
        try:
            while self.step() == 0:
                time.sleep(POLL_S)
            edge = self.command({"type1": "load", "type2": "net", "param": [{"page": 0, "size": 1}]})["edges"][0]["id"]
            speed = {"type1": "up", "type2": "edge", "param": [{"action": "speed", "edge": edge}]}
            while not self.over.wait(COMMANDS_EVERY_S):
                sent = time.monotonic()
                at_step = self.command(speed)["step"]
                while self.step() <= at_step:
                    time.sleep(POLL_S)
                self.took_s.append(time.monotonic() - sent)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # the run is over

    def end(self):
        self.over.set()
        self.thread.join()
        return self.took_s


def measure(binary, cfg, steps, clients, topic, rate):
    """What a row of the table shows, by its columns."""
    with tempfile.TemporaryDirectory(prefix="tessds-bench-") as folder:
        folder = pathlib.Path(folder)
        log = (folder / "log").open("w")
        command = [
            binary, "run", "-c", cfg, "--partitions", 1, "-e", steps, "--no-step-log", "--http", "127.0.0.1:0",
            "--log-format", "json", "--report-json", folder / "report.json"
        ]  # fmt: skip
        process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=log)
        port = None
        until = time.time() + 120
        while port is None and time.time() < until:
            found = re.search(r'"address":"127\.0\.0\.1:(\d+)"', (folder / "log").read_text())
            port = found and int(found[1])
            time.sleep(0.05)
        if port is None:
            common.fail(f"no gateway: {(folder / 'log').read_text()[-2000:]}")
        ready, done, counts = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
        listener = None
        if clients:
            listener = multiprocessing.Process(target=listen, args=(port, clients, topic, rate, ready, done, counts))
            listener.start()
            if not ready.wait(60):
                common.fail("the clients are not connected after a minute")
        commander, peak = Commander(port), 0
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peak = max(peak, *(int(n) for n in re.findall(r"VmHWM:\s+(\d+)", status)), 0)
            except (OSError, TypeError):
                pass
            time.sleep(0.2)
        done.set()
        took_s = commander.end()
        rates, mib_per_s = counts.get() if clients else ([0], 0)
        if listener:
            listener.join()
        report = json.loads((folder / "report.json").read_text())
        dropped = "reads too slowly" in (folder / "log").read_text()
        return {
            "UPS": f"{report['ups']:,.0f}",
            "memory, MiB": f"{peak / 1024:.0f}",
            "updates a second of a client, median": f"{statistics.median(rates):.1f}",
            "least": f"{min(rates):.1f}",
            "MiB a second": f"{mib_per_s:.1f}",
            "command to record, s, median": f"{statistics.median(took_s):.2f}" if took_s else "",
            "most": f"{max(took_s):.2f}" if took_s else "",
            "deaf client dropped": dropped,
        }, report["ups"]


def main():
    p = argparse.ArgumentParser(description="Measures what it costs a run to be watched by many.")
    p.add_argument("--clients", type=int, default=200)
    p.add_argument("--rate", type=int, default=10)
    p.add_argument("--topic", default="vehicles")
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--steps", type=int, default=300)
    p.add_argument("--no-build", action="store_true", help="take the release binary as it is")
    p.add_argument("--tessds", metavar="PATH", help="the binary to measure")
    args = p.parse_args()
    binary = common.tessds(args.tessds, build=not args.no_build)
    cfg = common.config_in(make_scenarios.make("grid50k"))
    alone, watched = [], []
    for _ in range(args.repeat):
        alone.append(measure(binary, cfg, args.steps, 0, args.topic, args.rate))
        watched.append(measure(binary, cfg, args.steps, args.clients, args.topic, args.rate))
    columns = list(alone[0][0])
    print(f"| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for name, runs in (("nobody", alone), (f"{args.clients} clients", watched)):
        for row, _ in runs:
            print(f"| {name} | {' | '.join(str(row[column]) for column in columns)} |")
    for word, of in (("median", statistics.median), ("best", max)):
        ups = [of(ups for _, ups in runs) for runs in (alone, watched)]
        print(f"\n{word} of each: watched {ups[1] / ups[0]:.3f} of unwatched")


if __name__ == "__main__":
    main()
