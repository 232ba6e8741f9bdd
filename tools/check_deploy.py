#!/usr/bin/env python3
"""Checks deploy/ without a cluster: schemas, policies, rules, and that nothing has drifted from the program.

    tools/check_deploy.py [--tessds PATH] [--only CHECK]...

One line per check, then what is wrong; code 1 if anything is. Needs `tools/setup.sh deploy`, which it calls.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

import common

if __name__ == "__main__":
    common.run_in_venv("deploy")

import jsonschema
import kubernetes_validate
import yaml

import deployment as d
import kube_chaos
import log_pipeline
import make_dashboards
import make_kibana
from harness import schedule
from harness.ports import free_port

VERSIONS = ("1.34.0", "1.35.0", "1.36.0", "1.37.0")
RUNBOOKS = common.DOCS / "runbooks"
# What is not to be heeded, and why.
POLICIES_LEFT_OUT = {
    "CKV_K8S_43": "images by digest: those of a registry of one's own, in one's own overlay",
    "CKV_K8S_15": "imagePullPolicy Always: a pod that comes back must not wait for a registry, nor get another image",
    "CKV_K8S_40": "fluentd reads files that belong to root",
    "CKV_K8S_6": "fluentd reads files that belong to root",
    "CKV_K8S_23": "fluentd reads files that belong to root",
    "CKV_K8S_25": "fluentd reads files that belong to root",
    "CKV_K8S_37": "fluentd reads files that belong to root",
    "CKV_K8S_28": "fluentd reads files that belong to root",
    "CKV_K8S_35": "fluentd takes the password of Elasticsearch from its environment alone",
    "CKV_K8S_8": "fluentd has no health check without a plugin",
    "CKV_K8S_9": "fluentd has no health check without a plugin",
}
PORTS = {"master": {"--listen": 7700, "--http": 7780}, "worker": {"--listen": 7701, "--advertise": 7701, "--http": 7780, "--master": 7700}}


def rendered():
    """Manifests by overlay, as text and as objects; rendered once."""
    if not rendered.cache:
        rendered.cache.update({name: d.render(parts) for name, parts in d.RENDERED.items()})
        rendered.cache["logging"] = d.kustomize(d.DEPLOY / "logging")
    return {name: (text, d.documents(text)) for name, text in rendered.cache.items()}


rendered.cache = {}


def manifests(_):
    """Every object, by the schemas of several releases of Kubernetes, with nothing unknown in it."""
    for name, (_, objects) in rendered().items():
        for o in objects:
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(o, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    yield f"{name}, {o['kind']} {o['metadata']['name']}, {version}: {error.message} at {error.path}"


def references(_):
    """ConfigMaps, Secrets, claims, accounts, services and ports that are named are there."""
    # Made by hand before (deploy/README.md).
    given = {("Secret", n) for n in ("tessds-redis-auth", "tessds-redis-tls", "tessds-cluster-tls", "tessds-control", "tessds-elasticsearch")} | {("PersistentVolumeClaim", "tessds-scenario")}
    for name, (_, objects) in rendered().items():
        there = {(o["kind"], o["metadata"]["name"]) for o in objects} | given
        for w in d.workloads(objects):
            spec, where = w["spec"]["template"]["spec"], f"{name}, {w['metadata']['name']}"
            wanted = [("ServiceAccount", spec["serviceAccountName"])]
            if w["kind"] == "StatefulSet":
                wanted.append(("Service", w["spec"]["serviceName"]))
            for v in spec.get("volumes", []):
                wanted += [("ConfigMap", v["configMap"]["name"])] if "configMap" in v else []
                wanted += [("Secret", v["secret"]["secretName"])] if "secret" in v else []
                wanted += [("PersistentVolumeClaim", v["persistentVolumeClaim"]["claimName"])] if "persistentVolumeClaim" in v else []
            volumes = {v["name"] for v in spec.get("volumes", [])} | {v["metadata"]["name"] for v in w["spec"].get("volumeClaimTemplates", [])}
            for c in d.containers(w):
                wanted += [("ConfigMap", s["configMapRef"]["name"]) for s in c.get("envFrom", [])]
                mounted = {m["name"] for m in c.get("volumeMounts", [])}
                yield from (f"{where}: volume {v} is not there" for v in mounted - volumes)
                if len(d.containers(w)) == 1:
                    yield from (f"{where}: volume {v} is not mounted" for v in volumes - mounted)
            yield from (f"{where}: {kind} {n} is not there" for kind, n in wanted if (kind, n) not in there)
            labels = w["spec"]["template"]["metadata"]["labels"]
            if w["spec"]["selector"]["matchLabels"].items() - labels.items():
                yield f"{where}: its selector does not select its pods"
            names = {p["name"] for c in d.containers(w) for p in c.get("ports", [])}
            for s in (o for o in objects if o["kind"] == "Service" and o["spec"]["selector"].items() <= labels.items()):
                yield from (f"{where}: port {p['targetPort']} of {s['metadata']['name']} is not there" for p in s["spec"]["ports"] if p["targetPort"] not in names)


def program(a):
    """Options, ports, probes and files in manifests, compose file and image agree with the program."""
    known, source = d.program_options(a.tessds), "".join(p.read_text() for p in (common.ROOT / "src").rglob("*.rs"))
    compose = yaml.safe_load((d.DEPLOY / "compose.yaml").read_text())
    image = (d.DEPLOY / "Dockerfile").read_text()
    exposed = {int(p) for p in re.search(r"^EXPOSE (.*)", image, re.M)[1].split()}
    lines = [(f"compose, {name}", s["command"], {}, None) for name, s in compose["services"].items() if "command" in s and s["command"][0] == "run"]
    paths = set(re.findall(r"GET (/\w+)", image))
    for name, (_, objects) in rendered().items():
        for w in d.workloads(objects):
            for c in d.containers(w):
                if c["name"] == "tessds":
                    lines.append((f"{name}, {w['metadata']['name']}", c["args"], d.variables(c, objects), c))
                    paths |= {c[p]["httpGet"]["path"] for p in ("startupProbe", "livenessProbe", "readinessProbe")}
    for where, arguments, values, container in lines:
        if arguments[0] != "run":
            yield f"{where}: the first argument is {arguments[0]!r}, run is expected"
        options = dict(d.options_of(arguments))
        yield from (f"{where}: the program has no option {o}" for o in options if o not in known)
        role = options.get("--role")
        for option, port in PORTS.get(role, {}).items():
            value = d.filled(options.get(option) or "", values)
            if option in options and not value.endswith(f":{port}"):
                yield f"{where}: {option} is {value}, port {port} is expected"
            if option in ("--listen", "--http") and port not in exposed:
                yield f"{where}: the image does not expose port {port}"
        if container:
            declared = {p["containerPort"] for p in container["ports"]}
            wanted = {port for option, port in PORTS[role].items() if option in ("--listen", "--http")}
            if declared != wanted:
                yield f"{where}: it declares the ports {sorted(declared)} and listens on {sorted(wanted)}"
            unknown = {v for arg in arguments for v in re.findall(r"\$\((\w+)\)", arg)} - values.keys()
            yield from (f"{where}: variable {v} is not set" for v in sorted(unknown))
    yield from (f"nothing in the program answers at {p}" for p in sorted(paths) if f'"{p}"' not in source)
    defaults, differing = ({k for k in d.keys(tomllib.loads((common.ROOT / "config" / n).read_text()))} for n in ("tessds.toml", "cluster.toml"))
    yield from (f"config/cluster.toml: {k} is not in config/tessds.toml" for k in sorted(differing - defaults))
    given = {n for _, _, values, _ in lines for n in values} | {n for s in compose["services"].values() for n in s.get("environment", {})}
    for name in sorted(n for n in given if n.startswith("TESSDS__")):
        if name.removeprefix("TESSDS__").replace("__", ".").lower() not in defaults:
            yield f"environment variable {name} is no setting of config/tessds.toml"
    release = tomllib.loads((common.ROOT / "Cargo.toml").read_text())["package"]["version"]
    for where, text in [("compose", (d.DEPLOY / "compose.yaml").read_text()), *((n, t) for n, (t, _) in rendered().items())]:
        for tag in re.findall(r"image: \S*\btessds:(\S+)", text):
            if tag != release:
                yield f"{where}: image tessds:{tag}, this is release {release}"
    settings = [common.ROOT / "config" / n for n in ("tessds.toml", "cluster.toml")]
    done = subprocess.run([a.tessds, "run", *[f"--config={s}" for s in settings], "-c", "/no/such.sumocfg"], capture_output=True, text=True)
    if done.returncode != 2 or "setting" in done.stderr or "/no/such" not in done.stderr:
        yield f"the program does not take config/: {done.stderr.strip()[:300]}"


def probes(a):
    """What probes and Prometheus ask is answered by both roles, without a token: of a worker that has no master, and of a master
    that is told nothing yet."""
    workloads_ = {w["metadata"]["name"]: w for w in d.workloads(rendered()["dev"][1])}
    monitor = yaml.safe_load((d.DEPLOY / "monitoring" / "servicemonitor.yaml").read_text())["spec"]["endpoints"]
    example = common.ROOT / "examples" / "helsinki" / "run.sumocfg"
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "tokens").write_text("a-token-that-nobody-shows\n")
        for role, options in (("worker", []), ("master", ["--paused", "-c", example])):
            address = f"127.0.0.1:{free_port()}"
            command = [a.tessds, "run", f"--role={role}", f"--http={address}", f"--store=dir:{folder}/store", "--listen=127.0.0.1:0", *options]
            environment = {**os.environ, "TESSDS__CONTROL__TOKEN_FILE": f"{folder}/tokens"}
            process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
            try:
                (container,) = d.containers(workloads_[f"tessds-{role}"])
                expected = [(container[p]["httpGet"]["path"], 200) for p in ("startupProbe", "livenessProbe")]
                expected += [(container["readinessProbe"]["httpGet"]["path"], 503 if role == "worker" else 200)]
                expected += [(e["path"], 200) for e in monitor]
                for path, status in expected:
                    if (found := d.http_status(address, path, 10)) != status:
                        yield f"{role}: {path} is answered with {found}, {status} is expected"
            finally:
                process.kill()
                process.wait()


def chaos(_):
    """Objects of ChaosBlade, those in files and those that seeds draw."""
    check = jsonschema.Draft202012Validator(json.loads((d.DEPLOY / "chaos" / "chaosblade.schema.json").read_text()))
    items = [(p.name, o) for p in sorted((d.DEPLOY / "chaos").glob("*.yaml")) for o in d.documents(p.read_text())]
    for seed in range(60):
        for form in ("tc", "drop"):
            items += [(f"seed {seed}", o) for o in kube_chaos.objects(schedule.Draw(seed, store="redis").schedule(4800), "t", form)[0]]
    pods = {f"{w['metadata']['name']}-{n}" for w in d.workloads(rendered()["dev"][1]) for n in range(w["spec"]["replicas"])}
    for name, o in items:
        yield from (f"{name}: {error.message} at {error.json_path}" for error in check.iter_errors(o))
        if name.endswith(".yaml"):
            named = {v for e in o["spec"]["experiments"] for m in e["matchers"] if m["name"] == "names" for v in m["value"]}
            yield from (f"{name}: no pod {p} in the dev overlay" for p in sorted(named - pods))


def policies(_):
    """checkov, with what is left out and why in this file."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, _) in rendered().items():
            (pathlib.Path(folder) / f"{name.replace(' ', '-')}.yaml").write_text(text)
        shutil.copy(d.DEPLOY / "Dockerfile", folder)
        done = run(
            d.VENV / "python3", d.VENV / "checkov", "-d", folder, "--framework", "kubernetes", "dockerfile", "--quiet", "--compact", "-o", "json",
            "--skip-check", ",".join(POLICIES_LEFT_OUT), "--skip-download",
        )  # fmt: skip
    try:
        found = json.loads(done.stdout)
    except ValueError:
        yield f"checkov failed: {done.stderr.strip()[-300:]}"
        return
    for result in found if isinstance(found, list) else [found]:
        for failed in result.get("results", {}).get("failed_checks", []):
            yield f"{failed['check_id']} {failed['check_name']}: {failed['file_path']} {failed['resource']}"


