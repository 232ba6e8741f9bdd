"""What deploy/ holds, read for checks: rendered manifests, the options of the program, fields that it logs. Needs PyYAML."""

import os
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import yaml

import common

DEPLOY = common.ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
VENV = common.CACHE / "deploy-venv" / "bin"
# Overlays, and each component on top of one, by the name that problems are told with.
RENDERED = {
    "dev": ["overlays/dev"],
    "production": ["overlays/production"],
    "production with hot-standby": ["overlays/production", "components/hot-standby"],
}


def kustomize(folder):
    done = subprocess.run([VENV / "kubectl", "kustomize", folder], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{folder}: {done.stderr.strip()}")
    return done.stdout


def render(parts):
    """An overlay, with components on top, as text."""
    first, *components = [KUBERNETES / part for part in parts]
    if not components:
        return kustomize(first)
    with tempfile.TemporaryDirectory() as folder:
        there = lambda path: os.path.relpath(path, pathlib.Path(folder).resolve())
        text = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "tessds",
                "resources": [there(first)], "components": [there(c) for c in components]}  # fmt: skip
        (pathlib.Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(text))
        return kustomize(folder)


def documents(text):
    return [d for d in yaml.safe_load_all(text) if d]


def workloads(objects):
    return [o for o in objects if o["kind"] in ("StatefulSet", "DaemonSet")]


def containers(workload):
    return workload["spec"]["template"]["spec"]["containers"]


def variables(container, objects):
    """Environment of a container: names and values, as far as they are known, out of ConfigMaps too."""
    maps = {o["metadata"]["name"]: o.get("data", {}) for o in objects if o["kind"] == "ConfigMap"}
    found = {}
    for source in container.get("envFrom", []):
        found |= maps.get(source.get("configMapRef", {}).get("name"), {})
    return found | {e["name"]: e.get("value", "") for e in container.get("env", [])}


def filled(text, values):
    """`$(NAME)` replaced, as the kubelet does it; what is not known stays."""
    for _ in range(3):
        text = re.sub(r"\$\((\w+)\)", lambda m: values.get(m[1]) or m[0], text)
    return text


def options_of(arguments):
    """Options of a command line, with their values: all are written `--name=value` here."""
    return [(a.split("=", 1) + [None])[:2] for a in arguments if a.startswith("-")]


def program_options(binary):
    """The long options of `tessds run`."""
    text = subprocess.run([binary, "run", "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^\s+(?:-\w, )?(--[a-z][a-z0-9.-]*)", text, re.M))


def http_get(address, path, patience_s=0):
    """Status and text of an answer; None and why while there is none within the time."""
    until = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            if time.monotonic() > until:
                return None, str(error)
            time.sleep(0.1)


def http_status(address, path, patience_s=0):
    return http_get(address, path, patience_s)[0]


def keys(table, prefix=""):
    """Dotted names of all values of a TOML table."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def logged_fields(folder):
    """Names of the fields that the source code logs at level info or above, each with a file."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*.rs")):
        for match in re.finditer(r"tracing::(?:info|warn|error)!\(", path.read_text()):
            body = path.read_text()[match.end() :]
            # Fields come before the message, and hold no text themselves but after `=`.
            head = re.split(r'(?:^|,)\s*"', body, maxsplit=1)[0]
            for piece in split_top(head):
                piece = piece.strip()
                if name := re.match(r"^[%?]?([a-z_]+)(?:\.([a-z_]+))*$", piece) or re.match(r"^([a-z_]+)\s*=[^=]", piece):
                    found.setdefault(name[2] if name.lastindex == 2 else name[1], path)
    return found


def split_top(text):
    """Pieces between commas that are in no brackets."""
    depth, piece = 0, ""
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if depth < 0:
            break
        if c == "," and depth == 0:
            yield piece
            piece = ""
        else:
            piece += c
    yield piece


def metrics_in(expression):
    """Names of metrics in a query, without what a histogram adds."""
    # Labels, texts and ranges hold no metrics; label lists neither.
    text = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", expression)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    names = {m for m in re.findall(r"[a-z_:][a-z0-9_:]*", text) if re.match(r"(tessds|process|up$)", m)}
    return {re.sub(r"_(bucket|sum|count)$", "", n) if n.endswith("_bucket") else n for n in names}
