import { createCollection, deleteDocuments, endedJob, ingest } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { uploadEmbedder } from "../support/embedders.js";
import { encoder, tinyShape } from "../support/encoder-models.js";
import { metric } from "../support/metrics.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { inDatabaseOf, takeObject } from "../support/platform-engines.js";
import { digestOf, promote } from "../support/registry.js";
import { cancelJob, retryJob, servedBy } from "../support/reindexing.js";

/** A killed process's jobs come back when their lease has run out. */
const RESUMING_MS = 180_000;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  // Slow enough that an ingest can be caught under way.
  const graph = encoder({ ...tinyShape, width: 128, layers: 4, intermediate: 512 });
  await uploadEmbedder(platform, "slow", { graph });
  await uploadEmbedder(platform, "quick");
  for (const model of ["slow", "quick"]) await promote(platform, { model, number: 1 });
});

afterAll(() => platform.remove());

/** The longest make some ten passages; no two are equal, since equal texts are computed once. */
function notes(count: number, words = "gas power carbon wind"): DocumentInput[] {
  return Array.from({ length: count }, (_, i) => {
    const sentences = Array.from(
      { length: 1 + (i % 50) },
      (_, j) => `In ${i} the price of oil falls to ${j}.`,
    );
    return {
      key: `note/${i}`,
      title: i % 2 === 0 ? `Note ${i}` : null,
      text: `${words}. ${sentences.join(" ")}`,
    };
  });
}

async function pendingCount(collection: string): Promise<number> {
  const answer = await platform.query<{ collection: { pendingCount: number } }>(
    "query Pending($name: String!) { collection(name: $name) { pendingCount } }",
    { name: collection },
  );
  return answer.collection.pendingCount;
}

const embeddedTexts = () => metric(platform, "embedding_texts_total", { priority: "bulk" });

interface Embedded {
  key: string;
  length: number;
  /** Null while it is pending. */
  passages: { ordinal: number; start: number; end: number; written: string }[] | null;
  pending: number;
}

/** What the index of a collection holds, read while no platform runs on it. */
async function embeddedOf(collection: string): Promise<Map<string, Embedded>> {
  return inDatabaseOf(platform, async (query) => {
    const [index] = await query<{ id: number }>(
      `SELECT i.id FROM search_indexes i JOIN collections c ON c.serving_index_id = i.id WHERE c.name = $1`,
      [collection],
    );
    const rows = await query<Embedded>(
      `SELECT key, length(text) AS length,
         (SELECT json_agg(json_build_object('ordinal', ordinal, 'start', start_at, 'end', end_at,
            'written', p.xmin::text) ORDER BY ordinal)
          FROM vectors.passages_${index!.id} p WHERE document_id = d.id) AS passages,
         (SELECT count(*)::int FROM pending_embeddings WHERE document_id = d.id) AS pending
       FROM documents d JOIN collections c ON c.id = d.collection_id WHERE c.name = $1`,
      [collection],
    );
    const [faulty] = await query<{ count: number }>(
      `SELECT (SELECT count(*)::int FROM vectors.passages_${index!.id} p
         WHERE abs((embedding <#> embedding) + 1) > 0.01 OR NOT EXISTS (SELECT FROM documents WHERE id = p.document_id)) +
         (SELECT count(*)::int FROM postings p WHERE NOT EXISTS (SELECT FROM documents WHERE id = p.document_id))
         AS count`,
    );
    expect(faulty!.count).toBe(0);
    return new Map(rows.map((row) => [row.key, row]));
  });
}

/** Passages in their order, from the text's first character to its last. */
function expectWhole({ key, length, passages, pending }: Embedded): void {
  const ordinals = passages?.map(({ ordinal }) => ordinal);
  expect([key, pending, ordinals]).toEqual([key, 0, ordinals?.map((_, i) => i)]);
  expect([key, passages![0]!.start, passages!.at(-1)!.end]).toEqual([key, 0, length]);
}

async function startAgain(): Promise<void> {
  platform = await startPlatform({ dataDir: platform.dataDir });
}

test(
  "an ingest goes on after a kill, and does nothing twice",
  async () => {
    // Four pages of documents, two of which are under way at a time.
    const documents = notes(500);
    await createCollection(platform, { name: "killed", embedder: "slow" });
    const { job } = await ingest(platform, "killed", documents);
    await eventually(
      () => pendingCount("killed"),
      (count) => count > 0 && count < documents.length,
    );
    await platform.stop("SIGKILL");
    const before = [...(await embeddedOf("killed")).values()];
    const done = before.filter(({ passages }) => passages !== null);
    expect(done.length).toBeGreaterThan(0);
    expect(before.filter(({ pending }) => pending === 1)).toHaveLength(documents.length - done.length);

    await startAgain();
    expect(await endedJob(platform, job.id, RESUMING_MS)).toMatchObject({
      state: "COMPLETED",
      result: { embedded: documents.length - done.length, skipped: 0 },
    });
    expect(await pendingCount("killed")).toBe(0);
    const texts = await embeddedTexts();
    await platform.stop();
    const after = await embeddedOf("killed");
    expect(after.size).toBe(documents.length);
    for (const document of after.values()) expectWhole(document);
    // A transaction that writes a row marks it: those of before the kill were not written again.
    for (const { key, passages } of done) expect(after.get(key)!.passages).toEqual(passages);
    const passages = (of: Iterable<Embedded>) =>
      [...of].flatMap((document) => document.passages ?? []).length;
    expect(texts).toBe(passages(after.values()) - passages(done));
    await startAgain();
  },
  RESUMING_MS,
);

