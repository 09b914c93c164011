#!/bin/sh
# Replaces secrets in Vault or OpenBao; processes that read them from files follow by themselves:
#   VAULT_ADDR=https://... VAULT_TOKEN=... rotate-secrets.sh [--force] [jwt | api-keys | database] ...
# Without a name: jwt and api-keys. The secret of before stays beside the new one as `previous_secret_key`, so that
# tokens and keys made with it go on working. A secret that was replaced less than ROTATE_AFTER_HOURS (24) ago, the
# life of a token, is left alone: a second replacement would end what the first one still honours. --force does it.
# `database` gives the role of the DSN another password, through psql as that role itself.
set -eu
. "$(dirname "$0")/vault-api.sh"

force=false names=
for name in "$@"; do
  case $name in
  --force) force=true ;;
  jwt | api-keys | database) names="$names $name" ;;
  *) echo "$name: allowed: --force, jwt, api-keys, database" >&2 && exit 2 ;;
  esac
done
now=$(date -u +%s)
least=$((${ROTATE_AFTER_HOURS:-24} * 3600))

# due SECRET FIELD: reads it; whether it may be replaced now.
due() {
  read_secret "$1"
  if [ "$(jq --arg name "$2" 'has($name)' "$work/fields")" = false ]; then
    echo "$MOUNT/$PREFIX/$1 has no $2: run setup-vault.sh first" >&2
    exit 1
  fi
  age=$((now - $(jq -r '.rotated_at // "0" | tonumber' "$work/fields")))
  [ "$force" = true ] || [ "$age" -ge "$least" ] && return 0
  echo "$MOUNT/$PREFIX/$1 was replaced $((age / 60)) minutes ago: left as it is"
  return 1
}

rotate_key() {
  due "$1" secret_key || return 0
  jq '.previous_secret_key = .secret_key' "$work/fields" >"$work/changed"
  mv "$work/changed" "$work/fields"
  set_field secret_key "$(random)"
  set_field rotated_at "$now"
  write_secret "$1"
  echo "replaced secret_key of $MOUNT/$PREFIX/$1"
}

# The new DSN is kept before the server knows it, so that nobody is locked out by a script that ended half-way: the
# next one finds it and goes on. Connections that stand stay; new ones fail until the file with the DSN has followed,
# and are tried again.
rotate_database() {
  due database/postgres dsn || return 0
  command -v psql >/dev/null || { echo "psql is needed" >&2 && exit 2; }
  current=$(jq -r .dsn "$work/fields")
  read_secret database/postgres-next
  next=$(jq -r '.dsn // ""' "$work/fields")
  if ! ask "$current" "SELECT 1" >/dev/null 2>&1 && [ -n "$next" ] && ask "$next" "SELECT 1" >/dev/null 2>&1; then
    echo "the server has the password that was replaced last: writing down what is true"
  else
    password=$(random)
    next=$(printf '%s' "$current" | sed -nE "s|^([a-z]+://[^:@/]+:)[^@/]*@|\1$password@|p")
    if [ -z "$next" ]; then
      echo "$MOUNT/$PREFIX/database/postgres: dsn must be postgresql://role:password@host/database" >&2
      exit 1
    fi
    set_field dsn "$next"
    write_secret database/postgres-next
    ask "$current" "ALTER ROLE CURRENT_USER PASSWORD '$password'"
  fi
  read_secret database/postgres
  set_field dsn "$next"
  set_field rotated_at "$now"
  write_secret database/postgres
  echo "replaced the password of $MOUNT/$PREFIX/database/postgres"
}

# ask DSN STATEMENT: with the password in the environment and the statement on standard input.
ask() {
  secret=$(printf '%s' "$1" | jq -Rr '
    def digit: if . > 96 then . - 87 elif . > 64 then . - 55 else . - 48 end;
    (capture("^[a-z]+://[^:@/]+:(?<password>[^@/]*)@").password // "")
    | gsub("%(?<hex>[0-9A-Fa-f]{2})"; [.hex | explode | map(digit) | .[0] * 16 + .[1]] | implode)')
  address=$(printf '%s' "$1" | sed -E 's|^([a-z]+://[^:@/]+):[^@/]*@|\1@|')
  printf '%s;\n' "$2" |
    PGPASSWORD=$secret PGCONNECT_TIMEOUT=10 psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --dbname "$address"
}

for name in ${names:-jwt api-keys}; do
  case $name in
  database) rotate_database ;;
  *) rotate_key "$name/main" ;;
  esac
done
