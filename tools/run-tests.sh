#!/usr/bin/env bash
# Runs every test suite of a build folder and closes with one line: "N passed, N failed[, N skipped]".
# A test here is a test program; its own cases are in the log that Meson keeps.
set -u
build=${1:-build}
cd "$(dirname "$0")/.."
[ -x "$build/bin/pcvd" ] || { echo "run-tests: build first: make" >&2; exit 1; }

meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier "${PCV_TEST_TIMEOUT_FACTOR:-2}"
status=$?

read -r passed failed skipped < <(python3 - "$build/meson-logs/testlog.json" <<'PY'
import json, sys
outcome = {'passed': 0, 'failed': 0, 'skipped': 0}
for line in open(sys.argv[1]):
    result = json.loads(line)['result']
    key = 'passed' if result in ('OK', 'EXPECTEDFAIL') else 'skipped' if result == 'SKIP' else 'failed'
    outcome[key] += 1
print(outcome['passed'], outcome['failed'], outcome['skipped'])
PY
)
echo "${passed:-0} passed, ${failed:-1} failed, ${skipped:-0} skipped"
[ "$status" -eq 0 ] && [ "${passed:-0}" -gt 0 ] && [ "${failed:-1}" -eq 0 ]
