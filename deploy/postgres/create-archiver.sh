#!/bin/sh
# On the first start of a new database: a role that may read the write-ahead log and copy the server, and commits that
# wait for receive-wal.sh from the next start on (set earlier, this script itself would wait).
set -eu
psql -v ON_ERROR_STOP=1 -v password="$ARCHIVER_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE archiver LOGIN REPLICATION PASSWORD :'password';
ALTER SYSTEM SET synchronous_standby_names = 'wal_archive';
SQL
echo "host replication archiver all scram-sha-256" >>"$PGDATA/pg_hba.conf"
