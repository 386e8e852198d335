#!/usr/bin/env bash
# Measures migrations from data lakes on this machine, PostgreSQL, web server and all. Argument: the folder with the programs.
#
#   PUBNET_LEDGERS=DIR   a folder with the twelve consecutive pubnet ledgers 63092982-63092993; without it, generated ledgers of 1 MB are used
#   LEDGERS=N            ledgers per run (4000)
#
# The lake is in a folder; then behind nginx, if that is installed; then behind the simulator, without and with 50 ms before each file, and with many
# ledgers a file.
source "$(dirname "$0")/common.sh"
ledgers=${LEDGERS:-4000}
choose_ledgers "$ledgers"
echo "$kind: $ledgers a run, $(nproc) cores"
"$programs/ledger-simulator" lake --out "$work/lake" --network-passphrase "$network" "${source_arguments[@]}" >"$work/made"
echo "one ledger a file: $(cat "$work/made")"

migrate "folder, 1 fetcher" "--fetchers 1 --datastore-bucket-path file://$work/lake" "$ledgers" "" "" ""
migrate "folder, 2 fetchers" "--fetchers 2 --datastore-bucket-path file://$work/lake" "$ledgers" "" "" ""

nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
if [ -n "$nginx" ]; then
    mkdir "$work/nginx"
    port=$((20000 + RANDOM % 12000))
    cat >"$work/nginx/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    $(for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $work/nginx/$kind;"; done)
    server { listen 127.0.0.1:$port; root $work; }
}
CONF
    "$nginx" -e "$work/nginx/error.log" -p "$work/nginx" -c "$work/nginx/nginx.conf" &
    until curl -fs -o "$work/config" http://127.0.0.1:$port/lake/.config.json; do kill -0 $! || { cat "$work/nginx/error.log" >&2; exit 1; }; done
    web="$! $(pgrep -P $!)"
    migrate "nginx, 1 fetcher" "--fetchers 1 --datastore-bucket-path http://127.0.0.1:$port/lake" "$ledgers" nginx "$web" ""
    migrate "nginx, 2 fetchers" "--fetchers 2 --datastore-bucket-path http://127.0.0.1:$port/lake" "$ledgers" nginx "$web" ""
    kill ${web%% *}
fi

# lake NAME FETCHERS LATENCY FOLDER
lake() {
    local line served
    mkfifo "$work/pipe"
    "$programs/ledger-simulator" serve-lake --lake "$4" --latency "$3" >"$work/pipe" 2>>"$work/simulator.log" &
    served=$!
    read -r line <"$work/pipe"
    rm "$work/pipe"
    migrate "$1" "--fetchers $2 --datastore-bucket-path ${line#listening on }" "$ledgers" simulator $served "${line#listening on }/stats"
    kill $served
    wait $served 2>/dev/null || true
}
lake "HTTP, 2 fetchers" 2 0 "$work/lake"
lake "HTTP, 2 fetchers, 50 ms latency" 2 50 "$work/lake"
rm -rf "$work/lake"
"$programs/ledger-simulator" lake --out "$work/lake" --ledgers-per-file 8 --network-passphrase "$network" "${source_arguments[@]}" >"$work/made"
echo "eight ledgers a file: $(cat "$work/made")"
ledgers=$((ledgers / 8 * 8))
lake "HTTP, 2 fetchers" 2 0 "$work/lake"
