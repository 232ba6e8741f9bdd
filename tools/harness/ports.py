"""Ports on loopback for what the harness starts."""

import random
import socket

DRAWS = random.SystemRandom()


def free_port():
    """A port that nobody listens on, below those that the system gives to outgoing connections: it is still free when whoever had
    it comes back to it."""
    for _ in range(1000):
        port = DRAWS.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port from 20000 to 31999")
