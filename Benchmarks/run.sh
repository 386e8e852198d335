#!/usr/bin/env bash
# Measures the whole group on this machine: simulator, PostgreSQL and all processes share its cores. Argument: the folder with the programs.
#
#   PUBNET_LEDGERS=DIR   a folder with the twelve consecutive pubnet ledgers 63092982-63092993; without it, generated ledgers of 1 MB are used
#   LEDGERS=N            ledgers per run (3000)
#
# Prints one line per run: ledgers/s, CPU milliseconds per ledger by process, peak resident megabytes by process, and whether each ledger was fetched once.
source "$(dirname "$0")/common.sh"
ledgers=${LEDGERS:-3000}

choose_ledgers "$ledgers"
mkdir "$work/walk"
if [ -n "${PUBNET_LEDGERS:-}" ]; then
    for file in "$PUBNET_LEDGERS"/ledger-630929*.xdr.gz; do gzip -dc "$file" >"$work/walk/$(basename "$file" .gz)"; done
else
    "$programs/ledger-simulator" make --seed 7 --first 1000 --count 12 --events 20 --out "$work/walk"
fi
echo "Reading, one thread:"
"$programs/ledger-walk-benchmark" "$work/walk" 200
echo
echo "$kind: $ledgers a run, $(nproc) cores"
serve "${source_arguments[@]}"
simulator=$!
bare=$(python3 Benchmarks/bare-receive.py "$rpc" 1000 "$((ledgers < 4000 ? ledgers : 4000))" 14)
kill $simulator
echo "bare receive of the same bytes, one thread: $bare ms of CPU per ledger"
measure "1 fetcher" "--fetchers 1" "$ledgers" 0 "${source_arguments[@]}"
measure "2 fetchers" "--fetchers 2" "$ledgers" 0 "${source_arguments[@]}"
measure "2 fetchers, 100 ms latency" "--fetchers 2" "$ledgers" 100 "${source_arguments[@]}"
measure "2 fetchers, batches of 1" "--fetchers 2 --batch-size 1" "$ledgers" 0 "${source_arguments[@]}"
