#!/usr/bin/env bash
# The whole story on this machine: a private PostgreSQL, a simulated network that closes a ledger every second, live ingestion that follows it
# from the start, a migration beside it, the handoff, and an audit of who wrote what. Then the same history once more, from a data lake.
# Argument: the folder with the programs. LEDGERS, EVENTS, FETCHERS change the size.

# The programs, PostgreSQL and the shell read dozens of environment variables. What the demo shows must not depend on them, so it starts
# itself again with the few that it needs.
if [ "${1:-}" != --in-clean-environment ]; then
    # A socket file's path has room for about a hundred characters.
    [ -d "${TMPDIR:-}" ] && [ ${#TMPDIR} -le 60 ] || TMPDIR=/tmp
    exec env -i PATH="$PATH" HOME="${HOME:-/}" TERM="${TERM:-dumb}" TMPDIR="$TMPDIR" ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"} LC_ALL=C \
        LEDGERS="${LEDGERS:-3000}" EVENTS="${EVENTS:-20}" FETCHERS="${FETCHERS:-2}" \
        bash "${BASH_SOURCE[0]}" --in-clean-environment "$@"
fi
shift
set -euo pipefail
programs=$(realpath "${1:-$(dirname "$0")/../.build/release}")
cd "$(dirname "$0")/.."
ledgers=$LEDGERS events=$EVENTS fetchers=$FETCHERS first=1000 seed=7
network="Standalone Network ; February 2017"
for number in "$ledgers" "$events" "$fetchers"; do
    [[ $number =~ ^[1-9][0-9]{0,6}$ ]] || { echo "demo: LEDGERS, EVENTS and FETCHERS are numbers from 1 on: $number" >&2; exit 64; }
done
for program in wallet-backend wallet-backend-fetcher wallet-backend-writer ledger-simulator; do
    [ -x "$programs/$program" ] || { echo "demo: no program $programs/$program: make build" >&2; exit 1; }
done

work=$(mktemp -d)
chmod 755 "$work"
source Scripts/private-postgres.sh
ingest="" simulator="" lake="" current=""
finish() {
    status=$?
    # A second Ctrl-C must not leave anything behind.
    trap '' INT TERM HUP
    trap - EXIT
    for process in "$current" "$ingest"; do [ -z "$process" ] || kill -TERM "$process" 2>/dev/null || true; done
    # Servers would first answer whoever still asks; nobody needs the answers.
    for process in "$lake" "$simulator"; do [ -z "$process" ] || kill -KILL "$process" 2>/dev/null || true; done
    if [ "$status" -ne 0 ]; then
        case $status in
            129 | 130 | 143) printf '\ndemo: interrupted; ending everything that it started\n' ;;
            *)
                [ ! -s "$work/ingest.log" ] || { printf '\nthe last lines of live ingestion:\n' && tail -n 20 "$work/ingest.log"; }
                printf '\ndemo: failed in step %s\n' "${step:-0}"
                ;;
        esac >&2
    fi
    stop_private_postgres 2>/dev/null
    # The programs end by themselves within ten seconds of a signal.
    for process in "$current" "$ingest" "$lake" "$simulator"; do
        [ -z "$process" ] || { timeout 12 tail --pid="$process" -f /dev/null || kill -KILL "$process" 2>/dev/null || true; }
    done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
say() {
    step=${1%%.*}
    printf '\n\033[1m%s\033[0m\n' "$1"
}
# Runs a command so that a signal to the demo is heard while it runs: the shell looks at signals only between commands and while it waits.
run() {
    "$@" &
    current=$!
    wait_for_current
}
wait_for_current() {
    local result=0
    while kill -0 "$current" 2>/dev/null; do
        all_alive || { kill -TERM "$current" 2>/dev/null || true; exit 1; }
        sleep 0.1
    done
    wait "$current" || result=$?
    current=""
    return "$result"
}
# Ends a wait whose end would never come.
all_alive() {
    [ -z "$ingest" ] || kill -0 "$ingest" 2>/dev/null || { echo "demo: live ingestion has ended" >&2; return 1; }
    [ -z "$simulator" ] || kill -0 "$simulator" 2>/dev/null || { echo "demo: the simulated network has ended" >&2; return 1; }
    [ -z "$lake" ] || kill -0 "$lake" 2>/dev/null || { echo "demo: the server of the data lake has ended" >&2; return 1; }
}
# The address that a server prints as its first line; fails where the server ends before that.
address() {
    local line
    read -r line <"$1" || { echo "demo: a server did not start" >&2; return 1; }
    echo "${line#listening on }"
}
sql() { run psql "$DATABASE_URL" --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"; }
# The value of a field in a log line.
field() { sed -E "s/.* $1=([^ ]*).*/\1/"; }
ingested() { grep -c "at the tip" "$work/ingest.log" || true; }
# Waits until live ingestion has said so many times that it is at the tip.
await_ingested() {
    until [ "$(ingested)" -ge "$1" ]; do
        all_alive || exit 1
        sleep 0.2
    done
}

echo "Nine steps, about a minute and a half on two cores, and a few hundred megabytes in $work, which is removed at the end. Ctrl-C ends it at any time."

say "1. A private PostgreSQL with the tables of a wallet backend"
start_private_postgres "$work/postgres"
echo "$DATABASE_URL"
run "$programs/wallet-backend" migrate up --database-url "$DATABASE_URL" --log-level warning

say "2. A simulated network: $ledgers ledgers of about 1 MB from $first on, and another one every second"
mkfifo "$work/simulator"
"$programs/ledger-simulator" serve --port 0 --seed $seed --first $first --count "$ledgers" --events "$events" --close-every 1 \
    --network-passphrase "$network" >"$work/simulator" &
simulator=$!
rpc=$(address "$work/simulator")
echo "$rpc"

say "3. wallet-backend ingest: live ingestion, from the network's first ledger to its tip; no protocol is known yet"
touch "$work/ingest.log"
"$programs/wallet-backend" ingest --database-url "$DATABASE_URL" --rpc-url "$rpc" --network-passphrase "$network" --network standalone \
    --start-ledger $first > >(tee -i "$work/ingest.log") 2>&1 &
ingest=$!
await_ingested 1

say "4. Two protocols are added: their contracts are classified, their history is missing"
contracts=$("$programs/ledger-simulator" contracts --seed $seed)
classify() {
    cat >"$work/classify.sql" <<'SQL'
update protocols set classification_status = 'success' where id in ('SEP41', 'SEP50');
insert into protocol_wasms(wasm_hash, protocol_id) select sha256(id::bytea), id from protocols where classification_status = 'success';
insert into protocol_contracts(contract_id, wasm_hash)
    select decode(contract, 'hex'), sha256(key::bytea)
    from jsonb_each(:'contracts'::jsonb), jsonb_array_elements_text(value) as contract;
select protocol_id as protocol, count(*) as contracts from protocol_contracts join protocol_wasms using (wasm_hash) group by 1 order by 1;
SQL
    sql --set contracts="$contracts" --file "$work/classify.sql"
}
classify

say "5. wallet-backend protocol-migrate history --protocol-id SEP50 SEP41, while live ingestion goes on"
start=$(date +%s.%N)
"$programs/wallet-backend" protocol-migrate history --protocol-id SEP50 SEP41 --database-url "$DATABASE_URL" --rpc-url "$rpc" \
    --network-passphrase "$network" --network standalone --fetchers "$fetchers" > >(tee -i "$work/migration.log") 2>&1 &
current=$!
wait_for_current
end=$(date +%s.%N)

say "6. The migration has ended; live ingestion writes three more ledgers by itself, and is told to end"
await_ingested $(($(ingested) + 3))
current=$ingest
ingest=
kill -TERM "$current"
wait_for_current

say "7. The audit: every row that the network's ledgers must give, once, and by whom it was written"
handoffs=""
for id in SEP41 SEP50; do
    through=$(grep "HANDOFF: .* protocol=$id" "$work/migration.log" | field migrated_through)
    taken=$(grep "history cursor taken over.* protocol=$id" "$work/ingest.log" | field ledger)
    handoffs="$handoffs('$id', $through, $taken),"
done
sql --tuples-only --no-align --output "$work/last" --command "select value from ingest_store where key = 'latest_ingest_ledger'"
last=$(cat "$work/last")
run "$programs/ledger-simulator" expect --seed $seed --first $first --count $((last - first + 1)) --events "$events" >"$work/expected"
{
    cat <<SQL
create temp table handoff(protocol text, migrated_through int, live_from int);
insert into handoff values ${handoffs%,};
create temp table line(expected jsonb);
copy line from stdin with (format csv, quote e'\x01', delimiter e'\x02');
SQL
    cat "$work/expected"
    cat <<'SQL'
\.
create temp table expected as
    select (expected->>'to_id')::bigint as to_id, (expected->>'operation_id')::bigint as operation_id,
           (expected->>'state_change_id')::bigint as state_change_id, (expected->>'ledger_number')::int as ledger_number,
           case when (expected->>'state_change_id')::bigint < 3 * (1::bigint << 40) then 'SEP41' else 'SEP50' end as protocol
    from line;
select protocol, migrated_through, live_from, value as cursor_now, history_migration_status as status
from handoff join ingest_store on key = 'protocol_' || protocol || '_history_cursor' join protocols on id = protocol order by 1;
create temp table found as
    select case when state_change_id < 3 * (1::bigint << 40) then 'SEP41' else 'SEP50' end as protocol, * from state_changes;
select protocol, case when ledger_number <= migrated_through then 'migration' else 'live ingestion' end as written_by,
       min(ledger_number) as first_ledger, max(ledger_number) as last_ledger, count(*) as rows,
       to_char(min(ingested_at), 'HH24:MI:SS') as from, to_char(max(ingested_at), 'HH24:MI:SS') as until
from found join handoff using (protocol) group by 1, 2 order by 1, 3;
\o /dev/null
select count(*) filter (where f.to_id is null) as missing, count(*) filter (where e.to_id is null) as unexpected,
       (select count(*) - count(distinct (to_id, operation_id, state_change_id)) from found) as double,
       count(e.to_id) as expected
from expected e full join found f using (protocol, ledger_number, to_id, operation_id, state_change_id) \gset
select :missing + :unexpected + :double + count(*) = 0 as passed from handoff where live_from <> migrated_through + 1 \gset
\o
\echo ledgers from oldest to latest: :ledgers, rows expected: :expected, missing: :missing, unexpected: :unexpected, twice: :double
\if :passed
\echo audit passed
\else
select 1 / 0 as "audit failed";
\endif
SQL
} >"$work/audit.sql"
sql --set ledgers=$((last - first + 1)) --file "$work/audit.sql"
seconds=$(echo "$end $start" | awk '{printf "%.1f", $1 - $2}')
echo "the migration took $seconds s beside live ingestion"

say "8. The network as a data lake (SEP-54), behind HTTP with 50 ms before each file: $((last - first + 1)) files of zstd"
run "$programs/ledger-simulator" lake --seed $seed --first $first --count $((last - first + 1)) --events "$events" --network-passphrase "$network" \
    --out "$work/lake"
mkfifo "$work/lake.pipe"
"$programs/ledger-simulator" serve-lake --lake "$work/lake" --latency 50 >"$work/lake.pipe" 2>"$work/lake.log" &
lake=$!
lake_url=$(address "$work/lake.pipe")
echo "$lake_url"

say "9. Another database, whose live ingestion began at ledger $last: all before it comes from the lake"
rows="copy (select * from (select to_jsonb(s) - 'ingested_at' as row, to_id, operation_id, state_change_id from state_changes s) s
      order by to_id, operation_id, state_change_id) to stdout"
sql --tuples-only --no-align --command "$rows" >"$work/rows"
sql --command "create database second"
DATABASE_URL="${DATABASE_URL/\/postgres?//second?}"
run "$programs/wallet-backend" migrate up --database-url "$DATABASE_URL" --log-level warning
sql --command "insert into ingest_store values ('oldest_ingest_ledger', $first), ('latest_ingest_ledger', $last)"
classify >/dev/null
start=$(date +%s.%N)
run "$programs/wallet-backend" protocol-migrate history --protocol-id SEP50 SEP41 --database-url "$DATABASE_URL" \
    --datastore-bucket-path "$lake_url" --network-passphrase "$network" --network standalone --fetchers "$fetchers" \
    --convergence-wait 1
end=$(date +%s.%N)
sql --tuples-only --no-align --command "$rows" >"$work/rows.lake"
cmp "$work/rows" "$work/rows.lake"
echo
echo "the same $(wc -l <"$work/rows.lake") rows, byte by byte, in $(echo "$end $start" | awk '{printf "%.1f", $1 - $2}') s"
