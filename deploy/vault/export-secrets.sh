#!/bin/sh
# Writes all secrets of the platform in Vault or OpenBao into one new file that only the owners of age keys can open:
#   VAULT_ADDR=https://... VAULT_TOKEN=... ML_BACKUP_RECIPIENTS=age1...,age1... export-secrets.sh FILE
# The recipients are those of the backups; restore-secrets.sh brings it back.
set -eu
. "$(dirname "$0")/vault-api.sh"

file=${1:?the file to write, such as secrets.json.age}
recipients=${ML_BACKUP_RECIPIENTS:?public keys of age, separated by commas, as age-keygen prints them}
command -v age >/dev/null || { echo "age is needed" >&2 && exit 2; }
[ ! -e "$file" ] || { echo "$file is there already: an export overwrites nothing" >&2 && exit 1; }

echo '{}' >"$work/all"
# gather FOLDER: all secrets below, which Vault lists by single names, those of folders with a slash at the end.
gather() {
  list="$(path_of metadata "$1")?list=true"
  call GET "$list"
  [ "$status" != 404 ] || return 0
  [ "$status" = 200 ] || must GET "$list"
  names=$(mktemp "$work/names.XXXXXX")
  jq -r '.data.keys[]' "$work/answer" >"$names"
  while IFS= read -r name; do
    case $name in
    */) gather "$1$name" ;;
    *)
      read_secret "$1$name"
      # One that was deleted is listed, has versions and no fields.
      if [ "$version" = 0 ]; then
        echo "$MOUNT/$PREFIX/$1$name is listed, but cannot be read" >&2
        exit 1
      fi
      jq --slurpfile fields "$work/fields" --arg name "$1$name" \
        'if $fields[0] == {} then . else .[$name] = $fields[0] end' "$work/all" >"$work/changed"
      mv "$work/changed" "$work/all"
      ;;
    esac
  done <"$names"
}
gather ""
count=$(jq length "$work/all")
[ "$count" -gt 0 ] || { echo "there is nothing at $MOUNT/$PREFIX" >&2 && exit 1; }
jq --arg at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '{ format: 1, exportedAt: $at, secrets: . }' "$work/all" >"$work/export"

set --
for recipient in $(printf '%s' "$recipients" | tr , ' '); do set -- "$@" --recipient "$recipient"; done
draft=$file.draft
trap 'rm -rf "$work" "$draft"' EXIT
age --encrypt "$@" --output "$draft" "$work/export"
mv -- "$draft" "$file"
echo "wrote $count secrets of $MOUNT/$PREFIX to $file"
