#!/bin/sh
# On the first start of a new database: a role that may read the write-ahead log and nothing else.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$ARCHIVER_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE archiver LOGIN REPLICATION PASSWORD :'password';
SQL
echo "host replication archiver all scram-sha-256" >>"$PGDATA/pg_hba.conf"
