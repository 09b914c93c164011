#!/bin/sh
# Streams the server's log into WAL_ARCHIVE and tells the server as soon as it is on disk there. With
# synchronous_standby_names = 'wal_archive' a commit is acknowledged only then: nothing acknowledged is lost with the server.
# Connects as PGHOST, PGPORT, PGUSER and PGPASSWORD say; needs the REPLICATION right. Runs until it is stopped.
set -eu
: "${WAL_ARCHIVE:?the folder that keeps the log, on another disk than the server}"
export PGAPPNAME=wal_archive
mkdir -p "$WAL_ARCHIVE"
# The slot keeps on the server what could not be streamed yet.
pg_receivewal --slot=wal_archive --create-slot --if-not-exists --no-password
exec pg_receivewal --slot=wal_archive --synchronous --directory="$WAL_ARCHIVE" --no-password
