import { spawnSync } from "node:child_process";
import { join } from "node:path";
import * as errors from "../../src/shared/errors.js";
import { ERROR_FAULTS, PLATFORM_CODES, decisiveCode } from "../../src/shared/error-faults.js";
import { metricsRegistry } from "../../src/telemetry/metrics.js";
import { alertCases, alerts, ruleTestFiles, rules, seriesOf } from "../support/alert-rules.js";
import { readFromRoot } from "../support/compose-file.js";
import { programPath } from "../support/program-path.js";

const ROOT = join(import.meta.dirname, "../../..");
const RUNBOOK = "deploy/runbook.md";
const readme = readFromRoot("README.md");
const promtool = programPath("promtool");

/** @returns what it wrote, once it has succeeded */
function succeed(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: ROOT, encoding: "utf8" });
  expect([status, status === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  return stdout;
}

const withPromtool = promtool === undefined ? test.skip : test;

withPromtool("Prometheus takes its configuration and all rules", () => {
  succeed(promtool!, ["check", "config", "deploy/prometheus/prometheus.yml"]);
});

withPromtool("every alert fires when it should, and only then", () => {
  succeed(promtool!, ["test", "rules", ...ruleTestFiles]);
});

test.each(alerts.map((rule) => [rule.alert, rule] as const))(
  "%s is tested to fire and not to, and tells how bad it is and what to do",
  (name, { for: lasting, labels, annotations }) => {
    const cases = alertCases.filter(({ alertname }) => alertname === name);
    expect(new Set(cases.map(({ fires }) => fires))).toEqual(new Set([true, false]));
    expect(lasting).toMatch(/^\d+[mh]$/);
    expect(["page", "ticket"]).toContain(labels!.severity);
    expect(labels!.concern).toMatch(/^[a-z-]+$/);
    expect(annotations!.summary).toMatch(/./);
    expect(annotations!.runbook_url).toBe(`${RUNBOOK}#${name.toLowerCase()}`);
    expect(readme).toMatch(new RegExp(`^\\| \`${name}\` \\| ${labels!.severity} \\|`, "m"));
  },
);

test("the runbook has a chapter for every alert", () => {
  const chapters = [...readFromRoot(RUNBOOK).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase(),
  );
  expect(alerts.map(({ alert }) => alert.toLowerCase()).filter((name) => !chapters.includes(name))).toEqual(
    [],
  );
});

/** What Prometheus itself says, and CloudNativePG of the pooler's `SHOW POOLS`. */
const OF_OTHERS = ["up", "cnpg_pgbouncer_pools_maxwait"];

test("rules read what is exported or recorded, and recorded series say level, metric and operations", () => {
  const exported = metricsRegistry.getMetricsAsArray().map(({ name }) => name);
  const recorded = rules.flatMap(({ record }) => record ?? []);
  for (const name of recorded) expect(name).toMatch(/^[a-z_]+:[a-z_0-9]+:[a-z0-9_]+$/);
  const known = new Set([...recorded, ...exported, ...OF_OTHERS]);
  const strange = rules
    .flatMap(({ expr }) => seriesOf(expr))
    .filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|count|sum)$/, "")));
  expect(strange).toEqual([]);
});

/** An error of each class that there is. */
const allErrors = Object.values(errors)
  .filter((value) => typeof value === "function" && value.prototype instanceof errors.PlatformError)
  .map((kind) => new (kind as new (message: string) => errors.PlatformError)("").code);

test("of every error code is decided whose fault it is", () => {
  expect(allErrors.length).toBeGreaterThan(10);
  expect(Object.keys(ERROR_FAULTS).sort()).toEqual([...allErrors, "INTERNAL"].sort());
});

test("an operation with several errors counts by one that is the platform's", () => {
  expect(decisiveCode([])).toBe("OK");
  expect(decisiveCode(["NOT_FOUND", "UNAVAILABLE", "CONFLICT"])).toBe("UNAVAILABLE");
  expect(decisiveCode(["NOT_FOUND", "CONFLICT"])).toBe("NOT_FOUND");
});

test("rules count the errors that are the platform's, and the README says which these are", () => {
  const lists = rules.flatMap(({ expr }) => [...expr.matchAll(/code=~"([^"]*)"/g)].map(([, codes]) => codes));
  expect(lists.length).toBeGreaterThan(4);
  for (const codes of lists) expect(codes).toBe(PLATFORM_CODES.join("|"));
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (caller|platform) \|/gm)];
  expect(Object.fromEntries(rows.map(([, code, fault]) => [code, fault]))).toEqual(ERROR_FAULTS);
});
