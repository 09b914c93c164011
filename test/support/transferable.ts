import { createKey } from "./api-keys.js";
import { createCollection, endedJob, ingest } from "./documents.js";
import type { DocumentInput } from "./documents.js";
import { FORECAST, forecastOf } from "./forecasts.js";
import { curveWithHistory, datesOf, record, snapshotsOf, startTraining, trained } from "./market-curves.js";
import { linearModel } from "./onnx-models.js";
import { eventually } from "./platform.js";
import type { Platform } from "./platform.js";
import { promote, register, rollBack, transitionsOf, uploadVersion } from "./registry.js";
import { servedBy, uploadRandomEmbedder } from "./reindexing.js";
import { keysOf, search } from "./searching.js";

/** What must be known of a furnished platform to ask it, or another that has its contents, the same questions. */
export interface Contents {
  /** Between the first record of the curve and its correction. */
  beforeCorrection: string;
  /** While the second version of the tensor model was in production. */
  duringSecond: string;
  /** Global ids of rows: a training run, a document, logged predictions, ... */
  nodes: string[];
  run: string;
  /** Of a subscriber who has seen what happened before the training. */
  cursor: string;
}

const NOTES: DocumentInput[] = Array.from({ length: 40 }, (_, i) => ({
  key: `note/${i}`,
  title: i % 3 === 0 ? null : `Storage, week ${i}`,
  text: `Gas prices in week ${i}: storages hold ${i * 2} percent.\u2028Wind rises to ${i} \u{1f32c} gigawatts.`,
  metadata: { week: i, market: i % 2 === 0 ? "TTF" : "NBP", 'quoted "key"': "a\\b" },
  publishedAt: i % 4 === 0 ? null : `2026-01-${String(1 + (i % 28)).padStart(2, "0")}T08:30:00Z`,
}));

const INGESTION = { collection: "notes", documents: NOTES, idempotencyKey: "notes-of-january" };

/** Brings something of everything into an empty platform. */
export async function furnish(platform: Platform): Promise<Contents> {
  const dates = datesOf(160);
  await curveWithHistory(platform, "yields", snapshotsOf(dates));
  const beforeCorrection = await now(platform);
  const corrected = { date: dates.at(-1)!, points: [{ tenor: "P5Y", value: 0.1 + 0.2 }] };
  await record(platform, { curve: "yields", snapshots: [corrected] });

  await createKey(platform, { name: "pricing", roles: ["ANALYST"] }, {});
  await register(platform, { name: "linear", kind: "TENSOR", tags: [{ name: "desk", value: "gas" }] });
  await uploadVersion(platform, "linear", linearModel());
  await uploadVersion(platform, "linear", linearModel(), { metrics: [{ name: "rmse", value: 0.125 }] });
  await uploadVersion(platform, "linear", new TextEncoder().encode("no model at all"));
  await promote(platform, { model: "linear", number: 1, reason: "first" });
  await promote(platform, { model: "linear", number: 2 });
  const duringSecond = await now(platform);
  await rollBack(platform, { model: "linear", reason: "worse" });

  const started = await startTraining(platform, { curve: "yields", model: "walk", idempotencyKey: "walk-1" });
  const { cursor } = started.data!.startTraining;
  const { id: run } = await trained(platform, { curve: "yields", model: "walk", idempotencyKey: "walk-1" });
  await promote(platform, { model: "walk", number: 1 });
  await awaitSecondPerson(platform, "walk");
  const forecast = await forecastOf(platform, { curve: "yields", model: "walk" });

  await uploadRandomEmbedder(platform, "embedder");
  await promote(platform, { model: "embedder", number: 1 });
  await createCollection(platform, { name: "notes", embedder: "embedder" });
  const { job } = await ingest(platform, "notes", NOTES, { idempotencyKey: INGESTION.idempotencyKey });
  await endedJob(platform, job.id);
  const prediction = await predict(platform);
  const nodes = [forecast.id, prediction.id, run, job.id, await documentId(platform)];
  await eventually(
    () => nodesOf(platform, [forecast.id, prediction.id]),
    (found) => found.every((node) => node !== null),
  );
  return { beforeCorrection, duringSecond, nodes, run, cursor };
}

/** Leaves a promotion waiting. */
async function awaitSecondPerson(platform: Platform, model: string): Promise<void> {
  await platform.query(
    "mutation Two($input: SetFourEyesInput!) { setFourEyes(input: $input) { model { fourEyes } } }",
    { input: { model, required: true } },
  );
  await promote(platform, { model, number: 1, stage: "STAGING", reason: "to look at it" });
}

