#!/usr/bin/env bash
# Builds the image of deploy/Dockerfile without Docker, and starts the program in it: as its user, on a read-only root file system, with
# nothing else to write to than /output and /tmp. Needs root, and buildah and debootstrap of Debian.
#
#   tools/check_image.sh [BINARY]
#
# BINARY (default: the release build; it is stripped) stands for what the Dockerfile's first stage compiles, which is left out. Its base image is made
# by debootstrap, once, in $TESSDS_CACHE/image. Prints the size of the image. Ends with code 1 if anything is wrong.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache="${TESSDS_CACHE:-$root/.cache}/image"
binary="${1:-$root/target/release/tessds}"
release=bookworm

say() { printf 'image: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[ "$(id -u)" = 0 ] || die "needs root"
[ -x "$binary" ] || die "no program at $binary; build it, or name one"
for tool in buildah debootstrap strip; do command -v "$tool" >/dev/null || die "$tool is missing; apt-get install $tool"; done

work="$(mktemp -d)"
# Nothing of it is seen by, or left to, other users of buildah on this machine.
buildah() { command buildah --storage-driver "${STORAGE_DRIVER:-overlay}" --root "$work/storage" --runroot "$work/run" "$@"; }
clean() { buildah umount --all >/dev/null 2>&1 || true; rm -rf "$work"; }
trap clean EXIT

if [ ! -e "$cache/base.tar" ]; then
    say "making the base image"
    mkdir -p "$cache"
    debootstrap --variant=minbase "$release" "$work/base" >"$cache/debootstrap.log" 2>&1 || die "debootstrap: see $cache/debootstrap.log"
    # As the slim image of Debian has it.
    rm -rf "$work"/base/{var/cache/apt/archives,usr/share/doc,usr/share/man,usr/share/locale}/* "$work"/base/var/lib/apt/lists/*
    tar -C "$work/base" -cf "$cache/base.tar" . && rm -rf "$work/base"
fi
base="$(buildah from scratch)"
buildah add -q "$base" "$cache/base.tar" / >/dev/null
buildah commit -q "$base" "localhost/debian:$release-slim" >/dev/null
buildah rm "$base" >/dev/null

# The first stage is replaced by the binary; of the second every line is as it stands.
mkdir "$work/context"
strip --strip-debug -o "$work/context/tessds" "$binary"
cp -r "$root"/{LICENSE-APACHE,LICENSE-MIT,config,examples} "$work/context/"
{
    printf 'FROM scratch AS build\nCOPY tessds /src/target/release/tessds\n'
    sed -n "/^FROM debian:/,\$p" "$root/deploy/Dockerfile" | sed "s,^FROM debian:,FROM localhost/debian:,"
} >"$work/Dockerfile"
buildah bud -q --isolation chroot --format docker -f "$work/Dockerfile" -t tessds "$work/context" >/dev/null

config() { buildah inspect --type image --format "{{.Docker.Config.$1}}" tessds; }
user="$(config User)"
[ "$user" = 10001:10001 ] || die "the image runs as '$user'"
[[ "$(config Entrypoint)" == *"/usr/local/bin/tessds"* ]] || die "the image starts $(config Entrypoint)"
[ -n "$(buildah inspect --type image --format '{{.Docker.Config.Healthcheck}}' tessds)" ] || die "no health check"

container="$(buildah from tessds)"
mounted="$(buildah mount "$container")"
bytes="$(du -sb --apparent-size "$mounted" | cut -f1)"

# inside SCRIPT: runs it as the image's user, where only /output and /tmp can be written.
inside() {
    # shellcheck disable=SC2016  # expanded inside
    unshare --mount --pid --fork --kill-child sh -euc '
        mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
        mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$1/tmp" && mount -t tmpfs -o uid=10001,gid=10001 tmpfs "$1/output"
        exec chroot --userspec="$2" "$1" bash -euc "cd /output; $3"
    ' sh "$mounted" "$user" "$1"
}

inside 'tessds --version' || die "the program does not start"
inside '[ "$(id -u)" = 10001 ] && ! touch /usr/local/bin/x 2>/dev/null && ! touch /etc/x 2>/dev/null' || die "the root file system can be written"
# A whole run that is driven from outside; then its health is asked by the image's own health check.
healthcheck="$(sed -n 's/^ *CMD \["bash", "-c", \(".*"\)\]$/\1/p' "$root/deploy/Dockerfile" | python3 -c 'import json,sys; print(json.load(sys.stdin))')"
printf '%s\n' "$healthcheck" >"$work/check"
cp "$work/check" "$mounted/tmp.check"
inside '
    options="--config /etc/tessds/tessds.toml --config /etc/tessds/cluster.toml -c /usr/share/tessds/helsinki/run.sumocfg"
    tessds run $options --role master --name master --workers 1 --store dir:/tmp/store --http 127.0.0.1:7780 --tripinfo-output tripinfo.xml --report-json report.json -q &
    master=$!
    tessds run --role worker --name worker --master 127.0.0.1:7700 --store dir:/tmp/store 2>/dev/null &
    healthy=0
    for _ in $(seq 100); do if bash /tmp.check 2>/dev/null; then healthy=1; break; fi; sleep 0.1; done
    wait $master
    [ $healthy = 1 ] || { echo "the health check does not pass"; exit 1; }
    grep -q digest report.json && grep -q "<tripinfo " tripinfo.xml
' 2>"$work/log" || { tail -20 "$work/log" >&2; die "the run in the image failed"; }
say "ok: $((bytes / 1000000)) MB, of which the program $(($(stat -c %s "$mounted/usr/local/bin/tessds") / 1000000)) MB"
