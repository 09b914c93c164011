import { createCollection, deleteDocuments, endedJob, ingest } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { indexContents } from "../support/index-contents.js";
import { familyOf, partsOf } from "../support/job-families.js";
import type { WholeJob } from "../support/job-families.js";
import { metric } from "../support/metrics.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import {
  collectionState,
  reindex,
  retryJob,
  servedBy,
  uploadBrittleEmbedder,
  uploadRandomEmbedder,
} from "../support/reindexing.js";

/** A killed process's jobs come back when their lease has run out. */
const RESUMING_MS = 180_000;
const DOCUMENTS = 600;
const PARTED = { ML_REINDEX_PART_DOCUMENTS: "100" };
const PARTS = 6;

let platform: Platform;
/** What the index of a reindex in one go finds. */
let whole: [string, number][][];

beforeAll(async () => {
  platform = await startPlatform();
  await uploadRandomEmbedder(platform, "quick");
  await uploadRandomEmbedder(platform, "quick", { seed: 2, width: 128, layers: 2 });
  await promote(platform, { model: "quick", number: 1 });
  await createCollection(platform, { name: "notes", embedder: "quick" });
  const { job } = await ingest(platform, "notes", notes(DOCUMENTS));
  expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
  await promote(platform, { model: "quick", number: 2 });
  const { reindex: first } = await servedBy(platform, "notes", "quick", 2, RESUMING_MS);
  expect((await familyOf(platform, first!.id)).children.totalCount).toBe(0);
  whole = await findings();
  await platform.stop();
  platform = await startPlatform({ dataDir: platform.dataDir, environment: PARTED });
}, RESUMING_MS);

afterAll(() => platform.remove());

function note(i: number): DocumentInput {
  return {
    key: `note/${i}`,
    text: `In week ${i} the price of gas falls, and wind power is high. Storage in Germany is at ${i % 100}.`,
  };
}

const notes = (count: number) => Array.from({ length: count }, (_, i) => note(i));

async function found(query: string): Promise<{ score: number; node: { key: string } }[]> {
  const { search } = await platform.query<{
    search: { edges: { score: number; node: { key: string } }[]; plan: { mode: string } };
  }>(
    `query Search($input: SearchInput!) {
      search(input: $input, first: 30) { edges { score node { key } } plan { mode } }
    }`,
    { input: { collection: "notes", query, mode: "SEMANTIC" } },
  );
  expect(search.plan.mode).toBe("SEMANTIC");
  return search.edges;
}

async function findings(): Promise<[string, number][][]> {
  const queries = [note(3).text, note(599).text, "wind power in Germany", "the price of gas"];
  const all = [];
  for (const query of queries) {
    all.push((await found(query)).map(({ score, node }): [string, number] => [node.key, score]));
  }
  return all;
}

async function expectSameFindings(): Promise<void> {
  // Vectors differ in their last bits by what they are embedded together with.
  const expected = whole.map((edges) => edges.map(([key, score]) => [key, expect.closeTo(score, 4)]));
  expect(await findings()).toEqual(expected);
}

async function startOver(collection = "notes"): Promise<string> {
  const { data, errors } = await reindex(platform, { collection });
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.reindexCollection.job.id;
}

const withSomeDone = (id: string) =>
  eventually(
    () => familyOf(platform, id),
    (family) => partsOf(family, "COMPLETED").length >= 2,
    RESUMING_MS,
  );

async function completed(id: string): Promise<WholeJob> {
  const { state, error } = await endedJob(platform, id, RESUMING_MS);
  expect([state, error]).toEqual(["COMPLETED", null]);
  const family = await familyOf(platform, id);
  expect(partsOf(family, "COMPLETED")).toHaveLength(family.children.totalCount);
  return family;
}

/** Nothing stands but what serves and what is kept for the way back, and nothing is pending. */
async function expectNothingLeft(): Promise<void> {
  const { indexes, tables, pending } = await indexContents(platform);
  expect(indexes.map(({ state }) => state)).toEqual(["KEPT", "SERVING"]);
  expect(tables).toEqual(indexes.map(({ id }) => `passages_${id}`));
  expect(pending).toBe(0);
  expect(Object.keys(indexes[1]!.passages).sort()).toEqual(Object.keys(indexes[0]!.passages).sort());
}

const untilDropped = () =>
  eventually(
    () => Promise.resolve(platform.log),
    (log) => log.some(({ event }) => event === "search_index.dropped"),
    RESUMING_MS,
  );

test(
  "a reindex in parts finds what one in one go finds",
  async () => {
    const job = await startOver();
    const seen: number[] = [];
    await eventually(
      async () => {
        expect((await collectionState(platform, "notes")).reindex!.id).toBe(job);
        const family = await familyOf(platform, job);
        seen.push(family.progress);
        return family;
      },
      ({ finishedAt }) => finishedAt !== null,
      RESUMING_MS,
    );
    const { children } = await completed(job);
    expect(children.totalCount).toBe(PARTS);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.filter((progress) => progress > 0 && progress < 0.9).length).toBeGreaterThan(0);
    await expectSameFindings();
  },
  RESUMING_MS,
);

