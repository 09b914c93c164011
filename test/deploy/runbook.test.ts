import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildSchema, parse as parseGraph, validate } from "graphql";
import { parseAllDocuments } from "yaml";
import { createProgram } from "../../src/cli/run-cli.js";
import { describeSettings, readSettings } from "../../src/config/settings.js";
import { alerts } from "../support/alert-rules.js";
import { readCompose, readFromRoot, requiredVariables } from "../support/compose-file.js";
import {
  chapters,
  commandLines,
  part,
  runbook,
  shellLines,
  withoutOldSide,
  words,
} from "../support/runbook.js";
import type { KubernetesObject } from "./manifests.js";

const ROOT = join(import.meta.dirname, "../../..");
const ours = withoutOldSide(runbook);
const unique = (items: Iterable<string>) => [...new Set(items)].sort();
const found = (text: string, pattern: RegExp) =>
  unique([...text.matchAll(pattern)].map(([, match]) => match!));

test("each alert has a chapter of its name, and no chapter is of another", () => {
  expect(
    chapters("Alerts")
      .map(({ title }) => title)
      .sort(),
  ).toEqual(unique(alerts.map(({ alert }) => alert)));
});

test.each([...chapters("Alerts"), ...chapters("Tasks")])(
  "$title has commands and says when it worked",
  ({ text }) => {
    expect(shellLines(text)).not.toEqual([]);
    expect(text).toMatch(/^Worked when: ./m);
  },
);

test("each task says what leads to it, and alerts that do exist", () => {
  const names = new Set(alerts.map(({ alert }) => alert));
  for (const { title, text } of chapters("Tasks")) {
    const [line = ""] = /^Led here by: .+$/m.exec(text) ?? [];
    expect([title, line]).toEqual([title, expect.stringMatching(/./)]);
    for (const name of found(line, /`([A-Z][a-z]\w+)`/g)) expect(names).toContain(name);
  }
});

test("the calendar has everything that runs by a schedule", () => {
  const schedules = describeSettings().filter((name) => name.endsWith("_CRON"));
  expect(schedules.length).toBeGreaterThan(3);
  for (const name of schedules) expect(part("The calendar")).toContain(`\`${name}\``);
});

const called = commandLines.flatMap((line) =>
  [...line.matchAll(/(?<![\w/-])(?:254carbon|node dist\/bundle\/cli\.js) (.*)/g)].map(([, rest]) => rest!),
);

test.each(unique(called))("254carbon %s is a call of the command line", async (line) => {
  const dispatched: string[] = [];
  const program = createProgram(async (command) => void dispatched.push(command.usage));
  await program.parseAsync(words(line), { from: "user" });
  expect(dispatched).toHaveLength(1);
});

test("scripts and targets that are named exist", () => {
  const { scripts } = JSON.parse(readFromRoot("package.json")) as { scripts: Record<string, string> };
  const named = found(ours, /npm run (?:--silent )?([\w:-]+)/g);
  expect(named.length).toBeGreaterThan(5);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  const targets = found(readFromRoot("Makefile"), /^([\w-]+):/gm);
  for (const name of found(commandLines.join("\n"), /^make ([\w-]+)/gm)) expect(targets).toContain(name);
});

test("variables that are named are read", () => {
  const names = found(ours, /\b(ML_[A-Z0-9_]+)/g).map((name) => name.replace(/_FILE$/, ""));
  expect(names.length).toBeGreaterThan(20);
  const { complaints } = readSettings(Object.fromEntries(names.map((name) => [name, ""])));
  expect(complaints).toEqual([]);
});

test("files and chapters that are named exist", () => {
  const paths = found(ours, /((?:deploy|\.github)\/[\w./-]*[\w-])/g);
  expect(paths.length).toBeGreaterThan(20);
  for (const path of paths) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
  for (const link of found(runbook, /\]\(((?!https?:|#)[^)]+)\)/g)) {
    expect([link, existsSync(join(ROOT, dirname("deploy/runbook.md"), link))]).toEqual([link, true]);
  }
  const anchors = found(runbook, /^#+ (.*)$/gm).map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
  for (const anchor of found(runbook, /\]\(#([^)]+)\)/g)) expect(anchors).toContain(anchor);
});

const objects = readdirSync(join(ROOT, "deploy/kubernetes"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml"))
  .flatMap((file) => parseAllDocuments(readFileSync(join(ROOT, "deploy/kubernetes", file), "utf8")))
  .map((document) => document.toJS() as KubernetesObject)
  .filter((object) => object.metadata?.name !== undefined);
const known = new Set(objects.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`));
const SHORT: Record<string, string> = { hpa: "horizontalpodautoscaler", svc: "service" };
const KINDS = unique([...objects.map(({ kind }) => kind.toLowerCase()), ...Object.keys(SHORT)]).join("|");

test("objects of a cluster that are named are defined", () => {
  const lines = commandLines.filter((line) => /\b(kubectl|health)\b/.test(line)).join("\n");
  // Whatever looks like one in a command, and what is of a known kind anywhere.
  const named = unique([
    ...found(lines, /(?<=\s)((?!deploy\/|pod\/)[a-z]+\/[\w-]+)(?=\s|$)/gm),
    ...found(commandLines.join("\n"), new RegExp(`(?<![\\w/.-])((?:${KINDS})/[\\w-]+)`, "g")),
  ]);
  expect(named.length).toBeGreaterThan(15);
  for (const name of named) {
    const [kind, own] = name.split("/") as [string, string];
    expect(known).toContain(`${SHORT[kind] ?? kind}/${own}`);
  }
  const labels = objects.flatMap(({ metadata }) =>
    Object.entries(metadata.labels ?? {}).map((each) => each.join("=")),
  );
  const selectors = found(ours, /-l ((?:app\.kubernetes\.io|254carbon\.com)\/[\w=-]+)/g);
  expect(selectors.length).toBeGreaterThan(5);
  for (const selector of selectors) expect(labels).toContain(selector);
});

test("services of the compose file that are named are there", () => {
  const secrets = requiredVariables("docker-compose.yml").map((name) => [name, "x"]);
  const services = Object.keys(readCompose("docker-compose.yml", Object.fromEntries(secrets)).services);
  for (const line of commandLines.filter((each) => each.startsWith("docker compose "))) {
    const [verb = "", ...rest] = words(line).slice(2);
    const plain = rest.filter((word) => !word.startsWith("-"));
    for (const name of ["run", "exec"].includes(verb) ? plain.slice(0, 1) : plain)
      expect(services).toContain(name);
  }
});

test("what is sent to the graph is what it can answer", () => {
  const schema = buildSchema(readFromRoot("schema/schema.graphql"));
  const bodies = shellLines(runbook).filter((line) => line.startsWith("graph '"));
  expect(bodies).not.toEqual([]);
  for (const body of bodies) {
    const { query } = JSON.parse(words(body)[1]!) as { query: string };
    expect(validate(schema, parseGraph(query))).toEqual([]);
  }
});
