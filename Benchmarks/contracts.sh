#!/usr/bin/env bash
# Measures a migration with very many tracked contracts beside live ingestion that closes a ledger a second. Argument: the folder with the programs.
#
#   CONTRACTS=N   tracked contracts (1000000)
#   FETCHERS=N    (16)
#
# Prints the time from the start to the first commit, from reaching the tip to the handoff, workers lost, and from SIGTERM to the end.
source "$(dirname "$0")/common.sh"
count=${CONTRACTS:-1000000} fetchers=${FETCHERS:-16} ledgers=1500 first=1000

serve --seed 7 --first $first --count $ledgers --events 20 --ledger-bytes 100000 --close-every 1
last=$((first + ledgers - 1))
sql --set contracts="$("$programs/ledger-simulator" contracts --seed 7)" --set first=$first --set last=$last --set count="$count" <<'SQL'
update protocols set classification_status = 'success';
insert into protocol_wasms(wasm_hash, protocol_id) select sha256(id::bytea), id from protocols;
insert into protocol_contracts(contract_id, wasm_hash)
    select decode(contract, 'hex'), sha256(key::bytea) from jsonb_each(:'contracts'::jsonb), jsonb_array_elements_text(value) as contract;
insert into protocol_contracts(contract_id, wasm_hash)
    select sha256(n::text::bytea), sha256('SEP41'::bytea) from generate_series(1, :count) n on conflict do nothing;
insert into ingest_store values ('oldest_ingest_ledger', :'first'), ('latest_ingest_ledger', :'last');
analyze;
SQL
settings=(--database-url "$DATABASE_URL" --rpc-url "$rpc" --network-passphrase "$network" --network bench)
"$programs/wallet-backend" ingest "${settings[@]}" 2>"$work/ingest.log" &
ingest=$!

seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", b - a }'; }
now() { date +%s.%N; }
# The time in the first line of the log that has these words.
time_of() { grep -m 1 -- "$1" "$work/log" | sed -E 's/^.*ts=([^ ]*) .*$/\1/' | { read -r t; date -d "$t" +%s.%N; }; }

start=$(now)
"$programs/wallet-backend" protocol-migrate history --protocol-id SEP50 SEP41 "${settings[@]}" --fetchers "$fetchers" 2>"$work/log" &
run=$!
until [ "$(sql --command "select count(*) from ingest_store where key like 'protocol%cursor' and value::int > 999")" = 2 ]; do
    kill -0 $run 2>/dev/null || { tail -n 5 "$work/log"; exit 1; }
    sleep 0.1
done
first_commit=$(now)
wait $run || { tail -n 5 "$work/log"; exit 1; }
echo "$count contracts, $fetchers fetchers, live ingestion closing a ledger a second, $(nproc) cores:"
echo "  first commit after $(seconds "$start" "$first_commit") s, handoff $(seconds "$(time_of 'caught up')" "$(time_of HANDOFF)") s after reaching the tip," \
    "workers lost: $(grep -c 'worker lost' "$work/log" || true)"
kill -TERM $ingest
wait $ingest
# And how it ends in its midst.
sql --command "update protocols set history_migration_status = 'not_started'; delete from ingest_store where key like 'protocol%cursor'; truncate state_changes"
"$programs/wallet-backend" protocol-migrate history --protocol-id SEP50 SEP41 "${settings[@]}" --fetchers "$fetchers" 2>"$work/log" &
run=$!
until grep -q 'round begins' "$work/log"; do sleep 0.05; done
signalled=$(now)
kill -TERM $run
wait $run || true
echo "  ended $(seconds "$signalled" "$(now)") s after SIGTERM in the midst of handing the contracts out"