def image(_):
    """hadolint. DL3008 does not apply: no package is installed."""
    done = run(d.VENV / "hadolint", d.DEPLOY / "Dockerfile")
    yield from done.stdout.splitlines()


def rules(_):
    """Scrape configuration, alert rules and their tests, and every query of every dashboard, by promtool."""
    folder = d.DEPLOY / "monitoring"
    for args in (["check", "config", "prometheus.yml"], ["check", "rules", "rules/tessds.rules.yaml"], ["test", "rules", "rules/tessds.tests.yaml"]):
        done = run("promtool", *args, cwd=folder)
        if done.returncode != 0:
            yield f"promtool {' '.join(args)}: {(done.stdout + done.stderr).strip()[-1500:]}"
    groups = [{"name": "queries", "rules": [{"record": f"q{n}", "expr": e.replace("$namespace", "t")} for n, (_, e) in enumerate(queries())]}]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": groups}, file)
        file.flush()
        done = run("promtool", "check", "rules", file.name)
        if done.returncode != 0:
            yield f"queries: {(done.stdout + done.stderr).strip()[-1500:]}"
    tested = (folder / "rules" / "tessds.tests.yaml").read_text()
    for alert in alerts():
        if not re.search(rf"alertname: {alert['alert']}\n\s+exp_alerts", tested):
            yield f"no test in which {alert['alert']} is raised"