test(
  "documents that come, change and go meanwhile are in the new index as they are",
  async () => {
    const job = await startOver();
    await withSomeDone(job);
    // The first part is done with the first documents, nobody has come to the last ones.
    const changed = [1, 598].map((i) => ({ ...note(i), text: `Coal of week ${i} is cheap in Poland.` }));
    await ingest(platform, "notes", [...changed, note(5_000)]);
    await deleteDocuments(platform, "notes", ["note/0", "note/599"]);
    await completed(job);
    expect(await collectionState(platform, "notes")).toMatchObject({ pendingCount: 0 });
    for (const { key, text } of [...changed, note(5_000)]) {
      const [best] = await found(text);
      expect([best!.node.key, best!.score]).toEqual([key, expect.closeTo(1, 3)]);
    }
    for (const i of [0, 599]) {
      expect((await found(note(i).text)).map(({ node }) => node.key)).not.toContain(`note/${i}`);
    }
    await deleteDocuments(platform, "notes", ["note/5000"]);
    const back = await ingest(platform, "notes", notes(DOCUMENTS));
    expect(await endedJob(platform, back.job.id)).toMatchObject({ state: "COMPLETED" });
  },
  RESUMING_MS,
);

test(
  "goes on after a kill, and does nothing twice",
  async () => {
    const job = await startOver();
    const done = partsOf(await withSomeDone(job), "COMPLETED");
    await platform.stop("SIGKILL");
    const before = (await indexContents(platform)).indexes.find(({ state }) => state === "BUILDING")!;
    const embedded = Object.keys(before.passages).length;
    expect(embedded).toBeGreaterThanOrEqual(200);
    expect(embedded).toBeLessThan(DOCUMENTS);

    platform = await startPlatform({ dataDir: platform.dataDir, environment: PARTED });
    expect(partsOf(await completed(job))).toEqual(expect.arrayContaining(done));
    expect(await metric(platform, "embedding_texts_total", { priority: "bulk" })).toBe(DOCUMENTS - embedded);
    await expectSameFindings();
    await untilDropped();
    await platform.stop();
    await expectNothingLeft();
    const serving = (await indexContents(platform)).indexes.find(({ id }) => id === before.id)!;
    expect(Object.keys(serving.passages)).toHaveLength(DOCUMENTS);
    // A transaction that writes a row marks it: those of before the kill were not written again.
    expect(serving.passages).toMatchObject(before.passages);
    platform = await startPlatform({ dataDir: platform.dataDir, environment: PARTED });
  },
  2 * RESUMING_MS,
);

test(
  "a newer reindex cancels all parts of the older, which leave nothing behind",
  async () => {
    const older = await startOver();
    await withSomeDone(older);
    const newer = await startOver();
    const cancelled = await familyOf(platform, older);
    expect(cancelled.state).toBe("CANCELLED");
    expect(partsOf(cancelled).map(({ finishedAt }) => finishedAt)).not.toContain(null);
    expect(partsOf(cancelled, "CANCELLED").length).toBeGreaterThan(0);
    await completed(newer);
    await expectSameFindings();
    await eventually(
      () => Promise.resolve(platform.log),
      (log) => log.filter(({ event }) => event === "search_index.dropped").length === 2,
      RESUMING_MS,
    );
    await platform.stop();
    await expectNothingLeft();
    platform = await startPlatform({ dataDir: platform.dataDir, environment: PARTED });
  },
  RESUMING_MS,
);

test(
  "a part that fails leaves the old index serving; tried again, all of it is done anew",
  async () => {
    await uploadRandomEmbedder(platform, "broken");
    await promote(platform, { model: "broken", number: 1 });
    await createCollection(platform, { name: "broken", embedder: "broken" });
    const bad = { key: "bad", text: "The nuclear plant is off." };
    const { job: embedding } = await ingest(platform, "broken", [...notes(250), bad]);
    expect(await endedJob(platform, embedding.id)).toMatchObject({ state: "COMPLETED" });
    const number = await uploadBrittleEmbedder(platform, "broken", "nuclear");
    await promote(platform, { model: "broken", number });
    const { id } = (await collectionState(platform, "broken")).reindex!;
    const { state, error } = await endedJob(platform, id, RESUMING_MS);
    expect([state, error]).toEqual(["FAILED", expect.stringContaining("reindex-part")]);
    expect(partsOf(await familyOf(platform, id), "FAILED")).toHaveLength(1);
    expect(await collectionState(platform, "broken")).toMatchObject({
      embedder: { number: 1 },
      pendingCount: 0,
    });
    await deleteDocuments(platform, "broken", ["bad"]);
    expect((await retryJob(platform, id)).errors).toBeUndefined();
    expect((await completed(id)).children.totalCount).toBe(2);
    expect(await collectionState(platform, "broken")).toMatchObject({
      embedder: { number },
      pendingCount: 0,
    });
  },
  RESUMING_MS,
);
