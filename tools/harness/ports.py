"""Ports on loopback for what the harness starts."""

import collections
import random
import socket

DRAWS = random.SystemRandom()
# Sockets by the names of the ports that were given away last: who draws one of these, here or in another process, finds it taken.
_CLAIMS = collections.deque()
# More than a run takes, and less than a process may have open.
_KEPT = 256


def free_port():
    """A port that nobody listens on, below those that the system gives to outgoing connections, and that nobody else who asks here
    is given during this run: it is still free when whoever had it comes back to it."""
    for _ in range(1000):
        port = DRAWS.randrange(20000, 32000)
        claim = socket.socket(socket.AF_UNIX)
        try:
            # A name without a file (Linux): it is gone with the process.
            claim.bind(f"\0tessds-port-{port}")
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _CLAIMS.append(claim)
        if len(_CLAIMS) > _KEPT:
            _CLAIMS.popleft().close()
        return port
    raise OSError("no free port from 20000 to 31999")
