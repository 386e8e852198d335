#!/usr/bin/env bash
# Installs what this machine lacks. Argument: what for. build: the C libraries; demo: PostgreSQL as well; test (unless given): Python and its
# packages, too. Says nothing where nothing is missing, and before it changes anything outside the checkout, what.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-test}
case $purpose in build | demo | test) ;; *) echo "setup: build, demo or test, not $purpose" >&2; exit 64 ;; esac

command -v swift >/dev/null || { echo "setup: Swift 6.2 or later is needed: https://www.swift.org/install" >&2; exit 1; }

missing=()
[ -e /usr/include/postgresql/libpq-fe.h ] || missing+=(libpq-dev)
[ -e /usr/include/zmq.h ] || missing+=(libzmq3-dev)
[ -e /usr/include/zstd.h ] || missing+=(libzstd-dev)
server=
if [ "$purpose" != build ]; then
    if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && ! command -v postgres >/dev/null; then server=yes missing+=(postgresql); fi
    command -v psql >/dev/null || missing+=(postgresql-client)
fi
if [ "$purpose" = test ]; then
    command -v python3 >/dev/null || missing+=(python3)
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
fi

root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)
if [ ${#missing[@]} -gt 0 ]; then
    if [ ${#root[@]} -gt 0 ] && ! command -v sudo >/dev/null; then
        echo "setup: not root and no sudo; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    command -v apt-get >/dev/null || { echo "setup: no apt-get here; install what Debian calls ${missing[*]}" >&2; exit 1; }
    echo "setup: installing with apt-get${root[*]:+, as root by sudo}: ${missing[*]}"
    # Debian would start a cluster of its own on installation; nobody here uses it.
    clusters=/etc/postgresql-common/createcluster.conf
    if [ -n "$server" ] && [ ! -e "$clusters" ]; then
        echo "setup: writing 'create_main_cluster = false' to $clusters, so that no PostgreSQL server starts by itself"
        ${root[@]+"${root[@]}"} sh -c "mkdir -p ${clusters%/*} && echo 'create_main_cluster = false' >$clusters"
    fi
    log=$(mktemp)
    if ! { ${root[@]+"${root[@]}"} apt-get update &&
        ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "setup: apt-get failed, its output is above" >&2
        exit 1
    fi
    rm -f "$log"
fi
[ "$purpose" = test ] || exit 0

# What a few tests look through: a browser for the status page, a supervisor for the group, Prometheus' own check of the metrics. Tests whose program cannot
# be had are skipped, and say so.
witnesses=()
command -v chromium >/dev/null || witnesses+=(chromium fonts-dejavu-core)
command -v supervisord >/dev/null || witnesses+=(supervisor)
command -v promtool >/dev/null || witnesses+=(prometheus)
if [ ${#witnesses[@]} -gt 0 ]; then
    echo "setup: installing for tests${root[*]:+, as root by sudo}: ${witnesses[*]}"
    # Nobody here uses the services that come with them.
    log=$(mktemp)
    if ! { ${root[@]+"${root[@]}"} apt-get update &&
        ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "${witnesses[@]}"; } >"$log" 2>&1; then
        echo "setup: ${witnesses[*]} cannot be had ($(tail -n 1 "$log")); the tests with them will be skipped" >&2
    fi
    rm -f "$log"
fi

# The independent witness of our reading: the Python Stellar SDK and zstandard, in an environment of their own.
witness=.build/witness
if ! "$witness/bin/python" -c 'import stellar_sdk, zstandard' 2>/dev/null; then
    echo "setup: installing the Python stellar-sdk and zstandard into $witness (witness of the XDR and lake tests)"
    mkdir -p .build
    { python3 -m venv "$witness" && "$witness/bin/pip" install --quiet 'stellar-sdk>=16.1' zstandard; } >/dev/null 2>"$witness.log" || {
        echo "setup: no stellar-sdk or zstandard ($(tail -n 1 "$witness.log")); the tests against them will be skipped" >&2
    }
fi
