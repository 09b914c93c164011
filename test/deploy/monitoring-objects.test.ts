import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { rules } from "../support/alert-rules.js";
import type { Rule } from "../support/alert-rules.js";
import { dashboards } from "../support/dashboards.js";

interface MonitoringObject {
  kind: string;
  metadata: { name: string; labels: Record<string, string> };
  spec?: { groups: { rules: Rule[] }[] };
  data?: Record<string, string>;
}

const script = join(import.meta.dirname, "../../../deploy/prometheus/to-kubernetes.sh");
const objects = parseAllDocuments(execFileSync(script, { encoding: "utf8" })).map(
  (document) => document.toJS() as MonitoringObject,
);

test("a cluster gets the same rules, as objects that its operator looks for", () => {
  const found = objects.filter(({ kind }) => kind === "PrometheusRule");
  expect(found.flatMap(({ spec }) => spec!.groups.flatMap((group) => group.rules))).toEqual(rules);
  for (const { metadata } of found) expect(metadata.labels).toEqual({ release: "prometheus" });
});

test("a cluster gets the same dashboards, as Grafana's sidecar looks for them", () => {
  const found = objects.filter(({ kind }) => kind === "ConfigMap");
  expect(found.flatMap(({ data }) => Object.values(data!)).map((text) => JSON.parse(text) as object)).toEqual(
    dashboards,
  );
  for (const { metadata } of found) expect(metadata.labels).toEqual({ grafana_dashboard: "1" });
});

test("objects have names of their own", () => {
  const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  expect(new Set(names).size).toBe(names.length);
  expect(names.every((name) => /^\w+\/[a-z][a-z-]+$/.test(name))).toBe(true);
});
