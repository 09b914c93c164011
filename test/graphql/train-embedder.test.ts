import { createCollection, deleteDocuments, ingest } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import {
  askTrainEmbedder,
  embedderRun,
  endedEmbedderRun,
  startedEmbedder,
  trainedEmbedder,
} from "../support/embedder-training.js";
import { GraphListener } from "../support/graph-listener.js";
import { curveWithHistory, datesOf, snapshotsOf, startTraining } from "../support/market-curves.js";
import { marketNotes } from "../support/market-notes.js";
import { linearModel } from "../support/onnx-models.js";
import { eventually, refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { uploadVersion } from "../support/registry.js";

let platform: Platform;
const notes = marketNotes();

beforeAll(async () => {
  platform = await startPlatform();
  await collectionOf("notes", notes);
  await curveWithHistory(platform, "yields", snapshotsOf(datesOf(160)));
});

afterAll(() => platform.remove());

async function collectionOf(name: string, documents: readonly DocumentInput[]): Promise<void> {
  await createCollection(platform, { name });
  if (documents.length > 0) await ingest(platform, name, documents);
}

interface TrainingEvent {
  status: string;
  progress: number;
  message: string;
}

const EVENTS = `subscription Events($run: ID, $after: String) {
  trainingEvents(run: $run, after: $after) { cursor status progress message run { id collection { name } } }
}`;

function cancel(run: string): Promise<Answer<{ cancelTraining: { run: { status: string } } }>> {
  return platform.ask(
    "mutation Cancel($run: ID!) { cancelTraining(input: { run: $run }) { run { status } cursor } }",
    { run },
  );
}

/** Keeps the training queue busy until it is cancelled. @returns its run */
async function busyQueue(): Promise<string> {
  const { data } = await startTraining(platform, {
    ...{
      model: "busy",
      curve: "yields",
      type: "GRADIENT_BOOSTING",
      horizons: [1, 2, 3, 4, 5],
      refitEvery: 1,
    },
    options: { trees: 500, depth: 6 },
  });
  return data!.startTraining.run.id;
}

async function versionsOf(model: string): Promise<number> {
  const answer = await platform.query<{ model: { versions: { totalCount: number } } }>(
    "query Versions($model: String!) { model(name: $model) { versions { totalCount } } }",
    { model },
  );
  return answer.model.versions.totalCount;
}

test("an embedder is learned from a collection's text, tells of itself, and embeds", async () => {
  const { id, cursor } = await startedEmbedder(platform, {
    model: "note-embedder",
    collection: "notes",
    dimensions: 48,
  });
  const listener = new GraphListener<TrainingEvent>(platform, EVENTS, { run: id, after: cursor });
  const events = await listener.until((seen) => seen.at(-1)?.status === "SUCCEEDED");
  await listener.close();
  expect([...new Set(events.map(({ status }) => status))]).toEqual(["QUEUED", "RUNNING", "SUCCEEDED"]);
  const shares = events.map(({ progress }) => progress);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  expect([shares[0], shares.at(-1)]).toEqual([0, 1]);
  expect(events.map(({ message }) => message)).toContain(`learned from ${notes.length} documents`);

  const run = await embedderRun(platform, id);
  expect(run).toMatchObject({
    status: "SUCCEEDED",
    ...{ error: null, curve: null, backtest: null, collection: { name: "notes" } },
    version: { number: 1, status: "READY", embedder: { dimensions: 48 } },
  });
  expect(run.dataSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(run.metrics.length).toBeGreaterThan(0);
  expect(run.parameters).toContainEqual({ name: "dimensions", value: "48" });
  expect(run.version!.artifact.files.map(({ name }) => name)).toEqual(["tokenizer.json"]);
  const { model } = await platform.query<{ model: object }>(
    `{ model(name: "note-embedder") { kind version(number: 1) { trainingRun { id } curve { name } } } }`,
  );
  expect(model).toEqual({ kind: "TEXT_EMBEDDER", version: { trainingRun: { id }, curve: null } });

  const { embed } = await platform.query<{
    embed: { dimensions: number; embeddings: { vector: number[] }[] };
  }>(
    `query Embed($texts: [String!]!) {
      embed(input: { model: "note-embedder", version: { number: 1 }, texts: $texts }) {
        dimensions embeddings { vector }
      }
    }`,
    {
      texts: [
        "Allowances fell as industry emitted less.",
        "Carbon permits lost value.",
        "Lithium for batteries",
      ],
    },
  );
  const [fall, loss, metal] = embed.embeddings.map(({ vector }) => vector) as [number[], number[], number[]];
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  expect([embed.dimensions, fall.length]).toEqual([48, 48]);
  expect(dot(fall, loss)).toBeGreaterThan(dot(fall, metal) + 0.2);
});

test("equal texts make equal embedders, in whatever order they came, and other texts others", async () => {
  const part = notes.slice(0, 60);
  await collectionOf("one-way", part);
  await collectionOf(
    "other-way",
    [...part].reverse().map((note) => ({ ...note, metadata: {}, publishedAt: null })),
  );
  const learn = (model: string, collection: string, seed = 254) =>
    trainedEmbedder(platform, { model, collection, dimensions: 16, seed });
  const one = await learn("twin-a", "one-way");
  const other = await learn("twin-b", "other-way");
  expect(other.dataSha256).toBe(one.dataSha256);
  expect(other.version!.artifact).toEqual(one.version!.artifact);

  await ingest(platform, "other-way", [{ ...part[0]!, text: `${part[0]!.text} More.` }]);
  const changed = await learn("twin-b", "other-way");
  expect(changed.dataSha256).not.toBe(one.dataSha256);
  await ingest(platform, "other-way", [part[0]!]);
  const restored = await learn("twin-b", "other-way");
  expect([restored.dataSha256, restored.version!.number]).toEqual([one.dataSha256, 3]);
  await deleteDocuments(platform, "other-way", [part[1]!.key]);
  expect((await learn("twin-b", "other-way")).dataSha256).not.toBe(one.dataSha256);
});

describe("a training is refused before it starts:", () => {
  beforeAll(async () => {
    await collectionOf("empty", []);
    await collectionOf("few", notes.slice(0, 9));
    await collectionOf(
      "terse",
      notes.slice(0, 20).map(({ key }) => ({ key, text: "Gas rose." })),
    );
    await uploadVersion(platform, "tensor", linearModel());
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["an unknown collection", { collection: "absent" }, "NOT_FOUND input.collection"],
    ["an empty collection", { collection: "empty" }, "PRECONDITION_FAILED input.collection"],
    ["too few documents", { collection: "few" }, "PRECONDITION_FAILED input.collection"],
    ["too few words", { collection: "terse" }, "PRECONDITION_FAILED input.collection"],
    ["too few dimensions", { dimensions: 7 }, "INVALID_INPUT input.dimensions"],
    ["too many dimensions", { dimensions: 1025 }, "INVALID_INPUT input.dimensions"],
    ["dimensions that are no Int", { dimensions: 64.5 }, "INVALID_INPUT input.dimensions"],
    ["a seed that is no Int", { seed: 2 ** 31 }, "INVALID_INPUT input.seed"],
    ["a bad model name", { model: "My Model" }, "INVALID_INPUT input.model"],
    ["a model of another kind", { model: "tensor" }, "INVALID_INPUT input.model"],
    ["an empty idempotency key", { idempotencyKey: "" }, "INVALID_INPUT input.idempotencyKey"],
  ])("%s", async (_what, input, refusal) => {
    const answer = await askTrainEmbedder(platform, { model: "never", collection: "notes", ...input });
    expect(refusalOf(answer)).toBe(refusal);
    expect(await platform.query(`{ model(name: "never") { id } }`)).toEqual({ model: null });
  });
});

test("texts that carry too little end the run with the reason, and are not tried again", async () => {
  await collectionOf(
    "monotonous",
    Array.from({ length: 40 }, (_, i) => ({
      key: `n${i}`,
      text: "Gas rose and power rose and carbon rose.",
    })),
  );
  const run = await trainedEmbedder(platform, { model: "monotonous", collection: "monotonous" });
  expect(run).toMatchObject({ status: "FAILED", version: null });
  expect(run.error).toMatch(/at least 50 different words/);
  const { jobs } = await platform.query<{ jobs: { edges: object[] } }>(
    `{ jobs(first: 1, kind: "train-embedder") { edges { node { state attempts } } } }`,
  );
  expect(jobs.edges).toEqual([{ node: { state: "FAILED", attempts: 1 } }]);
  expect(await versionsOf("monotonous")).toBe(0);
});

test("an idempotency key starts one run, and explicit nulls mean the defaults", async () => {
  const input = { model: "keyed", collection: "notes", idempotencyKey: "weekly" };
  const [first, again] = await Promise.all([
    startedEmbedder(platform, input),
    startedEmbedder(platform, { ...input, dimensions: null, seed: null }),
  ]);
  expect(again).toEqual(first);
  expect(refusalOf(await askTrainEmbedder(platform, { ...input, seed: 1 }))).toBe(
    "CONFLICT input.idempotencyKey",
  );
  const run = await endedEmbedderRun(platform, first.id);
  expect(run.status).toBe("SUCCEEDED");
  // No more than the texts carry, of the 256 that are the default.
  expect(run.version!.embedder.dimensions).toBeGreaterThan(100);
  expect(run.version!.embedder.dimensions).toBeLessThanOrEqual(notes.length);
  expect(run.parameters).toContainEqual({ name: "seed", value: "254" });
  expect(await versionsOf("keyed")).toBe(1);
});

test("a run that waits can be cancelled and tried again, and learns from what was there when it was asked", async () => {
  await collectionOf("growing", notes.slice(0, 60));
  const asked = { collection: "growing", dimensions: 16 };
  const before = await trainedEmbedder(platform, { model: "before", ...asked });
  const busy = await busyQueue();
  const { id } = await startedEmbedder(platform, { model: "patient", ...asked });
  await ingest(platform, "growing", notes.slice(60, 80));
  expect((await cancel(id)).data!.cancelTraining.run.status).toBe("CANCELLED");
  const { jobs } = await platform.query<{ jobs: { edges: [{ node: { id: string } }] } }>(
    `{ jobs(first: 1, kind: "train-embedder") { edges { node { id } } } }`,
  );
  await platform.query("mutation Retry($job: ID!) { retryJob(input: { job: $job }) { cursor } }", {
    job: jobs.edges[0].node.id,
  });
  await cancel(busy);
  const run = await endedEmbedderRun(platform, id);
  expect(run).toMatchObject({ status: "SUCCEEDED", dataSha256: before.dataSha256 });
  const later = await trainedEmbedder(platform, { model: "later", ...asked });
  expect(later.dataSha256).not.toBe(before.dataSha256);
});

test("a run that works can be cancelled; its model gets no version", async () => {
  await collectionOf("long", longDocuments(400));
  const { id, cursor } = await startedEmbedder(platform, {
    model: "stopped",
    collection: "long",
    dimensions: 512,
  });
  const listener = new GraphListener<TrainingEvent>(platform, EVENTS, { run: id, after: cursor });
  await listener.until((events) =>
    events.some(({ status, progress }) => status === "RUNNING" && progress > 0),
  );
  expect((await cancel(id)).data!.cancelTraining.run.status).toBe("CANCELLED");
  await listener.until((events) => events.at(-1)?.status === "CANCELLED");
  await listener.close();
  // The queue has one place: whoever comes next waits until the cancelled thread has ended.
  const next = await trainedEmbedder(platform, { model: "next", collection: "notes", dimensions: 16 });
  expect(next.status).toBe("SUCCEEDED");
  expect(await embedderRun(platform, id)).toMatchObject({ status: "CANCELLED", version: null, error: null });
  expect(await versionsOf("stopped")).toBe(0);
  expect(refusalOf(await cancel(id))).toBe("PRECONDITION_FAILED");
});

test("a platform that is killed in the middle goes on with the run and publishes once", async () => {
  const { id } = await startedEmbedder(platform, { model: "resumed", collection: "long", dimensions: 512 });
  await eventually(
    () => embedderRun(platform, id),
    ({ status, progress }) => status === "RUNNING" && progress > 0,
  );
  await platform.stop("SIGKILL");
  platform = await startPlatform({ dataDir: platform.dataDir });
  const run = await endedEmbedderRun(platform, id, 120_000);
  expect(run).toMatchObject({ status: "SUCCEEDED", version: { number: 1, status: "READY" } });
  expect(await versionsOf("resumed")).toBe(1);
});

/** Documents of words that are drawn with a skew, so that learning from them takes some seconds. */
function longDocuments(count: number): DocumentInput[] {
  let state = 254;
  const draw = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const word = (): string => `w${Math.floor(4000 * draw() ** 3).toString(36)}`;
  return Array.from({ length: count }, (_, i) => ({
    key: `d${i}`,
    text: Array.from({ length: 200 }, word).join(" "),
  }));
}
