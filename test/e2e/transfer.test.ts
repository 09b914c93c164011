import { cp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { checkExport } from "../../src/modules/transfer/index.js";
import { GraphListener } from "../support/graph-listener.js";
import { trained } from "../support/market-curves.js";
import { perceptron } from "../support/onnx-models.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { transfer } from "../support/transfer-cli.js";
import { furnish, pictureOf } from "../support/transferable.js";
import type { Contents } from "../support/transferable.js";
import { cleanUp } from "../support/upkeep.js";

let folder: TemporaryFolder;
let source: Platform;
let contents: Contents;
let picture: object;
const at = (name: string) => join(folder.path, name);
const embedded = (name: string) => ({ ML_DATA_DIR: at(name) });

beforeAll(async () => {
  folder = await temporaryFolder();
  source = await startPlatform({ dataDir: at("source") });
  contents = await furnish(source);
  picture = await pictureOf(source, contents);
  await expect(transfer("export", at("export"), embedded("source"))).rejects.toThrow(/is in use by process/);
  await source.stop();
  await transfer("export", at("export"), embedded("source"));
}, 180_000);

afterAll(async () => {
  await source.remove();
  await folder.remove();
});

async function tableFiles(name: string): Promise<Map<string, string>> {
  const files = await readdir(join(at(name), "tables"));
  const read = files.map(async (file) => (await readFile(join(at(name), "tables", file))).toString("base64"));
  return new Map((await Promise.all(read)).map((content, i) => [files[i]!, content]));
}

const entryLines = (file: string) => gunzipSync(Buffer.from(file, "base64")).toString().trim().split("\n");
const sealLines = (files: Map<string, string>) => entryLines(files.get("audit_seals.jsonl.gz")!);

async function training(
  platform: Platform,
  after: string,
): Promise<{ run: { id: string }; status: string }[]> {
  const listener = new GraphListener<{ run: { id: string }; status: string }>(
    platform,
    "subscription ($after: String) { trainingEvents(after: $after) { status run { id } } }",
    { after },
  );
  const { id } = await trained(platform, { curve: "yields", model: "walk" });
  const events = await listener.until((seen) =>
    seen.some(({ run, status }) => run.id === id && status === "SUCCEEDED"),
  );
  await listener.close();
  return events;
}

test("an import has all that was exported, and an export of it is the same to the byte, but for its own audit entry", async () => {
  const imported = await transfer("import", at("export"), embedded("target"));
  // Only a training that is under way has parts.
  expect(imported.tables.filter(({ rows }) => rows === 0).map(({ name }) => name)).toEqual([
    "training_segments",
  ]);
  expect(imported.artifacts).toHaveLength(5);
  const again = await transfer("export", at("export-again"), embedded("target"));
  const others = ({ name }: { name: string }) => name !== "audit_entries";
  expect(again.tables.filter(others)).toEqual(imported.tables.filter(others));
  const [before, after] = [await tableFiles("export"), await tableFiles("export-again")];
  // The import has an entry of its own, behind all others.
  const [entries, entriesAfter] = [before, after].map((files) =>
    entryLines(files.get("audit_entries.jsonl.gz")!),
  );
  expect(entriesAfter!.slice(0, -1)).toEqual(entries);
  const { digest } = JSON.parse(sealLines(before).at(-1)!) as { digest: string };
  expect(JSON.parse(entriesAfter!.at(-1)!)).toMatchObject({
    ...{ actor: "offline", action: "import" },
    detail: { imported: { digest } },
  });
  for (const files of [before, after]) files.delete("audit_entries.jsonl.gz");
  expect(after).toEqual(before);

  const platform = await startPlatform({ dataDir: at("target") });
  try {
    expect(await pictureOf(platform, contents)).toEqual(picture);
    const statuses = (await training(platform, contents.cursor)).filter(({ run }) => run.id === contents.run);
    expect([statuses[0]?.status, statuses.at(-1)?.status]).toEqual(["QUEUED", "SUCCEEDED"]);
  } finally {
    await platform.stop();
  }
}, 120_000);

test("a platform that has anything refuses an import", async () => {
  await expect(transfer("import", at("export"), embedded("source"))).rejects.toThrow(
    /not empty: curves has rows/,
  );
  await expect(transfer("export", at("export"), embedded("source"))).rejects.toThrow(/exists/);
});

test("a folder that holds no platform is not exported", async () => {
  await expect(transfer("export", at("nothing"), embedded("mistyped"))).rejects.toThrow(/ML_DATA_DIR/);
});

const inDamaged = (file: string) => join(at("damaged"), file);

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(inDamaged(file), change(await readFile(inDamaged(file), "utf8")));
}

