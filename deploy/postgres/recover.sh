#!/bin/sh
# Makes a data folder that, when a server starts on it, recovers to the last acknowledged commit, or to a moment:
#   BASE_BACKUPS=... WAL_ARCHIVE=... recover.sh <new data folder> ['2026-11-29 12:34:56+00']
# Overwrites nothing. The server that starts on it takes writes as soon as it has recovered.
set -eu
: "${BASE_BACKUPS:?the folder that keeps the copies}"
: "${WAL_ARCHIVE:?the folder that keeps the log}"
target=${1:?the new data folder} moment=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
if [ -n "$(ls -A "$target" 2>/dev/null)" ]; then
  echo "$target is not empty: nothing is overwritten" >&2
  exit 1
fi
limit=9999
[ -z "$moment" ] || limit=$(date -u -d "$moment" +%Y-%m-%dT%H-%M-%SZ)
base=$(ls -1 "$BASE_BACKUPS" 2>/dev/null | grep -v '\.unfinished$' | sort | awk -v limit="$limit" '$0 < limit' | tail -n 1)
if [ -z "$base" ]; then
  echo "$BASE_BACKUPS has no copy from before ${moment:-now}" >&2
  exit 1
fi
pg_verifybackup --quiet "$BASE_BACKUPS/$base"
mkdir -p "$target"
chmod 700 "$target"
cp -a "$BASE_BACKUPS/$base/." "$target/"
{
  echo "restore_command = 'WAL_ARCHIVE=\"$WAL_ARCHIVE\" sh \"$here/restore-wal.sh\" %f \"%p\"'"
  echo "recovery_target_action = 'promote'"
  # Nobody follows the new server yet: it must not wait for them.
  echo "synchronous_standby_names = ''"
  [ -z "$moment" ] || echo "recovery_target_time = '$moment'"
} >>"$target/postgresql.auto.conf"
touch "$target/recovery.signal"
echo "$target recovers from $base when a server starts on it; then give it an archive of its own, and take a copy of it"
