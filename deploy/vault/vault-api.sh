# Read by the scripts beside it: calls of the HTTP API that Vault and OpenBao share.
# shellcheck shell=sh

: "${VAULT_ADDR:?the address of Vault or OpenBao, such as https://vault.example.com:8200}"
: "${VAULT_TOKEN:?a token that may do this}"
MOUNT=${VAULT_KV_MOUNT:-secret}
PREFIX=${VAULT_KV_PREFIX:-ml-platform}
insecure() {
  echo "VAULT_ADDR: must be https; http is for this machine's own loopback address" >&2 && exit 2
}
case $VAULT_ADDR in
https://*) ;;
# What stands before an @ is no host.
*@*) insecure ;;
http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]*) ;;
*) insecure ;;
esac
for program in curl jq; do
  command -v "$program" >/dev/null || { echo "$program is needed" >&2 && exit 2; }
done

# Secrets go into files that nobody else may read, never into arguments, which everybody on a machine can.
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Not every shell takes a signal for an exit.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
{
  printf 'header = "X-Vault-Token: %s"\n' "$VAULT_TOKEN"
  [ -z "${VAULT_NAMESPACE:-}" ] || printf 'header = "X-Vault-Namespace: %s"\n' "$VAULT_NAMESPACE"
  [ -z "${VAULT_CACERT:-}" ] || printf 'cacert = "%s"\n' "$VAULT_CACERT"
} >"$work/curl"

# call METHOD PATH [file with a JSON body]: leaves the answer in $work/answer and its status in $status.
call() {
  method=$1 path=$2
  shift 2
  [ $# -eq 0 ] || set -- --data-binary "@$1" --header "content-type: application/json"
  status=$(curl --silent --show-error --globoff --config "$work/curl" --request "$method" --max-time 30 \
    --output "$work/answer" --write-out '%{http_code}' "$@" "${VAULT_ADDR%/}/v1/$path") || exit 3
}

# must METHOD PATH [body]: the same, and ends the script when it was refused.
must() {
  call "$@"
  case $status in
  2??) ;;
  *)
    echo "$method $path: $status $(jq -r '(.errors // []) | join("; ")' "$work/answer" 2>/dev/null)" >&2
    exit 1
    ;;
  esac
}

random() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }

# path_of KIND NAME: of the API, whatever characters the name has.
path_of() {
  printf '%s' "$2" | jq -sRr --arg start "$MOUNT/$1/$PREFIX/" '$start + (split("/") | map(@uri) | join("/"))'
}

# read_secret NAME: leaves its fields in $work/fields and its version in $version, 0 for one that is not there.
read_secret() {
  path_of_secret=$(path_of data "$1")
  call GET "$path_of_secret"
  case $status in
  200)
    jq '.data.data // {}' "$work/answer" >"$work/fields"
    version=$(jq '.data.metadata.version' "$work/answer")
    ;;
  404)
    echo '{}' >"$work/fields"
    # One that was deleted still counts its versions.
    version=$(jq '.data.metadata.version // 0' "$work/answer")
    ;;
  *) must GET "$path_of_secret" ;;
  esac
}

# write_secret NAME: writes $work/fields over version $version, or fails when somebody else has written meanwhile.
write_secret() {
  jq --argjson version "$version" '{ options: { cas: $version }, data: . }' "$work/fields" >"$work/body"
  must POST "$(path_of data "$1")" "$work/body"
}

# set_field NAME VALUE: in $work/fields.
set_field() {
  VALUE=$2 jq --arg name "$1" '.[$name] = env.VALUE' "$work/fields" >"$work/changed"
  mv "$work/changed" "$work/fields"
}

# A KV store of version 2 for the secrets, unless it is there.
mount_store() {
  must GET sys/mounts
  mounted=$(jq -r --arg path "$MOUNT/" '(.data // .)[$path] | select(.) | .type + " " + (.options.version // "1")' "$work/answer")
  case $mounted in
  "kv 2") ;;
  "")
    echo '{ "type": "kv", "options": { "version": "2" } }' >"$work/body"
    must POST "sys/mounts/$MOUNT" "$work/body"
    echo "mounted a KV store at $MOUNT/"
    ;;
  *) echo "$MOUNT/ is there and is no KV store of version 2 ($mounted); name another by VAULT_KV_MOUNT" >&2 && exit 1 ;;
  esac
}
