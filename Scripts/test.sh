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

# Object stores that nobody here wrote, to be read from. What cannot be had is skipped.
if [ -z "${DATALAKE_PYTHON:-}" ] && servers=$(Scripts/lake-servers.sh); then export DATALAKE_PYTHON=$servers; fi

# Real ledgers are not ours to ship but may lie beside the checkout.
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
    if [ -z "${MADE_LEDGERS:-}" ]; then
        # What an older version of the script made is of no use.
        MADE_LEDGERS=$PWD/.build/made-ledgers-$(sha256sum Scripts/make_ledgers.py | cut -c 1-12)
        export MADE_LEDGERS
        for seed in 2 3 4 5 6 7 8 9 10 11 12; do
            [ ! -e "$MADE_LEDGERS/seed-$seed" ] || continue
            "$WITNESS_PYTHON" Scripts/make_ledgers.py --seed $seed --count 12 --malformed --out "$MADE_LEDGERS/part" >/dev/null
            mv "$MADE_LEDGERS/part" "$MADE_LEDGERS/seed-$seed"
        done
    fi
fi

swift build -c "$configuration" --build-tests
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
swift test -c "$configuration" --skip-build "$@" 2>&1 | tee "$output" || status=$?

# What was skipped is said at the end, by name, with the way to have it run.
skipped=$(sed -nE 's/^[^ ]+ (Test|Suite) (.*) skipped(: "(.*)")?\.?$/\2\t\4/p' "$output" | sort -u)
if [ -n "$skipped" ]; then
    printf '\nskipped:\n'
    printf '%s\n' "$skipped" | awk -F '\t' '{ printf "    %s%s\n", $1, $2 == "" ? "" : ": " $2 }'
    [ -n "${PUBNET_LEDGERS:-}" ] || cat <<'TEXT'
PUBNET_LEDGERS: a folder with ledger-SEQUENCE.xdr.gz for 50733210, 51000294, 57500008, 60661500 and 63092982 to 63092993 (one LedgerCloseMeta each, from the
    public data lake s3://aws-public-blockchain/v1.1/stellar/ledgers/pubnet, or an RPC's getLedgers), contracts.txt (the contracts that emit events in
    them) and expected.jsonl (their four rows, in the form of Tests/Fixtures/synthetic).
TEXT
    [ -n "${WITNESS_PYTHON:-}" ] || echo "WITNESS_PYTHON: \`make setup\` installs it where pip reaches a package index."
    echo "Servers of the ObjectStores tests: Scripts/lake-servers.sh installs them, as root or with sudo."
    [ -n "${MADE_LEDGERS:-}" ] || echo "MADE_LEDGERS: Scripts/make_ledgers.py makes them for this script where WITNESS_PYTHON is there."
fi
exit "$status"
