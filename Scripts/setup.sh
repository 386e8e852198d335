#!/usr/bin/env bash
# Installs what the build, the tests and the demo need and this machine lacks. Says nothing where nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v swift >/dev/null || { echo "setup: Swift 6.2 or later is needed: https://www.swift.org/install" >&2; exit 1; }

missing=()
[ -e /usr/include/postgresql/libpq-fe.h ] || missing+=(libpq-dev)
[ -e /usr/include/zmq.h ] || missing+=(libzmq3-dev)
[ -e /usr/include/zstd.h ] || missing+=(libzstd-dev)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
command -v psql >/dev/null || missing+=(postgresql-client)
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
    echo "setup: installing ${missing[*]}"
    root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "setup: not root and no sudo; as root: apt-get install ${missing[*]}" >&2; exit 1; }
        root=(sudo)
    fi
    log=$(mktemp)
    # Debian would start a cluster of its own on installation; nobody here uses it.
    ${root[@]+"${root[@]}"} sh -c "mkdir -p /etc/postgresql-common && [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf"
    if ! { ${root[@]+"${root[@]}"} apt-get update &&
        ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "setup: apt-get failed, its output is above" >&2
        exit 1
    fi
    rm -f "$log"
fi

# The independent witness of our reading: the Python Stellar SDK and zstandard, in an environment of their own.
witness=.build/witness
if ! "$witness/bin/python" -c 'import stellar_sdk, zstandard' 2>/dev/null; then
    echo "setup: installing the Python stellar-sdk and zstandard (witness of the XDR and lake tests)"
    mkdir -p .build
    { python3 -m venv "$witness" && "$witness/bin/pip" install --quiet 'stellar-sdk>=16.1' zstandard; } >/dev/null 2>"$witness.log" || {
        echo "setup: no stellar-sdk or zstandard ($(tail -n 1 "$witness.log")); the tests against them will be skipped" >&2
    }
fi
