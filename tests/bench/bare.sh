#!/usr/bin/env bash
# The limit that make bench holds site.yml against: the same cluster by a plain script, in the quickest ordinary way and
# without a check. Run as root: bare.sh up DATA_FILE | bare.sh down
set -euo pipefail

version=$(ls /usr/lib/postgresql | sort -n | tail -1)
bin=/usr/lib/postgresql/$version/bin
sql=$(cd "$(dirname "$0")/../../roles/pagila_load/files" && pwd)
prefix=pgfleetbare
port=5471
password=bare-secret
cd /

as_postgres() { runuser -u postgres -- "$@"; }
psql() { as_postgres "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h /var/run/postgresql -p $port "$@"; }

make_primary() {
    pg_createcluster "$version" ${prefix}_primary -p $port --locale en_US.UTF-8 >/dev/null
    local etc=/etc/postgresql/$version/${prefix}_primary
    cat >"$etc/conf.d/bare.conf" <<EOF
listen_addresses = '127.0.0.1'
wal_log_hints = on
max_wal_senders = 32
max_replication_slots = 32
max_slot_wal_keep_size = 4GB
shared_buffers = 32MB
EOF
    echo "host replication replicator 127.0.0.1/32 scram-sha-256" >>"$etc/pg_hba.conf"
    install -o postgres -g postgres -m 0600 <(echo "127.0.0.1:$port:*:replicator:$password") "$etc/replication.pgpass"
    pg_ctlcluster "$version" ${prefix}_primary start
}

# What pg_createcluster would make, without the data directory that the clone brings.
make_standby() {
    local number=$1 name=${prefix}_node$1
    local etc=/etc/postgresql/$version/$name
    cp -a "/etc/postgresql/$version/${prefix}_primary" "$etc"
    sed -i "s/${prefix}_primary/$name/; s/^port = .*/port = $((port + number))/" "$etc/postgresql.conf"
    sed -i "s/$version\/${prefix}_primary/$version\/$name/" "$etc/postgresql.conf"
    as_postgres "$bin/pg_basebackup" -D "/var/lib/postgresql/$version/$name" -R -X stream -c fast -S "node${number}_slot" \
        -d "host=127.0.0.1 port=$port user=replicator passfile=$etc/replication.pgpass application_name=node$number"
    pg_ctlcluster "$version" "$name" start
}

load_pagila() {
    psql -d postgres -c 'CREATE DATABASE pagila TEMPLATE template0'
    psql -d pagila -1 -o /dev/null -f "$sql/schema.sql" -f - -f "$sql/constraints.sql" <"$1"
    psql -d pagila -c 'REFRESH MATERIALIZED VIEW public.rental_by_category'
}

wait_for_standbys() {
    local lsn
    lsn=$(psql -d postgres -c 'SELECT pg_current_wal_lsn()')
    until [ "$(psql -d postgres -c "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= '$lsn'")" = 3 ]; do
        sleep 0.1
    done
}

up() {
    local number clones=()
    make_primary
    psql -d postgres -o /dev/null -c "CREATE ROLE replicator REPLICATION LOGIN PASSWORD '$password'" \
        -c "SELECT pg_create_physical_replication_slot('node' || n || '_slot', true) FROM generate_series(1, 3) AS n"
    for number in 1 2 3; do
        make_standby $number &
        clones+=($!)
    done
    load_pagila "$1"
    for number in "${clones[@]}"; do
        wait "$number"
    done
    wait_for_standbys
}

down() {
    local name data
    for name in ${prefix}_node1 ${prefix}_node2 ${prefix}_node3 ${prefix}_primary; do
        data=/var/lib/postgresql/$version/$name
        as_postgres "$bin/pg_ctl" stop -s -m immediate -D "$data" 2>/dev/null || true
        rm -rf "$data" "/etc/postgresql/$version/$name" "/var/log/postgresql/postgresql-$version-$name.log"*
    done
}

case ${1:-} in
up) up "$2" ;;
down) down ;;
*) echo "bare.sh up DATA_FILE | bare.sh down" >&2 && exit 2 ;;
esac
