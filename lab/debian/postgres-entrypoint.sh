#!/bin/sh
# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Starts PostgreSQL as the upstream image does, for the part of its contract that the lab uses: POSTGRES_USER,
# POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE), POSTGRES_DB, PGDATA, and *.sql and *.sh in /docker-entrypoint-initdb.d
# run once, when the data folder is empty. Arguments are those of `postgres`.
set -eu

# An argument like `-c` means "postgres with these options", as upstream has it.
case "${1:-}" in
    ''|-*) set -- postgres "$@" ;;
esac
if [ "$1" != postgres ]; then
    exec "$@"
fi

user="${POSTGRES_USER:-postgres}"
database="${POSTGRES_DB:-$user}"
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD is empty: set it to the password of $user" >&2
        exit 1
    fi
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    # The password goes through a file: an argument would be readable in the process list.
    passwords="$(mktemp)"
    printf '%s\n' "$POSTGRES_PASSWORD" > "$passwords"
    initdb --username="$user" --pwfile="$passwords" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 \
        --locale=C
    rm -f "$passwords"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"

    # The first start listens on no address, so that nobody meets a half-made database.
    pg_ctl --wait --options="-c listen_addresses=''" start
    if [ "$database" != postgres ]; then
        createdb --username="$user" "$database"
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sh) . "$file" ;;
            *.sql) psql --username="$user" --dbname="$database" --no-psqlrc --set=ON_ERROR_STOP=1 --file="$file" ;;
        esac
    done
    pg_ctl --wait --mode=fast stop
fi

shift
exec postgres -c listen_addresses='*' "$@"
