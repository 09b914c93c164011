import { createCollection, deleteDocuments, endedJob, ingest, jobOf } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { metric } from "../support/metrics.js";
import { eventually, refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, register, rollBack } from "../support/registry.js";
import {
  cancelJob,
  collectionState,
  reindex,
  retryJob,
  servedBy,
  setEmbedder,
  uploadBrittleEmbedder,
  uploadRandomEmbedder,
} from "../support/reindexing.js";
import type { CollectionState } from "../support/reindexing.js";

/** Wide and deep enough that a reindex can be met under way. */
const SLOW = { width: 256, layers: 4 };

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});

afterAll(() => platform.remove());

function notes(from: number, count: number): DocumentInput[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `note/${from + i}`,
    text: `In week ${from + i} the price of gas falls. Storage in Germany is high, and wind power rises to ${i}.`,
  }));
}

/** A collection of embedded documents, and a model whose first version embeds them; more are uploaded. */
async function embeddedCollection(name: string, documents: number, others: object[] = []): Promise<void> {
  for (const [i, options] of [{}, ...others].entries()) {
    await uploadRandomEmbedder(platform, name, { seed: i + 1, ...options });
  }
  await promote(platform, { model: name, number: 1 });
  await createCollection(platform, { name, embedder: name });
  const { job } = await ingest(platform, name, notes(0, documents));
  expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
}

const stateOf = (name: string) => collectionState(platform, name);

async function jobIdOf(name: string): Promise<string> {
  return (await stateOf(name)).reindex!.id;
}

/** The reindex of a collection once it is at work. */
async function underWay(name: string): Promise<string> {
  const job = await jobIdOf(name);
  await eventually(
    () => jobOf(platform, job),
    ({ state }) => state === "ACTIVE",
  );
  return job;
}

/** What somebody who looks again and again until told sees, without a gap. */
async function watching(name: string, work: () => Promise<void>): Promise<CollectionState[]> {
  const seen: CollectionState[] = [];
  let done = false;
  const looking = (async () => {
    while (!done) seen.push(await stateOf(name));
  })();
  await work().finally(() => (done = true));
  await looking;
  return seen;
}

interface Found {
  search: { edges: { score: number; node: { key: string } }[]; plan: { mode: string } };
}

/**
 * Searches until told to stop for a document by its own text: one version's vectors put it first, at a cosine of 1;
 * a query of one version among the vectors of another would not.
 */
async function searching(name: string, note: DocumentInput, done: () => boolean): Promise<number> {
  let searches = 0;
  while (!done()) {
    for (const mode of ["SEMANTIC", "HYBRID"]) {
      const { search } = await platform.query<Found>(
        `query Search($input: SearchInput!) {
          search(input: $input, first: 10) { edges { score node { key } } plan { mode } }
        }`,
        { input: { collection: name, query: note.text, mode } },
      );
      expect(search.plan.mode).toBe(mode);
      expect(search.edges).toHaveLength(10);
      expect(search.edges[0]!.node.key).toBe(note.key);
      if (mode === "SEMANTIC") expect(search.edges[0]!.score).toBeGreaterThan(0.999);
      searches++;
    }
  }
  return searches;
}

