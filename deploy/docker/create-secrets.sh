#!/bin/sh
# Writes .env with a random secret for each that docker-compose.yml asks for; one that exists is left alone.
set -eu
cd "$(dirname "$0")/../.."
[ -e .env ] && exit 0
umask 077
secret() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }
for name in ML_JWT_SECRET_KEY POSTGRES_PASSWORD ARCHIVER_PASSWORD REDIS_PASSWORD S3_SECRET_KEY GRAFANA_PASSWORD; do
  echo "$name=$(secret)"
done >.env.draft
echo "S3_ACCESS_KEY=$(secret | cut -c1-20)" >>.env.draft
mv .env.draft .env
echo "secrets written to .env" >&2
