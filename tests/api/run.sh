#!/bin/sh
# run.sh BUILD_DIR PCVD [unittest arguments]: the API's tests with the real Python client, which is
# installed from PyPI into BUILD_DIR/venv-sdk the first time. Without it the tests fail: they do not
# pass by not running.
set -eu
build=$(realpath "$1") pcvd=$(realpath "$2") # the test runner may give them relative to its folder
shift 2
here=$(cd "$(dirname "$0")" && pwd)
venv=$build/venv-sdk

if ! "$venv/bin/python" -c 'import pachyderm_sdk' 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    if ! "$venv/bin/pip" --quiet --disable-pip-version-check install 'pachyderm-sdk==2.12.2'; then
        rm -rf "$venv"
        echo 'FAIL: the Python client could not be installed (is PyPI reachable?)' >&2
        exit 1
    fi
fi

[ $# -gt 0 ] || set -- discover -q -s "$here" -p 'test_*.py'
cd "$here"
PCVD=$pcvd PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" -m unittest "$@"
