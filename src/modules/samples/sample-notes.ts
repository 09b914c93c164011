import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { JobService } from "../operations/index.js";
import type { DocumentRequest, SearchModule } from "../search/index.js";
import type { SampleModel } from "./sample-model.js";
import { POLL_MS, SAMPLES } from "./sample-model.js";

const COLLECTION = "notes";
const MODEL = "note_embedder";
/** So few texts carry meaning in few dimensions; with more, words that never met would stay strangers. */
const DIMENSIONS = 48;

/** The sample notes, searchable by words and by meaning. */
export class SampleNotes {
  constructor(
    private readonly search: SearchModule,
    private readonly jobs: JobService,
    private readonly model: SampleModel,
    private readonly folder: string,
  ) {}

  async load(signal: AbortSignal): Promise<void> {
    const { collections, embedderTraining } = this.search;
    await this.loadDocuments();
    const request = {
      ...{ model: MODEL, collection: COLLECTION, dimensions: DIMENSIONS },
      idempotencyKey: "first-embedder",
    };
    await this.model.serve(MODEL, () => embedderTraining.start(request, SAMPLES), signal);
    const { embedderModelId } = await collections.require(COLLECTION);
    if (embedderModelId === null) {
      await collections.setEmbedder({ collection: COLLECTION, embedder: MODEL }, SAMPLES);
    }
    await this.untilSearchable(signal);
  }

  private async loadDocuments(): Promise<void> {
    const { collections, ingestion } = this.search;
    const known = await collections.find(COLLECTION);
    if (!known) await collections.create({ name: COLLECTION }, SAMPLES);
    // Once they are followed by an embedder, they are their owners' to delete.
    if (known && (known.documentCount > 0 || known.embedderModelId !== null)) return;
    const lines = (await readFile(`${this.folder}/market-notes.jsonl`, "utf8")).trim().split("\n");
    await ingestion.ingest({ collection: COLLECTION, documents: lines.map(toDocument) }, SAMPLES);
  }

  /** The index serves once every note is in it. */
  private async untilSearchable(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { servingIndexId, reindexJobId } = await this.search.collections.require(COLLECTION);
      // Without a reindex its owners have taken the embedder out of production.
      if (servingIndexId !== null || reindexJobId === null) return;
      const job = await this.jobs.find(reindexJobId);
      if (job?.finishedAt && job.state !== "COMPLETED") {
        throw new Error(`the first index ended ${job.state}: ${job.error ?? ""}`);
      }
      await delay(POLL_MS, undefined, { signal });
    }
  }
}

function toDocument(line: string): DocumentRequest {
  const { publishedAt, ...note } = JSON.parse(line) as DocumentRequest & { publishedAt: string };
  return { ...note, publishedAt: new Date(publishedAt) };
}
