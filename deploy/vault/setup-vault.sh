#!/bin/sh
# Prepares Vault or OpenBao for the platform; what is there already is left as it is, so it may run again at any time:
#   VAULT_ADDR=https://... VAULT_TOKEN=... setup-vault.sh
# - a KV store of version 2 at VAULT_KV_MOUNT (secret);
# - the policies ml-platform (reads its secrets) and ml-platform-rotate (replaces them);
# - secret/ml-platform/{jwt/main,api-keys/main,audit/main} with random secrets;
# - secret/ml-platform/{database/postgres,redis/queue,redis/cache,objects/s3} from the variables ML_VECTOR_DB_DSN,
#   ML_MIGRATIONS_DSN, ML_REDIS_URL, ML_CACHE_REDIS_URL, ML_S3_ACCESS_KEY_ID and ML_S3_SECRET_ACCESS_KEY, where set;
# - secret/ml-platform/backup/main from ML_BACKUP_RECIPIENTS and ML_BACKUP_IDENTITY, or a new key where age is at hand;
# - with VAULT_KUBERNETES_HOST, logins of the service account VAULT_KUBERNETES_ACCOUNT (ml-platform) in the
#   namespaces VAULT_KUBERNETES_NAMESPACES (ml-platform-production).
set -eu
. "$(dirname "$0")/vault-api.sh"

mount_store

# policy NAME CAPABILITIES
policy() {
  jq --null-input --arg path "$MOUNT/data/$PREFIX/*" --arg list "$MOUNT/metadata/$PREFIX/*" --argjson may "$2" \
    '{ policy: ({ path: { ($path): { capabilities: $may }, ($list): { capabilities: ["read", "list"] } } } | tojson) }' >"$work/body"
  must PUT "sys/policies/acl/$1" "$work/body"
}
policy ml-platform '["read"]'
policy ml-platform-rotate '["create", "read", "update"]'

# keep SECRET FIELD VALUE: writes a field that is not there yet.
keep() {
  [ -n "$3" ] || return 0
  read_secret "$1"
  [ "$(jq --arg name "$2" 'has($name)' "$work/fields")" = false ] || return 0
  set_field "$2" "$3"
  write_secret "$1"
  echo "wrote $2 of $MOUNT/$PREFIX/$1"
}
keep jwt/main secret_key "$(random)"
keep api-keys/main secret_key "$(random)"
keep audit/main secret_key "$(random)"
keep database/postgres dsn "${ML_VECTOR_DB_DSN:-}"
keep database/postgres migrations_dsn "${ML_MIGRATIONS_DSN:-}"
keep redis/queue url "${ML_REDIS_URL:-}"
keep redis/cache url "${ML_CACHE_REDIS_URL:-}"
keep objects/s3 access_key_id "${ML_S3_ACCESS_KEY_ID:-}"
keep objects/s3 secret_access_key "${ML_S3_SECRET_ACCESS_KEY:-}"

read_secret backup/main
if [ -z "${ML_BACKUP_RECIPIENTS:-}${ML_BACKUP_IDENTITY:-}" ] && [ "$(jq length "$work/fields")" = 0 ]; then
  if command -v age-keygen >/dev/null; then
    age-keygen >"$work/key" 2>/dev/null
    ML_BACKUP_IDENTITY=$(grep -v '^#' "$work/key") ML_BACKUP_RECIPIENTS=$(age-keygen -y "$work/key")
    echo "made a key for backups: keep a copy of identity of $MOUNT/$PREFIX/backup/main where neither Vault nor backups are"
  else
    echo "backups need keys: set ML_BACKUP_RECIPIENTS and ML_BACKUP_IDENTITY, or install age, and run this again" >&2
  fi
fi
keep backup/main recipients "${ML_BACKUP_RECIPIENTS:-}"
keep backup/main identity "${ML_BACKUP_IDENTITY:-}"
read_secret backup/main
if [ "$(jq length "$work/fields")" = 1 ]; then
  echo "$MOUNT/$PREFIX/backup/main needs both, ML_BACKUP_RECIPIENTS and ML_BACKUP_IDENTITY, that opens what is for them" >&2
  exit 1
fi

if [ -n "${VAULT_KUBERNETES_HOST:-}" ]; then
  must GET sys/auth
  if [ "$(jq '(.data // .) | has("kubernetes/")' "$work/answer")" = false ]; then
    echo '{ "type": "kubernetes" }' >"$work/body"
    must POST sys/auth/kubernetes "$work/body"
    echo "enabled logins of Kubernetes"
  fi
  jq --null-input --arg host "$VAULT_KUBERNETES_HOST" '{ kubernetes_host: $host }' >"$work/body"
  must POST auth/kubernetes/config "$work/body"
  jq --null-input --arg account "${VAULT_KUBERNETES_ACCOUNT:-ml-platform}" \
    --arg namespaces "${VAULT_KUBERNETES_NAMESPACES:-ml-platform-production}" '{
      bound_service_account_names: [$account],
      bound_service_account_namespaces: ($namespaces | split(",")),
      token_policies: ["ml-platform"],
      token_ttl: "1h"
    }' >"$work/body"
  must POST auth/kubernetes/role/ml-platform "$work/body"
fi
echo "Vault is ready at $MOUNT/$PREFIX"