describe("promoting another version", () => {
  const documents = notes(0, 400);

  // The second has the width of the first: nothing but the values tells their vectors apart.
  beforeAll(() => embeddedCollection("swapped", 400, [{ layers: 4 }, { width: 96, layers: 2 }]));

  test.each([2, 3])(
    "embeds the collection anew by version %i; searches and ingest go on, the old one answers until then",
    async (number) => {
      const jobs: string[] = [];
      let done = false;
      const searches = searching("swapped", documents[7]!, () => done);
      const seen = await watching("swapped", async () => {
        await promote(platform, { model: "swapped", number });
        let next = number * 1_000;
        await eventually(
          async () => {
            jobs.push((await ingest(platform, "swapped", notes(next, 5))).job.id);
            next += 5;
            return stateOf("swapped");
          },
          ({ embedder }) => embedder?.number === number,
        );
        for (const job of [...jobs, await jobIdOf("swapped")]) {
          expect(await endedJob(platform, job)).toMatchObject({ state: "COMPLETED", error: null });
        }
      }).finally(() => (done = true));
      expect(await searches).toBeGreaterThan(4);
      const numbers = seen.map(({ embedder }) => embedder?.number);
      expect(new Set(numbers)).toEqual(new Set([number - 1, number]));
      expect(numbers).toEqual([...numbers].sort());
      const { documentCount, pendingCount, reindex: last } = await stateOf("swapped");
      expect([documentCount % 5, pendingCount]).toEqual([0, 0]);
      expect(await jobOf(platform, last!.id)).toMatchObject({ progress: 1, result: { recall: 1 } });
      // What came in last is found by its meaning, too.
      const [newest] = notes(number * 1_000 + 5 * (jobs.length - 1), 1);
      let looked = 0;
      await searching("swapped", newest!, () => looked++ > 0);
    },
  );

  test("leaves a way back that takes no time and misses nothing", async () => {
    const { documentCount, reindex: last } = await stateOf("swapped");
    const { job } = await ingest(platform, "swapped", notes(9_000, 20));
    await deleteDocuments(platform, "swapped", ["note/9000", "note/0"]);
    expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
    const switches = await metric(platform, "collection_index_switches_total");
    await rollBack(platform, { model: "swapped" });
    expect(await stateOf("swapped")).toMatchObject({
      embedder: { number: 2 },
      documentCount: documentCount + 18,
      pendingCount: 0,
      reindex: last,
    });
    let looked = 0;
    await searching("swapped", notes(9_000, 20)[3]!, () => looked++ > 0);
    await promote(platform, { model: "swapped", number: 3 });
    expect(await stateOf("swapped")).toMatchObject({
      embedder: { number: 3 },
      pendingCount: 0,
      reindex: last,
    });
    expect(await metric(platform, "collection_index_switches_total")).toBe(switches + 2);
  });
});

describe("a newer decision", () => {
  beforeAll(() => embeddedCollection("contested", 400, [SLOW, { width: 48 }]));

  test("cancels the older reindex", async () => {
    await promote(platform, { model: "contested", number: 2 });
    const older = await underWay("contested");
    await promote(platform, { model: "contested", number: 3 });
    expect(await jobOf(platform, older)).toMatchObject({ state: "CANCELLED" });
    const newer = await jobIdOf("contested");
    expect(newer).not.toBe(older);
    expect(await endedJob(platform, newer)).toMatchObject({ state: "COMPLETED" });
    expect(await stateOf("contested")).toMatchObject({ embedder: { number: 3 }, pendingCount: 0 });
    expect(refusalOf(await retryJob(platform, older))).toBe("PRECONDITION_FAILED");
  });

  test("for the version that serves just ends the reindex", async () => {
    await promote(platform, { model: "contested", number: 2 });
    const job = await underWay("contested");
    await rollBack(platform, { model: "contested" });
    expect(await jobOf(platform, job)).toMatchObject({ state: "CANCELLED" });
    expect(await stateOf("contested")).toMatchObject({
      embedder: { number: 3 },
      reindex: { id: job, state: "CANCELLED" },
    });
  });

  test("to start over takes the place of one that does the same", async () => {
    const first = (await reindex(platform, { collection: "contested" })).data!.reindexCollection.job.id;
    const second = (await reindex(platform, { collection: "contested" })).data!.reindexCollection.job.id;
    expect(await endedJob(platform, second)).toMatchObject({ state: "COMPLETED" });
    expect((await endedJob(platform, first)).state).toMatch(/CANCELLED|COMPLETED/);
    expect(await stateOf("contested")).toMatchObject({ embedder: { number: 3 }, reindex: { id: second } });
  });
});

describe("a reindex that does not succeed", () => {
  test("leaves the old index serving, and may be tried again when it was cancelled", async () => {
    await embeddedCollection("stopped", 300, [SLOW]);
    await promote(platform, { model: "stopped", number: 2 });
    const job = await underWay("stopped");
    await cancelJob(platform, job);
    expect(await stateOf("stopped")).toMatchObject({
      embedder: { number: 1 },
      reindex: { state: "CANCELLED" },
    });
    const { job: embedding } = await ingest(platform, "stopped", notes(300, 10));
    expect(await endedJob(platform, embedding.id)).toMatchObject({ state: "COMPLETED" });

    expect((await retryJob(platform, job)).errors).toBeUndefined();
    expect(await endedJob(platform, job)).toMatchObject({ state: "COMPLETED" });
    expect(await stateOf("stopped")).toMatchObject({ embedder: { number: 2 }, pendingCount: 0 });
  });

  test("leaves the old index serving when the new version cannot embed a document", async () => {
    await embeddedCollection("broken", 40);
    await ingest(platform, "broken", [{ key: "bad", text: "The nuclear plant is off." }]);
    const number = await uploadBrittleEmbedder(platform, "broken", "nuclear");
    const failed = await metric(platform, "collection_reindexes_total", { status: "FAILED" });
    await promote(platform, { model: "broken", number });
    const { state, error } = await endedJob(platform, await jobIdOf("broken"));
    expect([state, error]).toEqual(["FAILED", expect.stringMatching(/./)]);
    expect(await metric(platform, "collection_reindexes_total", { status: "FAILED" })).toBe(failed + 1);
    expect(await stateOf("broken")).toMatchObject({ embedder: { number: 1 }, pendingCount: 0 });
    const { job } = await ingest(platform, "broken", notes(100, 3));
    expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
    await deleteDocuments(platform, "broken", ["bad"]);
    await reindex(platform, { collection: "broken" });
    await servedBy(platform, "broken", "broken", number);
  });
});

