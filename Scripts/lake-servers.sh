#!/usr/bin/env bash
# Installs the object stores that the tests read from: moto, OpenStack Swift and gcp-storage-emulator (PyPI, into an environment of their
# own), nginx and libzstd-dev (Debian). Says nothing where nothing is missing; the tests skip what cannot be had.
#
#   lake-servers.sh [FOLDER]    FOLDER: of the Python environment, .build/lake-servers by default. Printed at the end, for DATALAKE_PYTHON:
#                               export DATALAKE_PYTHON="$(Scripts/lake-servers.sh)"
#
# OpenStack Swift keeps what it knows of an object in extended attributes (user.*) of its file, in the folder of temporary files (TMPDIR):
# ext4, xfs and btrfs have them, tmpfs from Linux 6.6 on. No file system has to be made for it.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "${1:-.build/lake-servers}")

missing=()
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
[ -e /usr/include/zstd.h ] || missing+=(libzstd-dev)
command -v curl >/dev/null || missing+=(curl)
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
    echo "lake-servers: installing with apt-get: ${missing[*]}" >&2
    root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "lake-servers: not root and no sudo; as root: apt-get install ${missing[*]}" >&2; exit 1; }
        root=(sudo)
    fi
    log=$(mktemp)
    # Debian would start an nginx of its own on port 80; nobody here uses it.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        echo "lake-servers: writing $policy, so that no nginx starts by itself; it is removed afterwards" >&2
        ${root[@]+"${root[@]}"} sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy"
        trap '${root[@]+"${root[@]}"} rm -f '$policy EXIT
    fi
    if ! { ${root[@]+"${root[@]}"} apt-get update &&
        ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "lake-servers: apt-get failed, its output is above" >&2
        exit 1
    fi
    rm -f "$log"
fi

has() { "$folder/bin/python" -c 'import boto3, flask, gcp_storage_emulator, moto, swift.proxy.server, zstandard' 2>/dev/null; }
if ! has; then
    echo "lake-servers: installing moto, swift, gcp-storage-emulator" >&2
    mkdir -p "$(dirname "$folder")"
    { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet 'moto[server]>=5,<6' swift gcp-storage-emulator boto3 zstandard; } \
        >/dev/null 2>"$folder.log" && has || {
        echo "lake-servers: not installed ($(tail -n 1 "$folder.log")); the tests against them will be skipped" >&2
    }
fi
echo "$folder"
