#!/bin/sh
# Copies the running server into $WAL_ARCHIVE/base/<time>, verified, and drops what is older than the newest BASE_KEEP copies,
# with the log that only those needed. Connects as PGHOST, PGPORT, PGUSER and PGPASSWORD say.
set -eu
archive=${WAL_ARCHIVE:-/archive}
bases=$archive/base
keep=${BASE_KEEP:-3}
mkdir -p "$bases"
rm -rf "$bases"/*.unfinished
name=$(date -u +%Y-%m-%dT%H-%M-%SZ)
draft=$bases/$name.unfinished
pg_basebackup --pgdata="$draft" --checkpoint=fast --wal-method=fetch --manifest-checksums=SHA256 --no-password
pg_verifybackup --quiet "$draft"
sync
mv "$draft" "$bases/$name"
ls -1 "$bases" | sort -r | tail -n +"$((keep + 1))" | while read -r old; do rm -rf "${bases:?}/$old"; done
oldest=$bases/$(ls -1 "$bases" | sort | head -n 1)
first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\)).*/\1/p' "$oldest/backup_label")
for log in "$archive/segments" "$archive/received"; do
  if [ -d "$log" ]; then pg_archivecleanup "$log" "$first"; fi
done
echo "$bases/$name"
