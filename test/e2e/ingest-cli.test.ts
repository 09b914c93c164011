import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text as readAllText } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { uploadEmbedder } from "../support/embedders.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import { CLI, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

let platform: Platform;
let folder: TemporaryFolder;

beforeAll(async () => {
  platform = await startPlatform();
  folder = await temporaryFolder();
});

afterAll(async () => {
  await platform.remove();
  await folder.remove();
});

const environment = () => ({ ...process.env, ML_URL: platform.url, NO_COLOR: "1" });

const cli = (...args: string[]) => runCli(args, { ML_URL: platform.url });

async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, content);
  return path;
}

function notes(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `note/${i}`,
    title: `Note ${i}`,
    text: `The price of gas is ${i}.`,
    metadata: { number: i },
    publishedAt: "2026-01-05T09:00:00Z",
  }));
}

const lines = (documents: readonly object[]) => documents.map((note) => JSON.stringify(note)).join("\n");

async function documentCount(collection: string): Promise<number | undefined> {
  const answer = await platform.query<{ collection: { documentCount: number } | null }>(
    "query Count($name: String!) { collection(name: $name) { documentCount } }",
    { name: collection },
  );
  return answer.collection?.documentCount;
}

test("ingests a file into a new collection, and again only what has changed", async () => {
  const path = await fileOf("notes.jsonl", lines(notes(25)));
  const first = await cli("ingest", path, "--collection", "notes", "--create", "--batch", "10", "--json");
  expect(first.code).toBe(0);
  expect(JSON.parse(first.stdout)).toEqual({
    ...{ collection: "notes", collectionCreated: true, failures: [] },
    ...{ created: 25, updated: 0, unchanged: 0, embedded: 25 },
  });
  const changed = [{ ...notes(1)[0], text: "Gas is dear." }, ...notes(30).slice(1)];
  const again = await cli(
    "ingest",
    await fileOf("changed.jsonl", `\n${lines(changed)}\n`),
    "--collection",
    "notes",
  );
  expect(again).toMatchObject({
    code: 0,
    stdout: "notes: 30 documents: 5 created, 1 updated, 24 unchanged\n",
  });
  expect(again.stderr).toContain("ingesting notes 100% 30 sent, 30 embedded");
  const back = await cli("ingest", path, "--collection", "notes", "--no-wait");
  expect(back.stdout).toBe("notes: 25 documents: 0 created, 1 updated, 24 unchanged\n");
});

test("reads zipped files and standard input", async () => {
  const zipped = await fileOf("notes.jsonl.gz", gzipSync(`\ufeff${lines(notes(3))}\r\n`));
  const options = ["--collection", "streams", "--create", "--language", "german"];
  expect((await cli("ingest", zipped, ...options)).stdout).toMatch("3 created");
  const child = spawn(process.execPath, [CLI, "ingest", "-", "--collection", "streams"], {
    env: environment(),
  });
  child.stdin.end(lines([...notes(2), { _id: 7, text: "A number for a key." }]));
  const [stdout] = await Promise.all([readAllText(child.stdout), once(child, "exit")]);
  expect(stdout).toBe("streams: 3 documents: 1 created, 0 updated, 2 unchanged\n");
  const broken = await fileOf("broken.jsonl.gz", gzipSync(lines(notes(1000))).subarray(0, 500));
  expect(await cli("ingest", broken, "--collection", "streams")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("FILE: ") as string,
  });
});

test("waits until all is embedded", async () => {
  await uploadEmbedder(platform, "embedder");
  await promote(platform, { model: "embedder", number: 1 });
  const path = await fileOf("embedded.jsonl", lines(notes(60)));
  const options = ["--collection", "embedded", "--create", "--embedder", "embedder"];
  const outcome = await cli("ingest", path, ...options, "--batch", "15", "--json");
  expect(JSON.parse(outcome.stdout)).toMatchObject({ created: 60, embedded: 60, failures: [] });
  const listed = await cli("collections", "--json");
  const state = { documentCount: 60, pendingCount: 0, embedderModel: { name: "embedder" } };
  expect(JSON.parse(listed.stdout)).toContainEqual(expect.objectContaining({ name: "embedded", ...state }));
});

test("deletes documents, and lists collections", async () => {
  await cli("ingest", await fileOf("few.jsonl", lines(notes(3))), "--collection", "few", "--create");
  const deleted = await cli("delete-documents", "note/0", "note/2", "absent", "--collection", "few");
  expect(deleted).toMatchObject({ code: 0, stdout: "few: 2 deleted, 1 not there\n" });
  const listed = await cli("collections", "--json");
  expect(JSON.parse(listed.stdout)).toContainEqual({
    ...{ name: "few", language: "english", documentCount: 1, pendingCount: 0 },
    ...{ embedder: null, embedderModel: null, reindex: null },
  });
  expect((await cli("collections")).stdout).toMatch(/few +│ english +│ +1 │ +0 │ -/);
});

describe("a bad line", () => {
  const good = notes(12).map((note) => JSON.stringify(note));

  test.each<[string, string, string]>([
    ["what is no JSON", "{key: 1}", "is not JSON"],
    ["what is no object", "[1]", "must be an object"],
    ["no key", '{"text": "a"}', 'needs a "key"'],
    ["no text", '{"key": "a"}', 'needs a "text"'],
    ["an unknown field", '{"key": "a", "text": "b", "url": "c"}', 'has "url"'],
    ["a blank text", '{"key": "a", "text": " "}', "text must not be blank"],
    ["a bad date", '{"key": "a", "text": "b", "publishedAt": "soon"}', "publishedAt"],
    ["a key of the batch", '{"key": "note/10", "text": "b"}', "key"],
    ["half a character", '{"key": "a", "text": "\\ud800"}', "half a surrogate pair"],
  ])("with %s is told by its number, and only the batches before it are stored", async (name, line, rule) => {
    const collection = name.toLowerCase().replaceAll(" ", "-");
    const path = await fileOf(`${collection}.jsonl`, [...good, line, ...good].join("\n"));
    const refused = await cli("ingest", path, "--collection", collection, "--create", "--batch", "10");
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("INVALID_INPUT: line 13 ") as string,
    });
    expect(refused.stderr).toContain(rule);
    expect(await documentCount(collection)).toBe(10);
  });

  test("that never ends is refused, and not read to its end", async () => {
    const path = await fileOf("endless.jsonl", `${good[0]}\n{"key": "a", "text": "${"x".repeat(6_000_000)}`);
    const refused = await cli("ingest", path, "--collection", "endless", "--create");
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("line 2 is longer than") as string,
    });
  });
});

test("says what is wrong with the call", async () => {
  const path = await fileOf("one.jsonl", lines(notes(1)));
  expect(await cli("ingest", path, "--collection", "absent")).toMatchObject({
    code: 1,
    stderr: 'error: NOT_FOUND: no collection "absent"; --create makes one\n',
  });
  expect((await cli("ingest", path, "--collection", "a", "--language", "german")).code).toBe(2);
  expect((await cli("ingest", path, "--collection", "a", "--batch", "1001")).code).toBe(2);
  expect((await cli("ingest", join(folder.path, "absent"), "--collection", "a")).stderr).toContain(
    "FILE: ENOENT",
  );
  await cli("ingest", path, "--collection", "kept", "--create");
  expect((await cli("ingest", path, "--collection", "kept", "--create", "--language", "german")).code).toBe(
    2,
  );
  expect(
    (await cli("ingest", path, "--collection", "new", "--create", "--embedder", "none")).stderr,
  ).toContain("input.embedder");
});
