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

# A second fetcher whose RPC takes two seconds for a response, a hundred times as long as the first one's, and a writer that a lock holds up for ten.
slow_company() {
    local rpc
    until grep -qs 'round begins' "$work/log"; do sleep 0.05; done
    sql >/dev/null <<<"begin; select from ingest_store where key like 'protocol%cursor' for update; select pg_sleep(10); rollback" &
    serve --latency 2000 "$@"
    "$programs/wallet-backend-fetcher" --endpoint "ipc://$work/group" --rpc-url "$rpc" 2>"$work/fetcher.log" &
    company=$!
}
beside=slow_company
measure "a slow fetcher and a slow writer" "--fetchers 1 --batch-size 100 --endpoint ipc://$work/group" 3000 20 \
    --seed 7 --first 1000 --count 3000 --events 20 --ledger-bytes 1000000
