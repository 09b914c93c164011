import type { Database } from "../../ports/database.js";
import { InvalidInputError, PreconditionFailedError } from "../../shared/errors.js";
import { TRAINED_DIMENSIONS, trainEmbedderInThread } from "../embeddings/index.js";
import { assertGranted } from "../identity/index.js";
import type { Caller } from "../identity/index.js";
import { assertModelName } from "../models/index.js";
import type { JobRun } from "../operations/index.js";
import type { StartedRun, TrainingRuns } from "../training/index.js";
import type { CollectionRow } from "./collection.entity.js";
import type { CollectionService } from "./collection.service.js";
import { CollectionTexts } from "./collection-texts.js";
import { trainEmbedderJob } from "./embedder-training.jobs.js";

export interface EmbedderTrainingRequest {
  model: string;
  collection: string;
  dimensions?: number | null;
  seed?: number | null;
  idempotencyKey?: string | null;
}

interface EmbedderSpec {
  dimensions: number;
  seed: number;
  /** The collection's text search configuration. */
  language: string;
}

/** Fewer tell nothing about which words go together. */
const FEWEST_DOCUMENTS = 10;
const FEWEST_WORDS = 200;

/** Learns embedders from the text of collections, in a thread of its own. */
export class EmbedderTrainingService {
  constructor(
    private readonly database: Database,
    private readonly collections: CollectionService,
    private readonly runs: TrainingRuns,
  ) {}

  /** Checks what can be checked before, then queues the run. */
  async start(request: EmbedderTrainingRequest, caller: Caller): Promise<StartedRun> {
    const { model, idempotencyKey } = request;
    const { dimensions, seed } = { dimensions: request.dimensions ?? 256, seed: request.seed ?? 254 };
    assertModelName(model, "input.model");
    assertGranted(caller, "training:start", { model });
    const { fewest, most } = TRAINED_DIMENSIONS;
    if (dimensions < fewest || dimensions > most) {
      throw InvalidInputError.at("input.dimensions", `must be from ${fewest} to ${most}`);
    }
    const collection = await this.collections.require(request.collection);
    assertEnoughText(collection);
    const spec: EmbedderSpec = { dimensions, seed, language: collection.language };
    return this.runs.start(
      {
        ...{
          operation: "trainEmbedder",
          body: { model, collection: collection.name, ...spec },
          idempotencyKey,
        },
        ...{ model, kind: "TEXT_EMBEDDER", job: trainEmbedderJob, spec },
        source: { collectionId: collection.id },
      },
      caller,
    );
  }

  /** The job: reads the collection, learns in a thread and publishes what comes of it. */
  async execute(runId: string, job: JobRun): Promise<{ version: number } | undefined> {
    const attempt = await this.runs.attempt(runId, job);
    if (!attempt) return undefined;
    const { run } = attempt;
    await attempt.begin(null);
    const texts = new CollectionTexts(this.database, run.collectionId!, run.createdAt);
    const trained = await attempt.reporting((onProgress) =>
      trainEmbedderInThread(texts, run.spec as EmbedderSpec, { signal: job.signal, onProgress }),
    );
    await attempt.advance({ dataSha256: texts.digest() }, `learned from ${texts.count} documents`);
    const { graph, tokenizer, options: embedder, metrics, parameters } = trained;
    const files = [{ name: "tokenizer.json", content: tokenizer }];
    return { version: await attempt.succeed({ artifact: { graph, files, embedder }, metrics, parameters }) };
  }
}

/** @throws {PreconditionFailedError} */
function assertEnoughText({ name, documentCount, wordCount }: CollectionRow): void {
  if (documentCount >= FEWEST_DOCUMENTS && wordCount >= FEWEST_WORDS) return;
  throw new PreconditionFailedError(
    `input.collection: to learn from, "${name}" needs ${FEWEST_DOCUMENTS} documents with ${FEWEST_WORDS} words ` +
      `or more; it has ${documentCount} with ${wordCount}`,
    { field: "input.collection" },
  );
}
