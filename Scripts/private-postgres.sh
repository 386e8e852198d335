# Sourced: a PostgreSQL of one's own in a temporary folder, reached by a socket file only, gone when the script ends.
#
#   start_private_postgres FOLDER   sets DATABASE_URL and PGDATABASE_URL_ADMIN
#   stop_private_postgres

postgres_bin() {
    local found
    found=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
    [ -n "$found" ] || found=$(dirname "$(command -v postgres)")
    printf '%s' "$found"
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups --reset-env "$@"; else "$@"; fi
}

start_private_postgres() {
    postgres_folder=$1
    mkdir -p "$postgres_folder"
    [ "$(id -u)" -ne 0 ] || chown postgres "$postgres_folder"
    local bin
    bin=$(postgres_bin)
    as_postgres "$bin/initdb" --pgdata="$postgres_folder/data" --username=postgres --auth=trust --no-sync --encoding=UTF8 --locale=C >/dev/null
    as_postgres "$bin/pg_ctl" --pgdata="$postgres_folder/data" --log="$postgres_folder/log" --wait --silent --options="\
        -c listen_addresses='' -c unix_socket_directories='$postgres_folder' -c shared_buffers=${POSTGRES_SHARED_BUFFERS:-512MB} \
        -c max_wal_size=4GB -c checkpoint_timeout=30min" start
    export DATABASE_URL="postgresql:///postgres?host=$postgres_folder&user=postgres"
}

stop_private_postgres() {
    [ -z "${postgres_folder:-}" ] || as_postgres "$(postgres_bin)/pg_ctl" --pgdata="$postgres_folder/data" --mode=immediate --silent stop || true
}
