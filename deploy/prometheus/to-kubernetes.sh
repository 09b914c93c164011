#!/bin/sh
# Writes the rules and dashboards as objects that kube-prometheus-stack looks for:
#   deploy/prometheus/to-kubernetes.sh | kubectl apply -n monitoring -f -
set -eu
cd "$(dirname "$0")/.."

for file in prometheus/rules/*.yml; do
  cat << OBJECT
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ml-platform-$(basename "$file" .yml)
  labels: { release: ${RELEASE:-prometheus} }
spec:
OBJECT
  sed 's/^/  /' "$file"
done

for file in grafana/dashboards/*.json; do
  cat << OBJECT
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: ml-platform-dashboard-$(basename "$file" .json)
  labels: { grafana_dashboard: "1" }
data:
  ml-platform-$(basename "$file"): |
OBJECT
  sed 's/^/    /' "$file"
done