describe("the embedder of a collection", () => {
  test("serves an empty one at once", async () => {
    await uploadRandomEmbedder(platform, "first");
    await promote(platform, { model: "first", number: 1 });
    await createCollection(platform, { name: "empty", embedder: "first" });
    expect(await stateOf("empty")).toMatchObject({ embedder: { number: 1 }, reindex: null, pendingCount: 0 });
  });

  test("may be set later, and to a model that waits for its first promotion", async () => {
    await uploadRandomEmbedder(platform, "waiting");
    await createCollection(platform, { name: "moved" });
    await ingest(platform, "moved", notes(0, 30));
    expect(await stateOf("moved")).toMatchObject({ embedder: null, embedderModel: null, pendingCount: 0 });

    const { data } = await setEmbedder(platform, { collection: "moved", embedder: "waiting" });
    expect(data!.setCollectionEmbedder.collection).toMatchObject({
      embedder: null,
      embedderModel: { name: "waiting" },
      reindex: null,
    });
    expect(refusalOf(await reindex(platform, { collection: "moved" }))).toBe(
      "PRECONDITION_FAILED input.collection",
    );
    await promote(platform, { model: "waiting", number: 1 });
    expect(await servedBy(platform, "moved", "waiting", 1)).toMatchObject({ pendingCount: 0 });
    expect(await endedJob(platform, await jobIdOf("moved"))).toMatchObject({ state: "COMPLETED" });

    await setEmbedder(platform, { collection: "moved", embedder: "first" });
    await servedBy(platform, "moved", "first", 1);
    const done = await jobIdOf("moved");
    await setEmbedder(platform, { collection: "moved", embedder: "first" });
    expect(await jobIdOf("moved")).toBe(done);
    // The one it had is kept: back is instant.
    const { data: back } = await setEmbedder(platform, { collection: "moved", embedder: "waiting" });
    expect(back!.setCollectionEmbedder.collection).toMatchObject({
      embedder: { number: 1, model: { name: "waiting" } },
      reindex: { id: done },
    });
  });

  test("is refused where it makes no sense", async () => {
    await createCollection(platform, { name: "wordy" });
    await register(platform, { name: "tensor", kind: "TENSOR" });
    const set = async (input: object) => refusalOf(await setEmbedder(platform, { ...input }));
    expect(await set({ collection: "absent", embedder: "first" })).toBe("NOT_FOUND input.collection");
    expect(await set({ collection: "wordy", embedder: "absent" })).toBe("NOT_FOUND input.embedder");
    expect(await set({ collection: "wordy", embedder: "tensor" })).toBe("INVALID_INPUT input.embedder");
    expect(refusalOf(await reindex(platform, { collection: "absent" }))).toBe("NOT_FOUND input.collection");
    expect(refusalOf(await reindex(platform, { collection: "wordy" }))).toBe(
      "PRECONDITION_FAILED input.collection",
    );
    expect(await stateOf("wordy")).toMatchObject({ embedder: null, embedderModel: null, reindex: null });
  });

  test("is reindexed once for each key", async () => {
    const input = { collection: "empty", idempotencyKey: "once" };
    const [first, again] = [await reindex(platform, input), await reindex(platform, input)];
    expect(again.data).toMatchObject({ reindexCollection: { job: { kind: "reindex-collection" } } });
    expect(again.data!.reindexCollection.job.id).toBe(first.data!.reindexCollection.job.id);
    expect(again.data!.reindexCollection.cursor).toBe(first.data!.reindexCollection.cursor);
    expect(refusalOf(await reindex(platform, { ...input, collection: "moved" }))).toBe(
      "CONFLICT input.idempotencyKey",
    );
    await endedJob(platform, first.data!.reindexCollection.job.id);
  });
});
