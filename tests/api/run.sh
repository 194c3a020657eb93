#!/bin/sh
# run.sh BUILD_DIR PCVD FOLDER [TEST…]: tests of FOLDER (a sibling of this file's) with the real
# Python client, boto3 and moto (an S3 to talk to), which are installed from PyPI into
# BUILD_DIR/venv-sdk the first time. Without them the tests fail: they do not pass by not running.
set -eu
build=$(realpath "$1") pcvd=$(realpath "$2") folder=$3 # the runner may name them from its folder
shift 3
tests=$(cd "$(dirname "$0")/.." && pwd)
venv=$build/venv-sdk

# Two suites may come here at once.
exec 9>"$build/venv-sdk.lock"
flock 9
if ! "$venv/bin/python" -c 'import pachyderm_sdk, boto3, moto.server' 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    if ! "$venv/bin/pip" --quiet --disable-pip-version-check install 'pachyderm-sdk[cdr]==2.12.2' \
        'boto3>=1.40,<2' 'moto[s3]>=5,<6' 'flask>=3,<4' 'flask-cors>=5,<7'; then
        rm -rf "$venv"
        echo 'FAIL: the Python client could not be installed (is PyPI reachable?)' >&2
        exit 1
    fi
fi
exec 9>&-

[ $# -gt 0 ] || set -- discover -q -s "$tests/$folder" -p 'test_*.py'
cd "$tests/$folder"
PCVD=$pcvd PYTHONPATH=$tests/api PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" -m unittest "$@"
