#!/bin/bash
# Makes the cluster when there is none, then becomes the server. Takes the official image's variables.
#
# The cluster is made in $PGDATA/.making and moved up when it is finished, PG_VERSION last: whenever this is killed, the next
# start finds no cluster (and begins again), a finished one in .making (and moves the rest), or a whole one.
set -Eeuo pipefail
shopt -s nullglob dotglob

main() {
    if [[ ${1:-} == -* ]]; then
        set -- postgres "$@"
    fi
    if [[ ${1:-} != postgres ]] || only_asks "$@"; then
        exec "$@"
    fi
    if [ "$(id -u)" = 0 ]; then
        give_to_postgres
        exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
    fi
    making=$PGDATA/.making
    if [ -s "$PGDATA/PG_VERSION" ]; then
        rm -rf "$making"
    else
        make_cluster
    fi
    exec "$@"
}

only_asks() {
    local word
    for word; do
        case $word in
            -'?' | --help | --describe-config | -V | --version) return 0 ;;
        esac
    done
    return 1
}

give_to_postgres() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 3777 /var/run/postgresql
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres: '{}' +
}

make_cluster() {
    read_settings
    if [ ! -e "$making/.finished" ]; then
        need_password
        need_empty
        rm -rf "$making"
        run_initdb
        set_up
        touch "$making/.finished"
        sync --file-system "$making"
    fi
    take_over
}

read_settings() {
    local name file
    for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do
        file=${name}_FILE
        if [ -n "${!file:-}" ]; then
            if [ -n "${!name:-}" ]; then
                fail "$name and $file are both set: set one"
            fi
            export "$name=$(<"${!file}")"
            unset "$file"
        fi
    done
    export POSTGRES_USER=${POSTGRES_USER:-postgres}
    export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
}

need_password() {
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        fail "the cluster is new and there is no password for it: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
    fi
}

need_empty() {
    local entry
    for entry in "$PGDATA"/*; do
        case ${entry##*/} in
            .making | lost+found) ;;
            *) fail "$PGDATA holds no cluster, and yet it is not empty: ${entry##*/}" ;;
        esac
    done
}

run_initdb() {
    local words=()
    # The variable is a line of words, as with the official image.
    eval "words=(${POSTGRES_INITDB_ARGS:-})"
    if [ -n "${POSTGRES_PASSWORD:-}" ]; then
        words+=(--pwfile=/dev/fd/3)
    fi
    initdb --username="$POSTGRES_USER" --auth-local=trust --auth-host="$method" "${words[@]}" --pgdata="$making" \
        3< <(printf '%s\n' "${POSTGRES_PASSWORD:-}")
    printf '\n# Clients in other containers.\nhost all all all %s\n' "$method" >> "$making/pg_hba.conf"
}

# The database and the scripts of /docker-entrypoint-initdb.d, on a server that only its socket reaches.
set_up() {
    local script
    pg_ctl --pgdata="$making" --options="-c listen_addresses=''" --wait --silent start
    trap 'pg_ctl --pgdata="$making" --mode=immediate --silent stop || true' EXIT
    if [ "$POSTGRES_DB" != postgres ]; then
        run_sql --dbname=postgres --set=name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name"'
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        run_script "$script"
    done
    trap - EXIT
    pg_ctl --pgdata="$making" --mode=fast --wait --silent stop
}

run_script() {
    echo "docker-entrypoint: $1"
    case $1 in
        *.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
        *.sql) run_sql --dbname="$POSTGRES_DB" --file="$1" ;;
        *.sql.gz) gunzip -c "$1" | run_sql --dbname="$POSTGRES_DB" ;;
        *) echo "docker-entrypoint: skipped, being neither .sh nor .sql" ;;
    esac
}

run_sql() {
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --no-password "$@"
}

# Moves the finished cluster up. Each step may be the last one of this start: what has been moved is not there to be moved again.
take_over() {
    local entry
    chmod 0700 "$PGDATA"
    for entry in "$making"/*; do
        case ${entry##*/} in
            PG_VERSION | .finished) ;;
            *) mv -T "$entry" "$PGDATA/${entry##*/}" ;;
        esac
    done
    sync --file-system "$PGDATA"
    mv -T "$making/PG_VERSION" "$PGDATA/PG_VERSION"
    rm -rf "$making"
}

fail() {
    echo "docker-entrypoint: $1" >&2
    exit 1
}

main "$@"