test("of rivals for the same keys the last one's text is embedded, once", async () => {
  await createCollection(platform, { name: "rivals", embedder: "slow" });
  const variants = ["gas", "gas and oil", "wind power and gas", "carbon"].map((words) => notes(60, words));
  const jobs = await Promise.all(variants.map((documents) => ingest(platform, "rivals", documents)));
  const deleted = notes(60)
    .filter((_, i) => i % 3 === 0)
    .map(({ key }) => key);
  expect(await deleteDocuments(platform, "rivals", deleted)).toBe(20);
  for (const { job } of jobs) expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
  expect(await pendingCount("rivals")).toBe(0);
  await platform.stop();
  const embedded = await embeddedOf("rivals");
  await startAgain();
  expect(embedded.size).toBe(40);
  // The variants differ in length, so passages of another one would not end where the text does.
  for (const document of embedded.values()) expectWhole(document);
});

describe("what comes again", () => {
  beforeAll(() => createCollection(platform, { name: "again", embedder: "quick" }));

  async function textsOf(documents: DocumentInput[]): Promise<number> {
    const before = await embeddedTexts();
    const { job } = await ingest(platform, "again", documents);
    expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
    expect(await pendingCount("again")).toBe(0);
    return (await embeddedTexts()) - before;
  }

  test("is embedded again only where its title or text has changed", async () => {
    const [a, b, c] = notes(3) as [DocumentInput, DocumentInput, DocumentInput];
    expect(await textsOf([a, b, c])).toBe(3);
    expect(await textsOf([a, b, c])).toBe(0);
    expect(
      await textsOf([{ ...a, metadata: { new: true } }, { ...b, publishedAt: "2026-01-01T00:00:00Z" }, c]),
    ).toBe(0);
    expect(await textsOf([{ ...a, title: "Another" }, b, c])).toBe(1);
  });
});

describe("a cancelled job", () => {
  const documents = notes(200);
  let job: string;

  beforeAll(async () => {
    await createCollection(platform, { name: "cancelled", embedder: "slow" });
    job = (await ingest(platform, "cancelled", documents)).job.id;
    await cancelJob(platform, job);
    expect(await endedJob(platform, job)).toMatchObject({ state: "CANCELLED" });
  });

  test("leaves its documents waiting, and those that are sent again are embedded", async () => {
    const waiting = await pendingCount("cancelled");
    expect(waiting).toBeGreaterThan(2);
    const again = await ingest(platform, "cancelled", documents.slice(-2));
    expect(again.unchanged).toBe(2);
    expect(await endedJob(platform, again.job.id)).toMatchObject({ result: { embedded: 2, skipped: 0 } });
    expect(await pendingCount("cancelled")).toBe(waiting - 2);
  });

  test("embeds the rest when it is tried again", async () => {
    await retryJob(platform, job);
    expect(await endedJob(platform, job)).toMatchObject({ state: "COMPLETED" });
    expect(await pendingCount("cancelled")).toBe(0);
  });
});

describe("an embedder that has gone", () => {
  const [first, second, third] = notes(3) as [DocumentInput, DocumentInput, DocumentInput];
  const graphs = [1, 2].map((seed) => encoder(tinyShape, { seed }));

  beforeAll(async () => {
    for (const [i, graph] of graphs.entries()) {
      await uploadEmbedder(platform, "changing", { graph });
      if (i === 0) {
        await promote(platform, { model: "changing", number: 1 });
        await createCollection(platform, { name: "changing", embedder: "changing" });
        await ingest(platform, "changing", [first]);
      } else await promote(platform, { model: "changing", number: 2 });
    }
    await servedBy(platform, "changing", "changing", 2);
  });

  /** @returns brings it back */
  async function restartWithout(graph: Uint8Array): Promise<() => Promise<void>> {
    await platform.stop();
    const bringBack = await takeObject(platform, digestOf(graph));
    await startAgain();
    return bringBack;
  }

  test("does no harm while its index is only kept", async () => {
    const bringBack = await restartWithout(graphs[0]!);
    const { job } = await ingest(platform, "changing", [second]);
    expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED", result: { embedded: 1 } });
    expect(await pendingCount("changing")).toBe(0);
    expect(platform.log.map(({ event }) => event)).toContain("search.kept_index_behind");
    await bringBack();
  });

  test("fails the job, which ends well once it is back and the job is tried again", async () => {
    const bringBack = await restartWithout(graphs[1]!);
    const { job } = await ingest(platform, "changing", [third]);
    expect(await endedJob(platform, job.id)).toMatchObject({
      state: "FAILED",
      error: expect.any(String) as string,
    });
    expect(await pendingCount("changing")).toBe(1);
    await bringBack();
    await retryJob(platform, job.id);
    expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
    expect(await pendingCount("changing")).toBe(0);
  });
});
