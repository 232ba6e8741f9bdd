#!/usr/bin/env python3
"""Measures what it costs a run to be watched by many.

    tools/clients_bench.py [--clients N] [--rate HZ] [--topic NAME] [--repeat N] [--steps N] [--no-build] [--tessds PATH]

A run of grid50k (one partition) takes turns: alone with its gateway, and with N WebSocket clients that each subscribe to a
stream (`vehicles` within a kilometre's square unless --topic says another) at HZ updates a second, one of which subscribes to all
vehicles and never reads. Told are the vehicle updates a second of both, the updates that clients got, whether the deaf one was
dropped, and the memory of the process. The clients are a process of their own; nothing else should run on the machine.
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
import struct
import subprocess
import tempfile
import time

import common
import make_scenarios

AREA = {"x0": 0, "y0": 0, "x1": 1000, "y1": 1000}


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
        selector.register(s, selectors.EVENT_READ, [b"", 0])
    ready.set()
    messages = received = 0
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
            # What is left of a message, of a frame's head.
            rest, skip = key.data
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
                messages += 1
                at += start + size
            key.data[:] = [rest[at:], 0] if at <= len(rest) else [b"", at - len(rest)]
    counts.put((messages, received))


def measure(binary, cfg, steps, clients, topic, rate):
    """UPS, greatest memory in MiB, messages and bytes a second, and whether the deaf client was dropped."""
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
        peak = 0
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peak = max(peak, *(int(n) for n in re.findall(r"VmHWM:\s+(\d+)", status)), 0)
            except (OSError, TypeError):
                pass
            time.sleep(0.2)
        done.set()
        got = counts.get() if clients else (0, 0)
        if listener:
            listener.join()
        report = json.loads((folder / "report.json").read_text())
        dropped = "does not read" in (folder / "log").read_text()
        return report["ups"], peak / 1024, got[0] / report["wall_s"], got[1] / report["wall_s"] / 2**20, dropped


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
    best = [max(runs) for runs in (alone, watched)]
    print("| | UPS | memory, MiB | updates a second | MiB a second | deaf client dropped |\n|---|---|---|---|---|---|")
    for name, runs, (ups, *_rest) in zip(("nobody", f"{args.clients} clients"), (alone, watched), best):
        for run in runs:
            print(f"| {name} | {run[0]:,.0f} | {run[1]:.0f} | {run[2]:,.0f} | {run[3]:.1f} | {run[4]} |")
    print(f"\nbest of each: watched {best[1][0] / best[0][0]:.3f} of unwatched")


if __name__ == "__main__":
    main()
