#!/bin/sh
# Copies the running server into BASE_BACKUPS/<time>, verified, and drops what is older than the newest BASE_KEEP copies,
# with the log that only those needed. Connects as PGHOST, PGPORT, PGUSER and PGPASSWORD say.
set -eu
: "${BASE_BACKUPS:?the folder that keeps the copies, on another disk than the server}"
: "${WAL_ARCHIVE:?the folder that keeps the log}"
keep=${BASE_KEEP:-3}
mkdir -p "$BASE_BACKUPS"
rm -rf "$BASE_BACKUPS"/*.unfinished
name=$(date -u +%Y-%m-%dT%H-%M-%SZ)
draft=$BASE_BACKUPS/$name.unfinished
pg_basebackup --pgdata="$draft" --checkpoint=fast --wal-method=fetch --manifest-checksums=SHA256 --no-password
pg_verifybackup --quiet "$draft"
sync
mv "$draft" "$BASE_BACKUPS/$name"
ls -1 "$BASE_BACKUPS" | sort -r | tail -n +"$((keep + 1))" | while read -r old; do rm -rf "${BASE_BACKUPS:?}/$old"; done
oldest=$BASE_BACKUPS/$(ls -1 "$BASE_BACKUPS" | sort | head -n 1)
first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\)).*/\1/p' "$oldest/backup_label")
pg_archivecleanup "$WAL_ARCHIVE" "$first"
echo "$BASE_BACKUPS/$name"
