#!/bin/sh
# Receives the write-ahead log as it is written and confirms what is on disk; the slot lets the server keep what an
# interruption has missed. The folder's last file is `*.partial`: a recovery must try that name, too.
set -eu
mkdir -p /archive/received
pg_receivewal --slot=archive --create-slot --if-not-exists
exec pg_receivewal --directory=/archive/received --slot=archive --synchronous
