#!/bin/sh
# archive_command = 'WAL_ARCHIVE=/archive archive-wal.sh %p %f': for servers without receive-wal.sh. What is lost with the
# server is then what was written since the last segment was full, or since archive_timeout.
set -eu
: "${WAL_ARCHIVE:?the folder that keeps the log, on another disk than the server}"
source=$1 target=$WAL_ARCHIVE/$2
if [ -e "$target" ]; then
  # Archived before a crash that kept the server from noting it. A different file of that name is of another server.
  exec cmp -s "$source" "$target"
fi
cp "$source" "$target.copying"
sync "$target.copying"
mv "$target.copying" "$target"
sync "$WAL_ARCHIVE"
