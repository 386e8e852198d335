#!/usr/bin/env bash
# The whole story on this machine: a private PostgreSQL, a simulated network, a migration, and what is in the database afterwards.
# Argument: the folder with the programs. LEDGERS, EVENTS, FETCHERS change the size.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${1:-.build/release}
ledgers=${LEDGERS:-4000} events=${EVENTS:-20} first=1000 seed=7
last=$((first + ledgers - 1))
network="Standalone Network ; February 2017"

work=$(mktemp -d)
chmod 755 "$work"
source Scripts/private-postgres.sh
finish() {
    status=$?
    [ -z "${simulator:-}" ] || kill "$simulator" 2>/dev/null || true
    stop_private_postgres
    rm -rf "$work"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
say() { printf '\n\033[1m%s\033[0m\n' "$1"; }
sql() { psql "$DATABASE_URL" --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"; }

say "1. A private PostgreSQL"
start_private_postgres "$work/postgres"
echo "$DATABASE_URL"

say "2. A simulated network: ledgers $first-$last, about 1 MB each"
mkfifo "$work/simulator"
"$programs/ledger-simulator" serve --port 0 --seed $seed --first $first --count "$ledgers" --events "$events" \
    --network-passphrase "$network" >"$work/simulator" &
simulator=$!
read -r line <"$work/simulator"
rpc=${line#listening on }
echo "$rpc"

say "3. wallet-backend migrate up, and the contracts that live ingestion would have classified"
"$programs/wallet-backend" migrate up --database-url "$DATABASE_URL" --log-level warning
contracts=$("$programs/ledger-simulator" contracts --seed $seed)
sql --set contracts="$contracts" --set first=$first --set last=$last <<'SQL'
update protocols set classification_status = 'success' where id in ('SEP41', 'SEP50');
insert into protocol_wasms(wasm_hash, protocol_id) select sha256(id::bytea), id from protocols where classification_status = 'success';
insert into protocol_contracts(contract_id, wasm_hash)
    select decode(contract, 'hex'), sha256(key::bytea)
    from jsonb_each(:'contracts'::jsonb), jsonb_array_elements_text(value) as contract;
insert into ingest_store values ('oldest_ingest_ledger', :'first'), ('latest_ingest_ledger', :'last');
select protocol_id as protocol, count(*) as contracts from protocol_contracts join protocol_wasms using (wasm_hash) group by 1 order by 1;
SQL

say "4. wallet-backend protocol-migrate history --protocol-id SEP50 SEP41"
start=$(date +%s.%N)
"$programs/wallet-backend" protocol-migrate history --protocol-id SEP50 SEP41 --database-url "$DATABASE_URL" --rpc-url "$rpc" \
    --network-passphrase "$network" --network standalone --fetchers "${FETCHERS:-2}" --convergence-wait 1
end=$(date +%s.%N)

say "5. What is in the database now"
sql --set seconds="$(echo "$end $start" | awk '{printf "%.1f", $1 - $2}')" --set ledgers="$ledgers" <<'SQL'
select case when state_change_id < 3 * (1::bigint << 40) then 'SEP41' else 'SEP50' end as protocol,
       state_change_category as category, state_change_reason as reason, count(*) as rows,
       min(ledger_number) as first_ledger, max(ledger_number) as last_ledger
from state_changes group by 1, 2, 3 order by 1, 2, 3;
select id as protocol, history_migration_status as status, value as history_cursor
from protocols join ingest_store on key = 'protocol_' || id || '_history_cursor' order by 1;
select :ledgers as ledgers, count(*) as rows, :seconds as seconds, round(:ledgers / :seconds) as "ledgers/s" from state_changes;
SQL

expected=$("$programs/ledger-simulator" expect --seed $seed --first $first --count "$ledgers" --events "$events" | wc -l)
found=$(sql --tuples-only --no-align --command 'select count(*) from state_changes')
echo "rows expected by the simulator: $expected, found: $found"
[ "$expected" -eq "$found" ]
