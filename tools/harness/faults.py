"""What each fault of a schedule does to a cluster. Every one ends by putting right what it broke."""

import asyncio
import random
import signal

from .cluster import RunOver
from .ports import free_port

# Exit code of a master that lost its run to another one.
FENCED = 1


async def due(cluster, when, fired):
    """Waits for the moment that a schedule names; its conditions are waited for one after another."""
    if "after" in when:
        await cluster.until(lambda: when["after"] in fired)
    if "time_s" in when:
        await cluster.pause(cluster.begun + when["time_s"] - asyncio.get_running_loop().time())
    if "step" in when:
        await cluster.until(lambda: cluster.step >= when["step"])
    if "log" in when:
        start, who = len(cluster.events), when.get("process")
        fits = lambda name, event: who in (None, name) and when["log"] in event.get("message", "")
        await cluster.until(lambda: any(fits(*entry) for entry in cluster.events[start:]))
    if "write" in when:
        await cluster.writes(when["write"])
    await cluster.pause(when.get("delay_s", 0))
    if cluster.over.is_set():
        raise RunOver


async def act(cluster, number, fault, fired):
    """Waits for its moment, injects a fault, and heals it. Notes in `fired` that it struck."""
    try:
        await due(cluster, fault["when"], fired)
    except RunOver:
        return
    strike = ACTIONS[fault["fault"]]
    fired[number] = round(asyncio.get_running_loop().time() - cluster.begun, 2)
    cluster.news.set()
    await strike(cluster, fault)


def named(cluster, fault):
    """The processes that are meant, as far as they run."""
    found = [cluster.processes.get(name) for name in fault["target"]]
    return [p for p in found if p is not None and p.is_alive]


async def restart(cluster, name):
    """Starts a process again as Kubernetes would, unless the run is over or somebody else has done so."""
    present = cluster.processes.get(name)
    if cluster.over.is_set() or (present is not None and present.is_alive):
        return
    await (cluster.start_master() if name == "master" else cluster.start_worker(name))


async def kill(cluster, fault):
    victims = named(cluster, fault)
    await asyncio.gather(*(victim.kill() for victim in victims))
    await cluster.pause(fault["for_s"])
    for victim in victims:
        await restart(cluster, victim.name)


async def freeze(cluster, fault):
    victims = named(cluster, fault)
    for victim in victims:
        victim.freeze()
    await cluster.pause(fault["for_s"])
    for victim in victims:
        victim.thaw()


async def leave(cluster, fault):
    """SIGTERM: a worker hands over and ends with code 0; a new one comes in its place."""
    victims = named(cluster, fault)
    for victim in victims:
        victim.terminate()
    for victim in victims:
        await cluster.first(victim.process.wait(), cluster.over.wait())
    await cluster.pause(fault["for_s"])
    for victim in victims:
        await restart(cluster, victim.name)


async def stop(cluster, fault):
    """SIGTERM to the master: it ends with code 0, and the run goes on with the next one. One that was started a moment ago does not
    listen to signals yet, and ends by it."""
    for victim in named(cluster, fault):
        victim.terminate(-signal.SIGTERM)
        await cluster.first(victim.process.wait(), cluster.over.wait())
    await cluster.pause(fault["for_s"])
    await restart(cluster, "master")


async def join(cluster, fault):
    cluster.joined += 1
    await cluster.start_worker(f"w{cluster.schedule['workers'] + cluster.joined}")


async def usurp(cluster, fault):
    """A master is frozen, another one takes over, and the first comes back: it must see that it is not wanted any more."""
    for old in named(cluster, fault):
        old.expected.add(FENCED)
        old.freeze()
        await cluster.start_master(free_port())
        for name, relay in cluster.relays.items():
            if name.endswith(">master"):
                relay.cut()
        await cluster.pause(fault["for_s"])
        old.thaw()


async def panic(cluster, fault):
    """Nothing: the processes were started with it."""


def links(cluster, fault):
    """A store in a directory has no connections."""
    return [cluster.relays[name] for name in fault["target"] if name in cluster.relays]


async def cut(cluster, fault):
    for relay in links(cluster, fault):
        relay.refuse()
        relay.cut()
    await cluster.pause(fault["for_s"])
    for relay in links(cluster, fault):
        if not relay.is_open:
            await relay.start()


async def flap(cluster, fault):
    rng, loop = random.Random(fault["for_s"]), asyncio.get_running_loop()
    until = loop.time() + fault["for_s"]
    while loop.time() < until and not cluster.over.is_set():
        for relay in links(cluster, fault):
            relay.cut(reset=rng.random() < 0.5)
        await cluster.pause(fault["period_s"])


async def hold(cluster, fault):
    """Nothing gets through; then everything goes on, as after a pause on the network."""
    for relay in links(cluster, fault):
        relay.hold()
    await cluster.pause(fault["for_s"])
    for relay in links(cluster, fault):
        relay.flow()


async def lose(cluster, fault):
    """Half-dead: nothing gets through, nobody is told, and what was under way never arrives."""
    for relay in links(cluster, fault):
        relay.hold()
    await cluster.pause(fault["for_s"])
    for relay in links(cluster, fault):
        relay.cut()
        relay.flow()


async def delay(cluster, fault):
    for relay in links(cluster, fault):
        relay.delay_s = fault["delay_s"]
    await cluster.pause(fault["for_s"])
    for relay in links(cluster, fault):
        relay.delay_s = 0.0


async def throttle(cluster, fault):
    for relay in links(cluster, fault):
        relay.bytes_per_s = fault["bytes_per_s"]
    await cluster.pause(fault["for_s"])
    for relay in links(cluster, fault):
        relay.bytes_per_s = None


async def for_a_while(cluster, fault, begin, end):
    async with cluster.store.turn:
        await begin()
        await cluster.pause(fault["for_s"])
        await end()


async def store_kill(cluster, fault):
    await for_a_while(cluster, fault, cluster.store.kill, cluster.store.start)


async def store_oom(cluster, fault):
    await for_a_while(cluster, fault, cluster.store.out_of_memory, cluster.store.enough_memory)


async def store_misconf(cluster, fault):
    await for_a_while(cluster, fault, cluster.store.refuse_writes, cluster.store.take_writes)


async def store_pause(cluster, fault):
    async with cluster.store.turn:
        await cluster.store.pause(fault["for_s"])
        await cluster.pause(fault["for_s"])


async def disk_full(cluster, fault):
    if not cluster.store.is_small_disk:
        cluster.notes.append("disk-full skipped: no small disk can be mounted here (needs root and tmpfs)")
        return
    async with cluster.store.turn:
        cluster.store.fill()
        await cluster.pause(fault["for_s"])
        cluster.store.empty()


ACTIONS = {
    "kill": kill, "freeze": freeze, "leave": leave, "stop": stop, "join": join, "usurp": usurp, "panic": panic, "cut": cut,
    "flap": flap, "hold": hold, "lose": lose, "delay": delay, "throttle": throttle, "store-kill": store_kill,
    "store-oom": store_oom, "store-misconf": store_misconf, "store-pause": store_pause, "disk-full": disk_full,
}  # fmt: skip
