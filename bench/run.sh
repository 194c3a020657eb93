#!/usr/bin/env bash
# Runs the benchmarks of a build folder against this machine and the peers that are installed: a JSON object a line.
# usage: bench/run.sh BUILD [CASE…]      cases and settings: bench/run.py
set -eu
build=$(realpath "${1:-build}")
shift || true
[ -x "$build/bin/pcvd" ] || { echo "run.sh: build first: make" >&2; exit 1; }
exec python3 "$(dirname "$0")/run.py" "$build" "$@"
