import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSchema, getOperationAST, parse, validate } from "graphql";
import { describeSettings, loadConfig } from "../../src/config/config.js";

const root = join(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const readme = read("README.md");

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, match]) => match!);
}

function section(title: string): string {
  return readme.split(/^## /m).find((part) => part.startsWith(`${title}\n`))!;
}

/** A comment of some lines that says what a variable means, then the variable with its default. */
const settings = read(".env.example")
  .trim()
  .split("\n\n")
  .slice(1)
  .map((block) => /^# [^\n]*\.\n# (?<name>[A-Z0-9_]+)=(?<value>.*)$/.exec(block)?.groups ?? { name: block });

test(".env.example has every variable that is read, once, with its meaning, and no other", () => {
  expect(settings.map(({ name }) => name)).toEqual(describeSettings());
});

test(".env.example shows the defaults", () => {
  const shown = Object.fromEntries(settings.map(({ name, value }) => [name, value]));
  expect(loadConfig(shown)).toEqual(loadConfig({}));
});

test("the README's table has every variable that is read, once, and no other", () => {
  expect(matches(section("Configuration"), /^\| `([A-Z0-9_]+)` \|/gm)).toEqual(describeSettings());
});

const schema = buildSchema(read("schema/schema.graphql"));
const documents = matches(readme, /^```graphql\n([\s\S]*?)^```$/gm).map((text) => {
  const document = parse(text);
  return { name: getOperationAST(document)?.name?.value, document };
});

test("the README has queries to try", () => {
  expect(documents.length).toBeGreaterThan(5);
});

test.each(documents)("the graph can answer the README's $name", ({ document }) => {
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
});

test("the README's requests by curl are ones that the graph can answer", () => {
  const bodies = matches(readme, /^graph '(\{"query".*?\})'(?: >|$)/gm);
  expect(bodies).toHaveLength(3);
  for (const body of bodies) {
    const { query } = JSON.parse(body.replaceAll(/'\$\w+'/g, "1").replaceAll('\\"1\\"', '\\"digest\\"')) as {
      query: string;
    };
    expect(validate(schema, parse(query)).map(({ message }) => message)).toEqual([]);
  }
});

test("files and folders that the README links to exist", () => {
  const links = matches(readme, /\]\(((?!https?:|#)[^)]+)\)/g);
  for (const link of links) expect(() => readFileSync(join(root, link))).not.toThrow(/ENOENT/);
  const headings = matches(readme, /^#+ (.*)$/gm).map((title) => title.toLowerCase().replaceAll(" ", "-"));
  for (const anchor of matches(readme, /\]\(#([^)]+)\)/g)) expect(headings).toContain(anchor);
});
