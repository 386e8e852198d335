#!/usr/bin/env bash
# Measures how fast live ingestion catches up, by the number of tracked contracts: it must not depend on it. Argument: the folder with the programs.
#
#   LEDGERS=N      ledgers per run (1500), generated, of LEDGER_BYTES each (20000) with EVENTS events (20)
#   CONTRACTS=...  numbers of tracked contracts beside those of the ledgers ("0 10000 1000000")
#
# Simulator, PostgreSQL (which waits for the disk at each commit) and live ingestion share the machine's cores. Prints a line per number.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${1:-.build/release}
ledgers=${LEDGERS:-1500}
work=$(mktemp -d)
chmod 755 "$work"
source Scripts/private-postgres.sh
finish() {
    status=$?
    for process in ${ingest:-} ${simulator:-}; do kill "$process" 2>/dev/null || true; done
    stop_private_postgres
    rm -rf "$work"
    exit $status
}
trap finish EXIT
network="Standalone Network ; February 2017"
last=$((1000 + ledgers - 1))
sql() { psql "$DATABASE_URL" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }

start_private_postgres "$work/postgres"
"$programs/wallet-backend" migrate up --database-url "$DATABASE_URL" --log-level warning
mkfifo "$work/pipe"
"$programs/ledger-simulator" serve --port 0 --network-passphrase "$network" --seed 7 --first 1000 --count "$ledgers" --events "${EVENTS:-20}" \
    --ledger-bytes "${LEDGER_BYTES:-20000}" >"$work/pipe" 2>"$work/simulator.log" &
simulator=$!
read -r line <"$work/pipe"
contracts=$("$programs/ledger-simulator" contracts --seed 7)

for number in ${CONTRACTS:-0 10000 1000000}; do
    sql --set contracts="$contracts" --set number="$number" <<'SQL'
truncate state_changes, ingest_store, protocol_contracts;
delete from protocol_wasms;
insert into protocol_wasms(wasm_hash, protocol_id) select sha256(id::bytea), id from protocols;
insert into protocol_contracts(contract_id, wasm_hash)
    select decode(contract, 'hex'), sha256(key::bytea) from jsonb_each(:'contracts'::jsonb), jsonb_array_elements_text(value) as contract;
insert into protocol_contracts(contract_id, wasm_hash) select sha256(n::text::bytea), sha256('SEP41') from generate_series(1, :number) as n;
insert into ingest_store values ('protocol_SEP41_history_cursor', '999'), ('protocol_SEP50_history_cursor', '999');
checkpoint;
SQL
    : >"$work/log"
    "$programs/wallet-backend" ingest --database-url "$DATABASE_URL" --rpc-url "${line#listening on }" --network-passphrase "$network" \
        --network bench --start-ledger 1000 2>"$work/log" &
    ingest=$!
    until grep -q "at the tip.*ledger=$last " "$work/log"; do
        kill -0 $ingest || { tail -n 5 "$work/log" >&2; exit 1; }
        sleep 0.1
    done
    kill $ingest
    wait $ingest || { tail -n 5 "$work/log" >&2; exit 1; }
    ingest=
    begin=$(awk '/beginning with an empty database/ { sub("ts=", "", $1); print $1; exit }' "$work/log")
    end=$(awk -v last="ledger=$last" '/at the tip/ && index($0 " ", last " ") { sub("ts=", "", $1); print $1; exit }' "$work/log")
    rows=$(sql --command 'select count(*) from state_changes')
    awk -v n="$ledgers" -v number="$number" -v rows="$rows" -v b="$(date -d "$begin" +%s.%N)" -v e="$(date -d "$end" +%s.%N)" \
        'BEGIN { printf "%8d further contracts: %6.0f ledgers/s  %d rows in %.1f s\n", number, n / (e - b), rows, e - b }'
done