/** Answers to everything that a client could ask of the contents, to be compared with those of another platform. */
export async function pictureOf(platform: Platform, contents: Contents): Promise<object> {
  await servedBy(platform, "notes", "embedder", 1);
  const { version, asOf, horizons } = await forecastOf(platform, { curve: "yields", model: "walk" });
  const { outputs } = await predict(platform);
  return {
    keys: await platform.query("{ apiKeys { edges { node { id name prefix roles createdAt expiresAt } } } }"),
    waiting: await platform.query(
      '{ model(name: "walk") { fourEyes pendingPromotion { id actor reason to status } } }',
    ),
    registry: await platform.query(REGISTRY, { during: contents.duringSecond }),
    transitions: await transitionsOf(platform, "linear"),
    curves: await platform.query(CURVES, { knownAt: contents.beforeCorrection }),
    runs: await platform.query(RUNS),
    nodes: await nodesOf(platform, contents.nodes),
    documents: await platform.query(DOCUMENTS),
    forecast: { version, asOf, horizons },
    outputs,
    words: await search(platform, { collection: "notes", query: "wind storages", mode: "LEXICAL" }).then(
      ({ edges }) => edges.map(({ node, score, highlight }) => ({ key: node.key, score, highlight })),
    ),
    meaning: keysOf(await search(platform, { collection: "notes", query: "week 7", mode: "SEMANTIC" })),
    repeated: await repeat(platform),
  };
}

/** Requests that have been made before: they must not happen again. */
async function repeat(platform: Platform): Promise<object> {
  const { ingestDocuments } = await platform.query<{ ingestDocuments: object }>(
    `mutation Again($input: IngestDocumentsInput!) {
      ingestDocuments(input: $input) { created updated unchanged cursor job { id state } }
    }`,
    { input: INGESTION },
  );
  const { startTraining: run } = await platform.query<{ startTraining: object }>(
    `mutation Again($input: StartTrainingInput!) { startTraining(input: $input) { run { id } cursor } }`,
    {
      input: { type: "RANDOM_WALK", horizons: [1], curve: "yields", model: "walk", idempotencyKey: "walk-1" },
    },
  );
  return { ingestDocuments, run };
}

async function now(platform: Platform): Promise<string> {
  // Later than every row so far, by the clock that wrote them.
  const before = Date.now();
  await eventually(
    () => platform.query("{ me { subject } }"),
    () => Date.now() > before + 2,
  );
  return new Date(before + 1).toISOString();
}

async function predict(platform: Platform): Promise<{ id: string; outputs: unknown }> {
  const inputs = [{ name: "x", values: [[0.1, 1 / 3, 1e-7]] }];
  const { predict: made } = await platform.query<{ predict: { id: string; outputs: unknown } }>(
    "query ($input: PredictInput!) { predict(input: $input) { id outputs { name shape values } } }",
    { input: { model: "linear", inputs } },
  );
  return made;
}

async function documentId(platform: Platform): Promise<string> {
  const { collection } = await platform.query<{ collection: { document: { id: string } } }>(
    `{ collection(name: "notes") { document(key: "note/3") { id } } }`,
  );
  return collection.document.id;
}

async function nodesOf(platform: Platform, ids: readonly string[]): Promise<unknown[]> {
  const nodes: unknown[] = [];
  for (const id of ids) nodes.push((await platform.query<{ node: unknown }>(NODE, { id })).node);
  return nodes;
}

const NODE = `query Find($id: ID!) { node(id: $id) {
  id __typename
  ...Forecast
  ... on Prediction { outputs { name values } }
  ... on TrainingRun { createdAt finishedAt backtest { scores { tenor rmse } } }
  ... on Job { kind state attempts createdAt finishedAt }
  ... on Document { key text metadata }
} } ${FORECAST}`;

const REGISTRY = `query Registry($during: DateTime!) { models(first: 10) { edges { node {
  id name kind description createdAt tags { name value }
  production { number } productionAt(time: $during) { number }
  versions(first: 10) { edges { node {
    id number stage status rejection createdAt createdBy
    metrics { name value } parameters { name value } artifact { sha256 bytes }
    signature { inputs { name type shape } outputs { name type shape } }
    embedder { pooling dimensions } trainingRun { id } curve { name }
  } } }
} } } }`;

const CURVES = `query History($knownAt: DateTime!) { curve(name: "yields") {
  id unit tenors
  snapshots(first: 100) { edges { node { date recordedAt points { tenor value } } } totalCount }
  known: snapshots(first: 100, from: "2023-08-01", knownAt: $knownAt) {
    edges { node { date recordedAt points { tenor value } } }
  }
  latest { date recordedAt points { tenor value } }
} }`;

const RUNS = `{ trainingRuns(first: 10) { totalCount edges { node {
  id status createdAt startedAt finishedAt dataSha256 version { number }
  metrics { name value } parameters { name value }
  backtest { origins scores { horizon tenor rmse relativeToRandomWalk coverage } }
} } } }`;

const DOCUMENTS = `{ collection(name: "notes") { id language documentCount embedderModel { name }
  documents(first: 100) { edges { node { id key title text metadata publishedAt } } }
} }`;
