#!/usr/bin/env bash
# Installs the packages that building, testing and the demo need, on Debian 12 or Ubuntu 24.04.
# Quiet and instant when all are there; uses sudo when not root. docs/dependencies.md says why each is needed.
set -eu

packages=(
    build-essential meson ninja-build pkg-config python3 python3-venv git
    clang libclang-rt-14-dev universal-ctags
    libnghttp2-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev libsqlite3-dev
    libzstd-dev libssl-dev libyaml-dev libexpat1-dev zlib1g-dev libseccomp-dev libarchive-dev libpcre2-dev libcmocka-dev
    libjq-dev libjsonnet-dev libcurl4-openssl-dev libpq-dev libmariadb-dev
    postgresql mariadb-server-core mariadb-client-core
    s3cmd python3-sklearn r-base-core r-cran-mass curl jq
    skopeo umoci docker-registry crun runc
)
# Ubuntu 24.04 names another clang.
if [ -r /etc/os-release ] && grep -q '^ID=ubuntu' /etc/os-release; then
    packages=("${packages[@]/libclang-rt-14-dev/libclang-rt-18-dev}")
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "install-deps: these packages are missing, and there is no sudo: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -qq &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "install-deps: apt-get could not install: ${missing[*]}" >&2
    exit 1
fi
