{{- define "image" -}}
{{ .repository }}:{{ .tag }}{{ if .digest }}@{{ .digest }}{{ end }}
{{- end }}

{{/* Of every pod. */}}
{{- define "pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 2000
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Of every container. */}}
{{- define "container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* A server beside the worker, for as long as it runs. Expects the memory that it is sure of. */}}
{{- define "restore-test" -}}
restartPolicy: Always
args:
  - postgres
  - -clisten_addresses=localhost
  - -cfsync=off
  - -cfull_page_writes=off
  - -cwal_level=minimal
  - -cmax_wal_senders=0
  - -cshared_buffers=256MB
  - -cmaintenance_work_mem=1GB
  - -cmax_parallel_maintenance_workers=0
env:
  - { name: POSTGRES_USER, value: restore_test }
  - { name: POSTGRES_HOST_AUTH_METHOD, value: trust }
  - { name: PGDATA, value: /var/lib/postgresql/data/restore-test }
resources:
  requests: { cpu: 100m, memory: {{ . }} }
  limits: { cpu: "2", memory: 2Gi }
startupProbe:
  exec: { command: [pg_isready, -q, -h, localhost, -U, restore_test] }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 60
volumeMounts:
  - { name: restore-test, mountPath: /var/lib/postgresql/data }
  - { name: restore-test-run, mountPath: /var/run/postgresql }
  - { name: restore-test-run, mountPath: /tmp }
{{- end }}

{{/* A process's variables. Expects root, owner, gpu, migrates, backups and restoreTest; `storage` is for its volumes. */}}
{{- define "environment" -}}
{{- $secrets := "/run/secrets/platform" }}
{{- $env := dict
  "ML_PUBLIC_URL" (printf "https://%s" .root.Values.host)
  "ML_TLS_CERT" "/run/tls/server/tls.crt"
  "ML_TLS_KEY" "/run/tls/server/tls.key"
  "ML_TLS_CLIENT_CA" "/run/tls/server/ca.crt"
  "ML_JWT_SECRET_KEY_FILE" (printf "%s/jwt_secret_key" $secrets)
  "ML_JWT_SECRET_KEY_PREVIOUS_FILE" (printf "%s/jwt_previous_secret_key" $secrets)
  "ML_API_KEY_SECRET_FILE" (printf "%s/api_keys_secret_key" $secrets)
  "ML_API_KEY_SECRET_PREVIOUS_FILE" (printf "%s/api_keys_previous_secret_key" $secrets)
  "ML_AUDIT_KEY_FILE" (printf "%s/audit_secret_key" $secrets)
  "ML_VECTOR_DB_DSN_FILE" (printf "%s/database_dsn" $secrets)
  "ML_VECTOR_DB_CA" "/run/tls/client/ca.crt"
  "ML_VECTOR_DB_CERT" "/run/tls/client/tls.crt"
  "ML_VECTOR_DB_KEY" "/run/tls/client/tls.key"
  "ML_REDIS_URL_FILE" (printf "%s/redis_queue_url" $secrets)
  "ML_CACHE_REDIS_URL_FILE" (printf "%s/redis_cache_url" $secrets)
  "ML_REDIS_CA" "/run/tls/client/ca.crt"
  "ML_REDIS_CERT" "/run/tls/client/tls.crt"
  "ML_REDIS_KEY" "/run/tls/client/tls.key"
  "ML_S3_ACCESS_KEY_ID_FILE" (printf "%s/s3_access_key_id" $secrets)
  "ML_S3_SECRET_ACCESS_KEY_FILE" (printf "%s/s3_secret_access_key" $secrets)
  "ML_DRAIN_MS" "20000" }}
{{- /* Only who changes tables holds the credentials of their owner; gateways, which callers reach, do not. */}}
{{- if .owner }}
{{- $_ := set $env "ML_MIGRATIONS_DSN_FILE" "/run/secrets/owner/dsn" }}
{{- end }}
{{- if .gpu }}
{{- /* Each thread holds sessions of its own on the GPU; what is there comes to its next checkpoint. */}}
{{- $_ := set $env "ML_INFERENCE_PROVIDERS" "cuda,cpu" }}
{{- $_ := set $env "ML_INFERENCE_WORKERS" "1" }}
{{- $_ := set $env "ML_DRAIN_MS" "120000" }}
{{- end }}
{{- if .backups }}
{{- /* Dumps are encrypted; to test them they must be opened. */}}
{{- $_ := set $env "ML_BACKUP_RECIPIENTS_FILE" "/run/secrets/backup/recipients" }}
{{- $_ := set $env "ML_BACKUP_IDENTITY_FILE" "/run/secrets/backup/identity" }}
{{- end }}
{{- if .restoreTest }}
{{- $_ := set $env "ML_RESTORE_TEST_DSN" "postgresql://restore_test@localhost:5432/restore_test" }}
{{- end }}
{{- $given := .root.Values.environment }}
{{- if .migrates }}
{{- $given = omit $given "ML_VECTOR_DB_POOLER" }}
{{- end }}
{{- range $name, $value := merge dict $given $env }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}

{{/* Folders, so that a changed secret or certificate arrives without a restart; 288 is 0440. */}}
{{- define "mounts" -}}
- { name: data, mountPath: /data }
- { name: tmp, mountPath: /tmp }
- { name: secrets, mountPath: /run/secrets/platform, readOnly: true }
- { name: server-tls, mountPath: /run/tls/server, readOnly: true }
- { name: client-tls, mountPath: /run/tls/client, readOnly: true }
{{- if .owner }}
- { name: owner, mountPath: /run/secrets/owner, readOnly: true }
{{- end }}
{{- if .backups }}
- { name: backup-keys, mountPath: /run/secrets/backup, readOnly: true }
{{- end }}
{{- end }}

{{- define "volumes" -}}
- name: data
  {{- if .storage }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        resources: { requests: { storage: {{ .storage }} } }
  {{- else }}
  emptyDir: { sizeLimit: 20Gi }
  {{- end }}
{{- if .restoreTest }}
- name: restore-test
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        resources: { requests: { storage: {{ required "with restoreTestMemory a worker needs storage" .storage }} } }
- name: restore-test-run
  emptyDir: { sizeLimit: 64Mi }
{{- end }}
- name: tmp
  emptyDir: { sizeLimit: 1Gi }
- name: secrets
  secret: { secretName: platform-secrets, defaultMode: 288 }
- name: server-tls
  secret: { secretName: server-tls, defaultMode: 288 }
- name: client-tls
  secret: { secretName: client-tls, defaultMode: 288 }
{{- if .owner }}
- name: owner
  secret: { secretName: database-owner, defaultMode: 288 }
{{- end }}
{{- if .backups }}
- name: backup-keys
  secret: { secretName: backup-keys, defaultMode: 288 }
{{- end }}
{{- end }}

{{/* It listens once its engines answer, for which a first start may wait long. */}}
{{- define "probes" -}}
startupProbe:
  httpGet: { path: /health/live, port: https, scheme: HTTPS }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /health/ready, port: https, scheme: HTTPS }
  initialDelaySeconds: 10
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
livenessProbe:
  httpGet: { path: /health/live, port: https, scheme: HTTPS }
  initialDelaySeconds: 30
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 5
{{- end }}
