import { createCollection, endedJob, ingest, jobOf } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { indexContents } from "../support/index-contents.js";
import { metric } from "../support/metrics.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, rollBack } from "../support/registry.js";
import { collectionState, uploadRandomEmbedder } from "../support/reindexing.js";

/** A killed process's jobs come back when their lease has run out. */
const RESUMING_MS = 180_000;
const DOCUMENTS = 600;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await uploadRandomEmbedder(platform, "quick");
  await uploadRandomEmbedder(platform, "quick", { seed: 2, width: 128, layers: 4 });
  await promote(platform, { model: "quick", number: 1 });
  await createCollection(platform, { name: "notes", embedder: "quick" });
  const { job } = await ingest(platform, "notes", notes(DOCUMENTS));
  expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
});

afterAll(() => platform.remove());

function notes(count: number): DocumentInput[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `note/${i}`,
    text: `In week ${i} the price of gas falls, and wind power is high. Storage in Germany is at ${i % 100}.`,
  }));
}

const embeddedTexts = () => metric(platform, "embedding_texts_total", { priority: "bulk" });

test(
  "a reindex goes on after a kill, and does nothing twice",
  async () => {
    await promote(platform, { model: "quick", number: 2 });
    const job = (await collectionState(platform, "notes")).reindex!.id;
    await eventually(
      () => jobOf(platform, job),
      ({ progress }) => progress > 0.1,
    );
    await platform.stop("SIGKILL");
    const before = (await indexContents(platform)).indexes;
    expect(before.map(({ state }) => state)).toEqual(["SERVING", "BUILDING"]);
    const done = Object.keys(before[1]!.passages).length;
    expect(done).toBeGreaterThan(0);
    expect(before[1]!.pending).toBe(DOCUMENTS - done);

    platform = await startPlatform({ dataDir: platform.dataDir });
    expect(await collectionState(platform, "notes")).toMatchObject({
      embedder: { number: 1 },
      pendingCount: 0,
    });
    expect(await endedJob(platform, job, RESUMING_MS)).toMatchObject({ state: "COMPLETED", error: null });
    expect(await collectionState(platform, "notes")).toMatchObject({
      embedder: { number: 2 },
      pendingCount: 0,
    });
    expect(await embeddedTexts()).toBe(DOCUMENTS - done);
    await platform.stop();

    const { indexes, tables, pending } = await indexContents(platform);
    expect(indexes.map(({ state }) => state)).toEqual(["KEPT", "SERVING"]);
    expect(tables).toEqual(indexes.map(({ id }) => `passages_${id}`));
    expect(pending).toBe(0);
    expect(Object.keys(indexes[1]!.passages).sort()).toEqual(Object.keys(indexes[0]!.passages).sort());
    expect(Object.keys(indexes[1]!.passages)).toHaveLength(DOCUMENTS);
    // A transaction that writes a row marks it: those of before the kill were not written again.
    expect(indexes[1]!.passages).toMatchObject(before[1]!.passages);
    platform = await startPlatform({ dataDir: platform.dataDir });
  },
  RESUMING_MS,
);

test(
  "what cancelled reindexes leave is gone after a kill, too",
  async () => {
    await rollBack(platform, { model: "quick" });
    expect(await collectionState(platform, "notes")).toMatchObject({ embedder: { number: 1 } });
    await uploadRandomEmbedder(platform, "quick", { seed: 3, width: 128, layers: 4 });
    await promote(platform, { model: "quick", number: 3 });
    const job = (await collectionState(platform, "notes")).reindex!.id;
    await eventually(
      () => jobOf(platform, job),
      ({ progress }) => progress > 0.1,
    );
    await rollBack(platform, { model: "quick" });
    await platform.stop("SIGKILL");
    platform = await startPlatform({ dataDir: platform.dataDir });
    expect(await endedJob(platform, job, RESUMING_MS)).toMatchObject({ state: "CANCELLED" });
    expect(await collectionState(platform, "notes")).toMatchObject({
      embedder: { number: 1 },
      pendingCount: 0,
    });
    await eventually(
      () => Promise.resolve(platform.log),
      (log) => log.some(({ event }) => event === "search_index.dropped"),
      RESUMING_MS,
    );
    await platform.stop();
    const { indexes, tables, pending } = await indexContents(platform);
    expect(indexes.map(({ state }) => state)).toEqual(["SERVING", "KEPT"]);
    expect(tables).toEqual(indexes.map(({ id }) => `passages_${id}`));
    expect(pending).toBe(0);
    platform = await startPlatform({ dataDir: platform.dataDir });
  },
  RESUMING_MS,
);
