#!/usr/bin/env bash
# Measures what the group keeps in memory, whatever the batches and however rich the ledgers: peaks by process. Argument: the folder with the programs.
source "$(dirname "$0")/common.sh"

contracts=$("$programs/ledger-simulator" contracts --seed 7)
for batch in 1 100 10000 100000; do
    for shape in "0 3000" "20 3000" "600 600" "5000 100"; do
        read -r events ledgers <<<"$shape"
        measure "batches of $batch, $events events a ledger" "--fetchers 2 --batch-size $batch" "$ledgers" 0 \
            --seed 7 --first 1000 --count "$ledgers" --events "$events" --ledger-bytes 20000
    done
done
measure "ledgers that grow from 20 KB to 10 MB" "--fetchers 2" 700 0 \
    --seed 7 --first 1000 --count 700 --events 20 --ledger-bytes 20000 --ledger-bytes-from 1500:10000000
