#!/bin/sh
# Brings the secrets of an export back into Vault or OpenBao; one that is there is left as it is:
#   VAULT_ADDR=https://... VAULT_TOKEN=... ML_BACKUP_IDENTITY_FILE=backup.key restore-secrets.sh FILE
set -eu
. "$(dirname "$0")/vault-api.sh"

file=${1:?the file that export-secrets.sh has written}
identity=${ML_BACKUP_IDENTITY_FILE:?the file of a secret key of age that opens it}
command -v age >/dev/null || { echo "age is needed" >&2 && exit 2; }
age --decrypt --identity "$identity" --output "$work/export" "$file"
jq --exit-status '.format == 1 and (.secrets | type == "object")' "$work/export" >/dev/null || {
  echo "$file is no export of secrets" >&2 && exit 1
}

mount_store
jq -r '.secrets | keys[]' "$work/export" >"$work/names"
while IFS= read -r name; do
  read_secret "$name"
  jq --arg name "$name" '.secrets[$name]' "$work/export" >"$work/wanted"
  if [ "$(jq -S . "$work/fields")" = "$(jq -S . "$work/wanted")" ]; then
    echo "$MOUNT/$PREFIX/$name is there"
  elif [ "$(jq length "$work/fields")" != 0 ]; then
    echo "$MOUNT/$PREFIX/$name is there and is another: left as it is"
  else
    mv "$work/wanted" "$work/fields"
    write_secret "$name"
    echo "wrote $MOUNT/$PREFIX/$name"
  fi
done <"$work/names"
