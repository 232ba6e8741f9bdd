#!/usr/bin/env python3
"""Runs the dev overlay of deploy/kubernetes without Kubernetes: Redis, master and workers as processes, with the arguments, settings, secrets
and names out of the rendered manifests.

    tools/kube_shape.py [--tessds PATH] [--folder DIR]

Every pod has an address of its own on loopback, and is found by the name that its StatefulSet gives it, in a hosts file that only
these processes see. They show each other certificates (components/cluster-tls). Its probes are asked as the kubelet would, and its metrics
as Prometheus would. A worker and then the master are killed, and "rescheduled": started again with another address; in between all get
new certificates. The run has to end with the digest of an undisturbed one. Then all pods have to stay, content, and to come back so when they
are moved; SIGTERM ends them with code 0. Needs root, for the hosts file. Ends with code 1 if anything is wrong.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import common

if __name__ == "__main__":
    common.run_in_venv("deploy")

import deployment as d

NAMESPACE = "tessds-dev"
LIMIT_S = 90
POLL_S = 0.05
# Steps of the example are so quick that faults need a longer run than its own.
LONGER = ["--end=7200", "--step-length=0.5"]
NET = "127.0.77."
STAYS = "the run has ended; the process stays up until it is terminated"


class Pods:
    """What would be pods: processes by name, each with an address that changes when it is moved."""

    def __init__(self, a):
        self.a, self.folder = a, a.folder
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("output", "data", "redis", "control"):
            (self.folder / name).mkdir(parents=True)
        self.objects = d.documents(d.render(["overlays/dev", "components/cluster-tls"]))
        self.sets = {w["metadata"]["name"]: w for w in d.workloads(self.objects)}
        self.known = d.program_options(a.tessds)
        self.running, self.addresses, self.next = {}, {}, 10
        self.write_secrets()
        self.issue_certificates()
        # Files of the containers, and where they are here.
        self.places = {
            "/etc/tessds/config": common.ROOT / "config", "/etc/tessds/redis": self.folder / "redis", "/etc/redis/auth": self.folder / "redis",
            "/etc/tessds/control": self.folder / "control", "/etc/tessds/tls": self.folder / "tls", "/etc/redis/config": self.folder, "/output": self.folder / "output",
            "/usr/share/tessds": common.ROOT / "examples",
        }  # fmt: skip

    def write_secrets(self):
        secrets = {re.sub(r"-[0-9a-z]{10}$", "", o["metadata"]["name"]): o for o in self.objects if o["kind"] == "Secret"}
        for folder, name in (("redis", "tessds-redis-auth"), ("control", "tessds-control")):
            for key, value in secrets[name]["data"].items():
                data = subprocess.run(["base64", "-d"], input=value.encode(), capture_output=True, check=True).stdout
                (self.folder / folder / key).write_bytes(data)
        config = next(o for o in self.objects if o["kind"] == "ConfigMap" and "redis.conf" in o["data"])
        (self.folder / "redis.conf").write_text(config["data"]["redis.conf"].replace("dir /data", f"dir {self.folder}/data").replace("/etc/redis/auth", f"{self.folder}/redis"))

    def issue_certificates(self):
        """As Secret tessds-cluster-tls; a second call renews what is there, as an update of the Secret does."""
        names = [f"*.tessds-{role}.{NAMESPACE}.svc.cluster.local" for role in ("master", "worker")]
        subprocess.run([common.ROOT / "tools" / "make_certificates.sh", self.folder / "tls", *names], check=True)

    def write_hosts(self):
        """What the services of the cluster would say, in place: processes have the file mounted."""
        lines = ["127.0.0.1 localhost"]
        for pod, address in self.addresses.items():
            of = pod.rpartition("-")[0]
            service = self.sets[of]["spec"]["serviceName"]
            lines.append(f"{address} {pod}.{service}.{NAMESPACE}.svc.cluster.local" + (" tessds-redis" if of == "tessds-redis" else ""))
        (self.folder / "hosts").write_text("\n".join(lines) + "\n")

    def here(self, text, address):
        for there, path in self.places.items():
            text = re.sub(rf"(^|[=:]){there}(?=/|$)", rf"\g<1>{path}", text)
        return text.replace("0.0.0.0", address)

    def start(self, pod):
        """Starts a pod with a new address."""
        self.addresses[pod], self.next = f"{NET}{self.next}", self.next + 1
        self.write_hosts()
        container = d.containers(self.sets[pod.rpartition("-")[0]])[0]
        values = d.variables(container, self.objects) | {"POD_NAME": pod, "POD_NAMESPACE": NAMESPACE}
        values = {name: d.filled(value, values) for name, value in values.items()}
        arguments = [self.here(d.filled(a, values), self.addresses[pod]) for a in [*container.get("command", []), *container.get("args", [])]]
        if pod.startswith("tessds-redis"):
            command = [*arguments, "--bind", self.addresses[pod]]
        else:
            # Drift in options is what tools/check_deploy.py finds.
            command = [self.a.tessds] + [a for a in arguments if not a.startswith("--") or a.split("=")[0] in self.known]
            command += LONGER if pod.startswith("tessds-master") else []
        environment = {name: self.here(value, self.addresses[pod]) for name, value in values.items()}
        # Settings that the program does not know yet would end it, rightly.
        if "--http" not in self.known:
            environment = {k: v for k, v in environment.items() if not k.startswith("TESSDS__CONTROL__")}
        script = f'mount --bind {self.folder}/hosts /etc/hosts && exec "$@"'
        with open(self.folder / f"{pod}.log", "ab") as log, open(self.folder / f"{pod}.out", "ab") as out:
            self.running[pod] = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", script, "sh", *map(str, command)], stdout=out, stderr=log, env={**os.environ, **environment},
            )  # fmt: skip

    def ask(self, pod, probe):
        """What a probe of the pod's container hears."""
        container = d.containers(self.sets[pod.rpartition("-")[0]])[0]
        get = container[probe]["httpGet"]
        (port,) = [p["containerPort"] for p in container["ports"] if p["name"] == get["port"]]
        return d.http_get(f"{self.addresses[pod]}:{port}", get["path"])

    def well(self):
        """Pods of the program that are not well, each with what its probes hear."""
        wrong = []
        for pod in self.of_program():
            heard = {probe: self.ask(pod, probe) for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
            wrong += [f"{pod}, {probe}: {status} {text}" for probe, (status, text) in heard.items() if status != 200]
        return wrong

    def wait_until_well(self, when):
        self.wait(lambda: not self.well(), f"all probes are content {when}")
        print(f"all probes are content {when}", flush=True)

    def scrape(self):
        """Names of the metrics that all pods show together."""
        names = set()
        for pod in self.of_program():
            _, text = d.http_get(f"{self.addresses[pod]}:7780", "/metrics")
            names |= set(re.findall(r"^# TYPE (\w+)", text, re.M))
        return names

    def move(self, pod):
        """The node of a pod is gone, and it comes back elsewhere."""
        self.running[pod].kill()
        self.running[pod].wait()
        print(f"{pod} killed at step {self.step()}, moved from {self.addresses[pod]}", flush=True)
        self.start(pod)

    def step(self):
        text = (self.folder / "tessds-master-0.log").read_text(errors="replace")
        return max([int(s) for s in re.findall(r'"snapshot committed","step":(\d+)', text)], default=0)

    def hosting(self):
        """A worker that hosts something: the one on which a partition was placed last."""
        text = (self.folder / "tessds-master-0.log").read_text(errors="replace")
        return re.findall(r'"partition placed".*?"worker":"([^"]+)"', text)[-1]

    def of_program(self):
        return [pod for pod in self.running if not pod.startswith("tessds-redis")]

    def over(self, pod):
        """How often a process of the pod has found that the run is over, and stayed."""
        return (self.folder / f"{pod}.log").read_text(errors="replace").count(STAYS)

    def terminate(self):
        """As the kubelet does; pods that did not end well."""
        for pod in self.of_program():
            self.running[pod].terminate()
        codes = {pod: self.running[pod].wait(timeout=LIMIT_S) for pod in self.of_program()}
        return [f"{pod} ended with code {code}" for pod, code in codes.items() if code != 0]

    def wait(self, condition, what):
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > deadline:
                common.fail(f"{what}: not after {LIMIT_S} s; logs are in {self.folder}")
            time.sleep(POLL_S)

    def close(self):
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
                process.wait()


def undisturbed(a):
    report = a.folder / "alone.json"
    command = [a.tessds, "run", "-q", "-c", common.ROOT / "examples" / "helsinki" / "run.sumocfg", *LONGER, "--report-json", report]
    subprocess.run([str(c) for c in command], check=True)
    return json.loads(report.read_text())["digest"]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--tessds", metavar="PATH", help="the program; by default the debug build")
    p.add_argument("--folder", type=pathlib.Path, default=common.ROOT / "out" / "kube-shape")
    a = p.parse_args()
    a.folder = a.folder.resolve()
    a.tessds = a.tessds or common.ROOT / "target" / "debug" / "tessds"
    pods = Pods(a)
    try:
        for name in sorted(pods.sets, reverse=True):
            if name != "tessds-master":
                for n in range(pods.sets[name]["spec"]["replicas"]):
                    pods.start(f"{name}-{n}")
        pods.start("tessds-master-0")
        pods.wait(lambda: pods.step() >= 300, "step 300")
        pods.wait_until_well("after the start")
        pods.issue_certificates()
        pods.move(pods.hosting())
        pods.wait_until_well("with a worker that was moved")
        pods.wait(lambda: pods.step() >= 2000, "step 2000")
        pods.move("tessds-master-0")
        pods.wait_until_well("with a master that was moved")
        listed = set(re.findall(r"^\| `(\w+)` \|", (common.DOCS / "metrics.md").read_text(), re.M))
        # Nobody has sent a command.
        missing = listed - pods.scrape() - {"tessds_commands_total"}
        pods.wait(lambda: all(pods.over(pod) for pod in pods.of_program()), "the end of the run")
        pods.wait_until_well("after the end")
        told = (a.folder / "output" / "report.json").read_bytes()
        for pod in ("tessds-worker-0", "tessds-master-0"):
            before = pods.over(pod)
            pods.move(pod)
            pods.wait(lambda: pods.over(pod) > before, f"{pod}, moved after the end, to find that the run is over")
        pods.wait_until_well("with pods that were moved after the end")
        wrong = pods.terminate()
        report, right = json.loads(told), undisturbed(a)
    finally:
        pods.close()
    if missing:
        wrong.append(f"metrics that nobody shows: {', '.join(sorted(missing))}")
    if (a.folder / "output" / "report.json").read_bytes() != told:
        wrong.append("the report has changed after the end")
    if report["digest"] != right:
        wrong.append(f"digest {report['digest']}, {right} undisturbed")
    for problem in wrong:
        print(f"FAILED: {problem}")
    ok = not wrong
    print(f"{'ok' if ok else 'FAILED'}: digest {report['digest']}, {right} undisturbed; {report['recoveries']} recoveries")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
