#!/usr/bin/env bash
# run-sanitized.sh BUILD SUITE…: suites of an instrumented build folder, with the server and its workers
# instrumented, too. Any report fails, also one of a process whose exit status nobody asks for: reports go to
# files, and there must be none.
set -u
build=$(realpath "$1")
shift
reports=$build/sanitizer-reports
rm -rf "$reports" && mkdir -p "$reports" || exit 1
# Workers that run as other users write here, too.
chmod 1777 "$reports"

# Tests that measure memory know by this that it says nothing.
export PCV_SANITIZED=address
ldd "$build/bin/pcvd" | grep -q libtsan && PCV_SANITIZED=thread
export ASAN_OPTIONS=log_path=$reports/asan:exitcode=99:detect_stack_use_after_return=1
export UBSAN_OPTIONS=log_path=$reports/ubsan:print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=log_path=$reports/tsan:exitcode=99:second_deadlock_stack=1

suites=()
for suite in "$@"; do suites+=(--suite "$suite"); done
meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier 10 "${suites[@]}"
status=$?
for report in "$reports"/*; do
    [ -s "$report" ] || continue
    echo "run-sanitized: $report:" >&2
    cat "$report" >&2
    status=1
done
exit $status