def alerts():
    groups = yaml.safe_load((d.DEPLOY / "monitoring" / "rules" / "tessds.rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries():
    """Every query, with where it is."""
    found = [(f"alert {r['alert']}", r["expr"]) for r in alerts()]
    for path in sorted((d.DEPLOY / "monitoring" / "dashboards").glob("*.json")):
        for p in json.loads(path.read_text())["panels"]:
            found += [(f"{path.name}, {p['title']}", t["expr"]) for t in p["targets"]]
    return found


def metrics(_):
    """Every metric that is asked for is in docs/metrics.md, and the other way round."""
    listed = set(re.findall(r"^\| `(\w+)` \|", (common.DOCS / "metrics.md").read_text(), re.M))
    asked = set()
    for where, expression in queries():
        names = d.metrics_in(expression)
        asked |= names
        yield from (f"{where}: {n} is not in docs/metrics.md" for n in sorted(names - listed - {"up"}))
    yield from (f"{n} of docs/metrics.md is neither in a dashboard nor in an alert" for n in sorted(listed - asked))


def runbooks(_):
    """Every alert names a runbook that is there, the overview lists each, and no link leads nowhere."""
    overview = (RUNBOOKS / "README.md").read_text()
    for alert in alerts():
        url = alert["annotations"].get("runbook_url", "")
        if not (common.ROOT / url).is_file():
            yield f"alert {alert['alert']}: no runbook at {url!r}"
        elif f"]({pathlib.Path(url).name}) | " not in overview or f"`{alert['alert']}`" not in overview:
            yield f"docs/runbooks/README.md does not list {alert['alert']}"
    names = {alert["alert"] for alert in alerts()}
    for page in sorted(RUNBOOKS.glob("*.md")) + [common.DOCS / n for n in ("metrics.md", "logging.md", "chaos.md")] + [d.DEPLOY / "README.md"]:
        text = page.read_text()
        yield from (f"{page.name}: no alert {n}" for n in sorted(set(re.findall(r"`(Tessds\w+)`", text)) - names))
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            if not (page.parent / link).exists():
                yield f"{page.name}: link to {link} leads nowhere"
        if page.parent == RUNBOOKS and page.name != "README.md" and f"]({page.name})" not in overview:
            yield f"docs/runbooks/README.md does not list {page.name}"


def made(_):
    """Files that are made by scripts are up to date."""
    yield from (f"{p.relative_to(common.ROOT)}: run tools/make_dashboards.py" for p, t in make_dashboards.files().items() if p.read_text() != t)
    if make_kibana.TARGET.read_text() != make_kibana.text():
        yield "deploy/logging/kibana.ndjson: run tools/make_kibana.py"


def logs(_):
    """Fields that the program logs are in the index template and in docs/logging.md."""
    fields, documented = log_pipeline.template(), (common.DOCS / "logging.md").read_text()
    for name, path in d.logged_fields(common.ROOT / "src").items():
        if name not in fields:
            yield f"{path.relative_to(common.ROOT)}: field {name!r} is not in deploy/logging/index-template.json"
        if f"`{name}`" not in documented:
            yield f"{path.relative_to(common.ROOT)}: field {name!r} is not in docs/logging.md"


def redis(_):
    """A Redis with the configuration and the users of deploy/ starts, and lets each user do what is meant for it."""
    rights = re.search(r"ACL SETUSER tessds on >PASSWORD ~tessds:\* (.*)", (common.DOCS / "stores.md").read_text())[1]
    for path in (d.DEPLOY / "redis" / "users.acl.example", d.KUBERNETES / "overlays" / "dev" / "users.acl"):
        if not re.search(rf"^user tessds .* -@all {re.escape(rights)}$", path.read_text(), re.M):
            yield f"{path.relative_to(common.ROOT)}: the rights of tessds are not those of docs/stores.md"
    with tempfile.TemporaryDirectory() as folder:
        socket, users = f"{folder}/s", d.KUBERNETES / "overlays" / "dev" / "users.acl"
        # Its folder is one of the image.
        conf = pathlib.Path(folder) / "redis.conf"
        conf.write_text((d.DEPLOY / "redis" / "redis.conf").read_text().replace("dir /data", f"dir {folder}"))
        command = ["redis-server", conf, "--port", "0", "--unixsocket", socket, "--aclfile", users]
        server = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True)
        try:
            ask = lambda user, password, *words: run("redis-cli", "-s", socket, "--user", user, "--pass", password, "--no-auth-warning", *words).stdout.strip()
            for _ in range(50):
                if ask("probe", "any", "ping") == "PONG":
                    break
                time.sleep(0.1)
            else:
                server.terminate()
                yield f"redis-server does not start: {server.communicate()[0][-300:]}"
                return
            expected = [
                ("tessds", "not-a-secret", ["set", "tessds:x", "1"], "OK"), ("tessds", "not-a-secret", ["set", "other", "1"], "NOPERM"),
                ("tessds", "not-a-secret", ["config", "get", "maxmemory"], "NOPERM"), ("probe", "any", ["get", "tessds:x"], "NOPERM"),
                ("operator", "not-a-secret-either", ["config", "get", "maxmemory-policy"], "noeviction"),
                ("operator", "not-a-secret-either", ["config", "get", "appendonly"], "yes"),
                ("operator", "not-a-secret-either", ["get", "tessds:x"], "NOPERM"), ("default", "", ["ping"], "NOAUTH"),
            ]  # fmt: skip
            for user, password, words, answer in expected:
                if answer not in (told := ask(user, password, *words)):
                    yield f"{user}: {' '.join(words)} is answered with {told!r}, {answer} is expected"
        finally:
            with contextlib.suppress(ProcessLookupError):
                server.terminate()
            server.wait()


def run(*command, cwd=None):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd)


CHECKS = (made, manifests, references, program, probes, logs, metrics, runbooks, rules, chaos, redis, image, policies)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--tessds", metavar="PATH", help="the program to compare with; by default the debug build")
    p.add_argument("--only", action="append", default=[], choices=[c.__name__ for c in CHECKS])
    a = p.parse_args()
    a.tessds = a.tessds or os.environ.get("CARGO_TARGET_DIR", common.ROOT / "target") / pathlib.Path("debug/tessds")
    if not pathlib.Path(a.tessds).exists():
        common.fail(f"no TessDS binary at {a.tessds}; build it, or name one with --tessds")
    wrong = 0
    for check in CHECKS:
        if a.only and check.__name__ not in a.only:
            continue
        begun, problems = time.monotonic(), list(check(a))
        print(f"{check.__name__}: {'ok' if not problems else f'{len(problems)} wrong'} ({time.monotonic() - begun:.1f} s)", flush=True)
        for problem in problems:
            print(f"  {problem}")
        wrong += len(problems)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
