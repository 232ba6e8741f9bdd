"""What processes take while they run: memory, threads, open files and sockets, from /proc."""

import contextlib
import os
import pathlib
import re

# A share, and as much in absolute terms, by which the last third of a soak may exceed the middle one.
SHARE = 0.10
SLACK = {"rss_mib": 6.0, "threads": 2.0, "fds": 4.0, "sockets": 3.0, "store_mib": 2.0}


def census(pid):
    """{what: number} of a process; empty when it is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return {}
    sockets = 0
    for name in names:
        with contextlib.suppress(OSError):
            sockets += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    number = lambda key: int((re.search(rf"^{key}:\s+(\d+)", status, re.M) or [0, 0])[1])
    return {"rss_mib": number("VmRSS") / 1024, "threads": number("Threads"), "fds": len(names), "sockets": sockets}


def thirds(values):
    """Means of the first, second and last third of a series."""
    n = len(values)
    cuts = [values[: n // 3], values[n // 3 : 2 * n // 3], values[2 * n // 3 :]]
    return [sum(cut) / len(cut) if cut else 0.0 for cut in cuts]


def growth(what, values):
    """How a series grows beyond its bound; None if it does not. The first third is for warming up."""
    if len(values) < 6:
        return None
    _, middle, last = thirds(values)
    if last - middle <= max(SHARE * middle, SLACK[what]):
        return None
    return f"{middle:.1f} in the middle third, {last:.1f} in the last"
