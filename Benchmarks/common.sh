# What the benchmarks share: a private PostgreSQL with the tables, and a run of the whole group with what it cost. Sourced, with the folder of the programs as $1.
# All processes share this machine's cores.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${1:-.build/release}
work=$(mktemp -d)
chmod 755 "$work"
source Scripts/private-postgres.sh
finish() {
    status=$?
    # Whatever still runs beside this script.
    kill $(jobs -p) 2>/dev/null || true
    stop_private_postgres
    rm -rf "$work"
    exit $status
}
trap finish EXIT
network="Standalone Network ; February 2017"
sql() { psql "$DATABASE_URL" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }
ticks=$(getconf CLK_TCK)

start_private_postgres "$work/postgres"
"$programs/wallet-backend" migrate up --database-url "$DATABASE_URL" --log-level warning

# CPU seconds of a process with all its threads.
cpu() { awk -v t="$ticks" '{ sub(/^.*\) /, ""); printf "%.3f", ($12 + $13) / t }' "/proc/$1/stat" 2>/dev/null || echo 0; }
peak() { awk '/VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$1/status" 2>/dev/null || echo 0; }

# watch_workers PARENT FURTHER...: notes CPU and peak memory of each process of the group until the parent ends; the last word stands.
watch_workers() {
    local parent=$1 pid program memory
    while kill -0 "$parent" 2>/dev/null; do
        for pid in "$@" $(pgrep -P "$parent" || true); do
            program=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | head -n 1) || true
            memory=$(peak "$pid")
            # One that has just ended has no memory any more.
            [ -z "$program" ] || [ "${memory:-0}" = 0 ] || printf '%s %s %s\n' "$(basename "$program")" "$(cpu "$pid")" "$memory" >"$work/usage.$pid"
        done
        sleep 0.2
    done
}

# serve simulator-arguments...: starts a simulator; $! is its process, and $rpc where it listens.
serve() {
    local line
    mkfifo "$work/pipe"
    "$programs/ledger-simulator" serve --port 0 --network-passphrase "$network" "$@" >"$work/pipe" 2>>"$work/simulator.log" &
    read -r line <"$work/pipe"
    rm "$work/pipe"
    rpc=${line#listening on }
}

# measure NAME "migration flags" LEDGERS LATENCY simulator-arguments...: one run from an RPC, one line. Where `beside` names a function, that is called when
# the run has begun, with the simulator's arguments; a worker that it starts goes into `company`.
measure() {
    local name=$1 flags=$2 ledgers=$3 latency=$4 rpc simulator company=
    shift 4
    serve --latency "$latency" "$@"
    simulator=$!
    migrate "$name" "$flags --rpc-url $rpc" "$ledgers" simulator $simulator "$rpc/stats" "$@"
    kill $simulator
    wait $simulator 2>/dev/null || true
}

# migrate NAME "migration flags" LEDGERS SERVER "pids of the server" "address of its counters" arguments for `beside`...: a migration of so many ledgers from 1000 on.
migrate() {
    local name=$1 flags=$2 ledgers=$3 server=$4 servers=$5 counters=$6 first last
    shift 6
    first=1000 last=$((1000 + ledgers - 1))
    sql --set contracts="$contracts" --set first=$first --set last=$last <<'SQL'
truncate state_changes, ingest_store, protocol_contracts;
delete from protocol_wasms;
update protocols set history_migration_status = 'not_started', classification_status = 'success';
insert into protocol_wasms(wasm_hash, protocol_id) select sha256(id::bytea), id from protocols;
insert into protocol_contracts(contract_id, wasm_hash)
    select decode(contract, 'hex'), sha256(key::bytea) from jsonb_each(:'contracts'::jsonb), jsonb_array_elements_text(value) as contract;
insert into ingest_store values ('oldest_ingest_ledger', :'first'), ('latest_ingest_ledger', :'last');
checkpoint;
SQL
    rm -f "$work"/usage.*
    "$programs/wallet-backend" protocol-migrate history --protocol-id SEP50 SEP41 --database-url "$DATABASE_URL" \
        --network-passphrase "$network" --network bench --convergence-wait 0 $flags 2>"$work/log" &
    local run=$!
    ${beside:-true} "$@"
    watch_workers $run ${company:-}
    wait $run || { tail -n 5 "$work/log" >&2; return 1; }
    # From the beginning of the round to its last commit: starting the processes is not what is measured.
    local seconds rows once=0 cost=0 memory=0 process
    seconds=$(awk '/msg="round begins"/ && !b { b = $1 } /msg="round complete"/ { e = $1 } END { print b, e }' "$work/log" |
        { read -r b e; echo "$(date -d "${e#ts=}" +%s.%N) $(date -d "${b#ts=}" +%s.%N)" | awk '{ printf "%.2f", $1 - $2 }'; })
    rows=$(sql --command 'select count(*) from state_changes')
    [ -z "$counters" ] || once=$(curl -fsS "$counters" | tr -d ' \n' | sed -E 's/.*"served":([0-9]+).*/\1/')
    for process in $servers; do
        cost=$(awk -v a="$cost" -v b="$(cpu "$process")" 'BEGIN { print a + b }')
        memory=$((memory + $(peak "$process")))
    done
    cat "$work"/usage.* | awk -v name="$name" -v n="$ledgers" -v s="$seconds" -v rows="$rows" -v served="$once" -v bare="${bare:-}" \
        -v server="$server" -v cost="$cost" -v memory="$memory" '
        { sub(/^wallet-backend-?/, "", $1); if ($1 == "") $1 = "coordinator"; ms[$1] += $2 * 1000 / n; if ($3 > mb[$1]) mb[$1] = $3 }
        END {
            printf "%-34s %6.0f ledgers/s  %8d rows", name, n / s, rows
            if (served > 0) printf "  served/ledger %.3f", served / n
            printf "  CPU ms/ledger:"
            for (p in ms) printf " %s %.2f%s", p, ms[p], p == "fetcher" && bare ? sprintf(" (%.1f x bare receive)", ms[p] / bare) : ""
            if (server) printf " %s %.2f", server, cost * 1000 / n
            printf "  peak MB:"
            for (p in mb) printf " %s %d", p, mb[p]
            if (server) printf " %s %d", server, memory
            printf "\n"
        }'
}

# What the benchmarks migrate: real pubnet ledgers where there are any, else generated ones of the same size. Sets contracts, source_arguments and kind.
#   PUBNET_LEDGERS=DIR   a folder with the twelve consecutive pubnet ledgers 63092982-63092993
#   $1                   how many
choose_ledgers() {
    [ -n "${PUBNET_LEDGERS:-}" ] || [ ! -d ../shared/ledgers/pubnet ] || PUBNET_LEDGERS=../shared/ledgers/pubnet
    if [ -n "${PUBNET_LEDGERS:-}" ]; then
        contracts=$(awk 'BEGIN { printf "{\"SEP41\": [" } { printf "%s\"%s\"", (NR > 1 ? "," : ""), $1 } END { print "], \"SEP50\": []}" }' "$PUBNET_LEDGERS/contracts.txt")
        source_arguments=(--ledgers "$PUBNET_LEDGERS" --repeat 1000 "$1")
        kind="pubnet ledgers, repeated"
    else
        contracts=$("$programs/ledger-simulator" contracts --seed 7)
        source_arguments=(--seed 7 --first 1000 --count "$1" --events 20)
        kind="generated ledgers"
    fi
}
