import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { readFromRoot } from "./compose-file.js";

export const RULES_FOLDER = "deploy/prometheus/rules";
const TESTS_FOLDER = "deploy/prometheus/tests";
const ROOT = join(import.meta.dirname, "../../..");

export interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface RuleFile {
  groups: { name: string; rules: Rule[] }[];
}

interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }[];
}

const yamlFiles = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .sort()
    .map((name) => `${folder}/${name}`);

/** Every rule of Prometheus, in the order of their files. */
export const rules = yamlFiles(RULES_FOLDER).flatMap((file) =>
  (parse(readFromRoot(file)) as RuleFile).groups.flatMap((group) => group.rules),
);

export const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);

/** Files for `promtool test rules`. */
export const ruleTestFiles = yamlFiles(TESTS_FOLDER).map((file) => join(ROOT, file));

/** Which alerts are tested to fire, and which not to. */
export const alertCases = yamlFiles(TESTS_FOLDER).flatMap((file) =>
  (parse(readFromRoot(file)) as RuleTests).tests.flatMap((test) =>
    test.alert_rule_test.map(({ alertname, exp_alerts }) => ({ alertname, fires: exp_alerts.length > 0 })),
  ),
);

const WORDS = new Set(
  [
    "by",
    "on",
    "and",
    "or",
    "unless",
    "without",
    "ignoring",
    "group_left",
    "group_right",
    "le",
    "bool",
  ].concat(
    [
      "sum",
      "max",
      "min",
      "rate",
      "increase",
      "changes",
      "absent",
      "histogram_quantile",
      "time",
      "topk",
      "avg",
    ],
    [
      "min_over_time",
      "max_over_time",
      "count",
      "clamp_min",
      "vector",
      "delta",
      "count_values",
      "label_replace",
    ],
  ),
);

/** Names of the series that an expression of PromQL reads. */
export function seriesOf(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, "")
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "")
    .replaceAll(/\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, "");
  return [...new Set(bare.match(/[a-zA-Z_][\w:]*/g))].filter((word) => !WORDS.has(word));
}
