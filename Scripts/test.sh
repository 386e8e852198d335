#!/usr/bin/env bash
# Runs all tests against the programs as they are shipped. Arguments: the build configuration, then any for `swift test`.
set -euo pipefail
cd "$(dirname "$0")/.."
configuration=${1:-release}
shift || true

export WITNESS_PYTHON="$PWD/.build/witness/bin/python"
[ -x "$WITNESS_PYTHON" ] || unset WITNESS_PYTHON
# A backtrace of a crashing child would take minutes and hang a run without a terminal.
export SWIFT_BACKTRACE=enable=no

# Ledgers that are not ours to ship but may lie beside the checkout: real ones, and a generator of further synthetic ones.
beside=../shared/ledgers
if [ -z "${PUBNET_LEDGERS:-}" ] && [ -d "$beside/pubnet" ]; then
    PUBNET_LEDGERS=$(realpath "$beside/pubnet")
    export PUBNET_LEDGERS
fi
if [ -n "${WITNESS_PYTHON:-}" ]; then
    if [ -n "${PUBNET_LEDGERS:-}" ] && [ -z "${WITNESSED_LEDGERS:-}" ]; then
        export WITNESSED_LEDGERS=$PWD/.build/witnessed-ledgers
        if [ ! -e "$WITNESSED_LEDGERS/witness.json" ]; then
            mkdir -p "$WITNESSED_LEDGERS"
            for file in "$PUBNET_LEDGERS"/*.xdr.gz; do gzip -dc "$file" >"$WITNESSED_LEDGERS/$(basename "$file" .gz)"; done
            "$WITNESS_PYTHON" Scripts/witness-ledgers.py "$WITNESSED_LEDGERS"/*.xdr >"$WITNESSED_LEDGERS/witness.part"
            mv "$WITNESSED_LEDGERS/witness.part" "$WITNESSED_LEDGERS/witness.json"
        fi
    fi
    if [ -z "${MADE_LEDGERS:-}" ] && [ -e "$beside/make_ledgers.py" ]; then
        export MADE_LEDGERS=$PWD/.build/made-ledgers
        for seed in 2 3 4 5 6 7 8 9 10 11 12; do
            [ ! -e "$MADE_LEDGERS/seed-$seed" ] || continue
            "$WITNESS_PYTHON" "$beside/make_ledgers.py" --seed $seed --count 12 --malformed --out "$MADE_LEDGERS/part" >/dev/null
            mv "$MADE_LEDGERS/part" "$MADE_LEDGERS/seed-$seed"
        done
    fi
fi

swift build -c "$configuration" --build-tests
exec swift test -c "$configuration" --skip-build "$@"
