#!/bin/sh
# Receives the write-ahead log as it is written and confirms what is on disk; the slot lets the server keep what an
# interruption has missed. The folder's last file is `*.partial`: a recovery must try that name, too.
# With synchronous_standby_names = 'wal_archive' a commit is acknowledged only once it is here: nothing acknowledged is
# lost with the server, and nothing is acknowledged while this is away.
set -eu
folder=${WAL_ARCHIVE:-/archive}/received
export PGAPPNAME=wal_archive
mkdir -p "$folder"
pg_receivewal --slot=archive --create-slot --if-not-exists --no-password
exec pg_receivewal --directory="$folder" --slot=archive --synchronous --no-password
