"""Faults of a schedule as objects of ChaosBlade (`chaosblade.io/v1alpha1`, operator 1.8.0) for the pods of deploy/kubernetes. Knows no
cluster; docs/chaos.md says what becomes of each fault."""

API, KIND = "chaosblade.io/v1alpha1", "ChaosBlade"
PROGRAM, CONTAINER = "tessds", "tessds"
STORE_PROGRAM, STORE_CONTAINER, STORE_FOLDER = "redis-server", "redis", "/data"
PORTS = {"master": 7700, "worker": 7701, "store": 6379}
INTERFACE = "eth0"
SIGKILL = 9
# A link that is flapping, as a share of packets that are lost.
FLAPPING_PERCENT = 50

# Faults that are something else on a cluster, or nothing at all, with the reason that is told.
WITHOUT = {
    "panic": "a hook that a process reads when it starts; pods are not started for it",
    "throttle": "ChaosBlade limits no bandwidth",
}
NOT_BY_BLADE = {"join", "store-oom"}


def pod(name):
    """The pod of a process of a schedule: `master`, `w1` …, `store`."""
    if name == "master":
        return "tessds-master-0"
    if name == "store":
        return "tessds-redis-0"
    return f"tessds-worker-{int(name[1:]) - 1}"


def kind_of(name):
    return {"master": "master", "store": "store"}.get(name, "worker")


def ends(link):
    """The pod on which a link is disturbed, and which of its connections: those to others' port, or those to its own."""
    source, target = link.split(">")
    if not source:
        return pod(target), "local", PORTS[kind_of(target)]
    return pod(source), "remote", PORTS[kind_of(target)]


def experiment(scope, target, action, namespace, names, **matchers):
    values = {"names": names, "namespace": namespace, **{k.replace("_", "-"): v for k, v in matchers.items()}}
    many = lambda v: [str(x) for x in v] if isinstance(v, list) else [str(v)]
    return {
        "scope": scope, "target": target, "action": action,
        "matchers": [{"name": name, "value": many(value)} for name, value in values.items()],
    }  # fmt: skip


def process(action, namespace, names, **matchers):
    """`kill` or `stop` of the program in pods; the store is another program than all others."""
    stores = [n for n in names if n == "store"]
    others = [pod(n) for n in names if n != "store"]
    found = []
    if others:
        found.append(experiment("container", "process", action, namespace, others, container_names=CONTAINER, process=PROGRAM, **matchers))
    if stores:
        found.append(experiment("container", "process", action, namespace, [pod("store")], container_names=STORE_CONTAINER,
                                process=STORE_PROGRAM, **matchers))  # fmt: skip
    return found


def network(links, namespace, form, action, value):
    """Disturbed links. `form`: `tc` has delay and loss by traffic control, of what a pod sends; `drop` has loss alone, by the packet
    filter. Traffic control takes one experiment a pod at a time, so the links of a pod are put together."""
    if form == "drop":
        return [drop for name in links for drop in dropped(*ends(name), namespace)]
    ports = {}
    for name in links:
        where, side, port = ends(name)
        ports.setdefault(where, {}).setdefault(side, set()).add(port)
    found = []
    for where, sides in ports.items():
        matchers = {f"{side}_port": ",".join(map(str, sorted(those))) for side, those in sides.items()}
        matchers |= {"interface": INTERFACE, **value, "use_sidecar_container_network": "true"}
        found.append(experiment("pod", "network", action, namespace, where, **matchers))
    return found


def dropped(where, side, port, namespace):
    """Both directions of the connections of a pod to others' port, or to its own."""
    to, back = ("out", "in") if side == "remote" else ("in", "out")
    return [
        experiment("pod", "network", "drop", namespace, where, destination_port=port, network_traffic=to),
        experiment("pod", "network", "drop", namespace, where, source_port=port, network_traffic=back),
    ]


def shaped(found):
    """Pods to which experiments apply traffic control."""
    value = lambda e: next(m["value"] for m in e["matchers"] if m["name"] == "names")
    return {pod for e in found if e["target"] == "network" and e["action"] != "drop" for pod in value(e)}


def experiments(fault, namespace, form="tc"):
    """What a fault is on a cluster: experiments and a note on what is different, either of them may be empty."""
    kind, names = fault["fault"], fault.get("target", [])
    if kind in WITHOUT:
        return [], f"{kind} left out: {WITHOUT[kind]}"
    if kind in NOT_BY_BLADE:
        return [], ""
    if kind == "kill":
        return process("kill", namespace, names, signal=SIGKILL), ""
    if kind == "store-kill":
        return process("kill", namespace, ["store"], signal=SIGKILL), ""
    if kind == "freeze":
        return process("stop", namespace, names), ""
    if kind == "store-pause":
        return process("stop", namespace, ["store"]), ""
    if kind == "usurp":
        return process("stop", namespace, ["master"]), "usurp: another master takes over only with components/hot-standby"
    if kind in ("leave", "stop"):
        return [experiment("pod", "pod", "delete", namespace, [pod(n) for n in names])], ""
    if kind in ("store-misconf", "disk-full"):
        note = "store-misconf is a full disk: redis.conf takes writes after a failed save" if kind == "store-misconf" else ""
        return [experiment("pod", "disk", "fill", namespace, pod("store"), path=STORE_FOLDER, percent=100)], note
    if kind == "delay":
        if form == "drop":
            return [], "delay left out: the packet filter only drops"
        return network(names, namespace, form, "delay", {"time": max(1, round(1000 * fault["delay_s"]))}), ""
    if kind in ("cut", "hold", "lose"):
        note = "cut: packets are lost, no connection is reset" if kind == "cut" else ""
        return network(names, namespace, form, "loss", {"percent": 100}), note
    if kind == "flap":
        note = "flap: packets are lost" + (f", {FLAPPING_PERCENT} %" if form == "tc" else ", all of them")
        return network(names, namespace, form, "loss", {"percent": FLAPPING_PERCENT}), note
    raise ValueError(f"no counterpart of {kind}")


def blade(name, found, text=""):
    """One object; to delete it undoes its experiments."""
    described = [{**e, "desc": text} if text else e for e in found]
    return {
        "apiVersion": API, "kind": KIND, "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "tessds"}},
        "spec": {"experiments": described},
    }  # fmt: skip