/** A copy of the export with something wrong. */
async function damaged(damage: (artifact: string) => Promise<void>): Promise<string> {
  await rm(at("damaged"), { recursive: true, force: true });
  await cp(at("export"), at("damaged"), { recursive: true });
  const [artifact] = await readdir(inDamaged("artifacts"));
  await damage(join("artifacts", artifact!));
  return at("damaged");
}

const DAMAGES: [string, RegExp, (artifact: string) => Promise<void>][] = [
  ["no manifest", /holds no export/, () => rm(inDamaged("manifest.json"))],
  ["half a manifest", /is not what an export writes/, () => truncate(inDamaged("manifest.json"), 300)],
  [
    "a newer format",
    /reads format 1 only/,
    () => rewrite("manifest.json", (text) => text.replace('"formatVersion": 1', '"formatVersion": 2')),
  ],
  ["half a table", /documents\.jsonl\.gz: /, () => truncate(inDamaged("tables/documents.jsonl.gz"), 500)],
  [
    "rows of another table",
    /jobs\.jsonl\.gz is damaged/,
    () => cp(inDamaged("tables/curves.jsonl.gz"), inDamaged("tables/jobs.jsonl.gz")),
  ],
  ["no artifact", /artifacts\/.* is missing/, (artifact) => rm(inDamaged(artifact))],
  ["half an artifact", /artifacts\/.* is damaged/, (artifact) => truncate(inDamaged(artifact), 10)],
];

test.each(DAMAGES)(
  "an export with %s is refused before anything is written",
  async (_, complaint, damage) => {
    await expect(checkExport(await damaged(damage))).rejects.toThrow(complaint);
  },
);

test("what is found out late leaves the platform empty", async () => {
  const flipped = await damaged(async (artifact) => {
    const bytes = await readFile(inDamaged(artifact));
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(inDamaged(artifact), bytes);
  });
  await expect(transfer("import", flipped, embedded("spared"))).rejects.toThrow(/artifacts\/.* is damaged/);
  const newer = await damaged(() =>
    rewrite("manifest.json", (text) => text.replace('"published_at"', '"from_tomorrow"')),
  );
  await expect(transfer("import", newer, embedded("spared"))).rejects.toThrow(/documents has from_tomorrow/);
  const imported = await transfer("import", at("export"), embedded("spared"));
  expect(imported.tables.length).toBeGreaterThan(10);
}, 180_000);

test("an export without predictions leaves them out, and nothing else", async () => {
  const { tables } = await transfer("export", at("lighter"), embedded("source"), "--without-predictions");
  const whole = JSON.parse(await readFile(join(at("export"), "manifest.json"), "utf8")) as {
    tables: { name: string; sha256: string }[];
  };
  expect(tables).toEqual(whole.tables.filter(({ name }) => name !== "inference_records"));
});

test("a version whose artifact was cleaned away travels without it", async () => {
  const cleaned = await startPlatform({ dataDir: at("cleaned") });
  for (const hidden of [4, 5, 6]) {
    const { number } = await uploadVersion(cleaned, "spread", perceptron([3, hidden, 2]));
    await promote(cleaned, { model: "spread", number });
  }
  expect((await cleanUp(cleaned, 0, false)).versions).toMatchObject([{ model: "spread", number: 1 }]);
  await cleaned.stop();
  const exported = await transfer("export", at("after-cleanup"), embedded("cleaned"));
  expect(exported.artifacts).toHaveLength(2);
  expect(await transfer("import", at("after-cleanup"), embedded("cleaned-target"))).toMatchObject({
    artifacts: exported.artifacts,
  });
}, 120_000);
