import type { Database } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import type { Logger } from "../../telemetry/logger.js";
import type { EmbeddingService } from "../embeddings/index.js";
import type { ServedVersion, ServedVersions } from "../models/index.js";
import type { JobRun, JobService } from "../operations/index.js";
import { CollectionRepository } from "./collection.repository.js";
import { replacePassages } from "./passage-table.js";
import type { EmbeddedPassage } from "./passage-table.js";
import { PendingEmbeddingRepository } from "./pending-embedding.repository.js";
import type { PendingDocument } from "./pending-embedding.repository.js";
import type { SearchIndexRow, SearchIndexState } from "./search-index.entity.js";
import { failpoint } from "../../shared/failpoint.js";

export interface EmbeddingOutcome {
  /** Documents, each counted once for every index. */
  embedded: number;
  /** Those that changed or went while they were embedded. */
  skipped: number;
}

export interface EmbedPendingOptions {
  /** Whose documents: those that `pending_embeddings` has for it. */
  jobId: string;
  /** Told after each write of what is done, 0 to 1; by default the job reports it as its progress. */
  onProgress?: (share: number) => Promise<void>;
}

interface EmbeddedDocument {
  id: string;
  revision: number;
  passages: EmbeddedPassage[];
}

/** What is read and embedded at once; two such pages are under way, so that embedding never waits for writing. */
const PAGE = { documents: 128, bytes: 256 * 1024 };
const PAGES_UNDER_WAY = 2;
/** Passages that one transaction writes, unless a document has more. */
const PASSAGES_A_WRITE = 500;

/** The index that answers comes first, the one that is kept for the way back last. */
const URGENCY: Record<SearchIndexState, number> = { SERVING: 0, BUILDING: 1, KEPT: 2, DISCARDED: 3 };

/** Brings indexes up to date with their documents. */
export class DocumentEmbedder {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobService,
    private readonly served: ServedVersions,
    private readonly embeddings: EmbeddingService,
    private readonly logger: Logger,
  ) {}

  /**
   * Works off all that is pending for a job, also what is added meanwhile. Each document's passages replace the
   * older ones in the transaction that takes it off the list: a job that starts again goes on where it was.
   * @throws {UnrecoverableJobError} when the job was cancelled or taken over
   */
  async embedPending(
    run: JobRun,
    { jobId, onProgress = (share) => run.report(share) }: EmbedPendingOptions,
  ): Promise<EmbeddingOutcome> {
    const pending = this.pending();
    const total = await pending.count(jobId);
    const outcome: EmbeddingOutcome = { embedded: 0, skipped: 0 };
    const add = async (written: EmbeddingOutcome): Promise<void> => {
      outcome.embedded += written.embedded;
      outcome.skipped += written.skipped;
      await onProgress(Math.min(1, (outcome.embedded + outcome.skipped) / total));
    };
    const behind = new Set<number>();
    for (;;) {
      // Asked each time: an index that begins to serve leaves what it lacks to the jobs of the one that did.
      const indexes = (await pending.indexes(jobId)).filter(({ id }) => !behind.has(id));
      const [index] = indexes.sort((a, b) => URGENCY[a.state] - URGENCY[b.state]);
      if (!index) return outcome;
      try {
        await this.fill(index, run, jobId, add);
      } catch (error) {
        const ended = run.signal.aborted || error instanceof UnrecoverableJobError;
        if (index.state !== "KEPT" || ended) throw error;
        behind.add(index.id);
        this.logger.warn(
          { event: "search.kept_index_behind", index: index.id, version: index.versionId, err: error },
          "a kept index could not be brought up to date",
        );
      }
    }
  }

  private async fill(
    index: SearchIndexRow,
    run: JobRun,
    jobId: string,
    onWritten: (written: EmbeddingOutcome) => Promise<void>,
  ): Promise<void> {
    const version = await this.served.byVersionId(index.versionId);
    const underWay: Promise<EmbeddedDocument[]>[] = [];
    let after = "0";
    let found = 0;
    try {
      for (;;) {
        while (underWay.length < PAGES_UNDER_WAY) {
          run.signal.throwIfAborted();
          const page = await this.pending().page(jobId, index.id, { ...PAGE, after });
          if (page.length === 0) break;
          found += page.length;
          after = page.at(-1)!.id;
          underWay.push(this.embed(version, page, run.signal));
          // What fails is heard of when its turn comes.
          underWay.at(-1)!.catch(() => undefined);
        }
        const next = underWay.shift();
        if (next) await this.write(index, run, await next, onWritten);
        else if (found === 0) return;
        // Documents that came or changed meanwhile have been passed by.
        else [after, found] = ["0", 0];
      }
    } finally {
      await Promise.allSettled(underWay);
    }
  }

  private async embed(
    version: ServedVersion,
    documents: readonly PendingDocument[],
    signal: AbortSignal,
  ): Promise<EmbeddedDocument[]> {
    const split = await this.embeddings.split(
      version,
      documents.map(({ title, text }) => ({ text, lead: title })),
    );
    const texts = documents.flatMap(({ title, text }, i) =>
      split[i]!.map(({ start, end }) => withLead(title, text.slice(start, end))),
    );
    const options = { role: "PASSAGE", priority: "bulk", signal } as const;
    const vectors = (await this.embeddings.embed(version, texts, options)).values();
    return documents.map(({ id, revision }, i) => ({
      id,
      revision,
      passages: split[i]!.flatMap(({ start, end }) => {
        const vector = toUnitLength(vectors.next().value!.vector);
        return vector ? [{ start, end, vector }] : [];
      }),
    }));
  }

  private async write(
    index: SearchIndexRow,
    run: JobRun,
    documents: readonly EmbeddedDocument[],
    onWritten: (written: EmbeddingOutcome) => Promise<void>,
  ): Promise<void> {
    for (const batch of batchesOf(documents)) {
      const embedded = await this.replace(index, run, batch);
      failpoint("embedding.committed");
      await onWritten({ embedded, skipped: batch.length - embedded });
    }
  }

  private replace(
    index: SearchIndexRow,
    run: JobRun,
    documents: readonly EmbeddedDocument[],
  ): Promise<number> {
    return this.database.transaction(async (tx) => {
      // The job before the collection, as its cancellation locks them.
      await this.jobs.checkpoint(tx, run);
      const collections = new CollectionRepository(tx);
      const collection = await collections.lock(index.collectionId);
      const pending = new PendingEmbeddingRepository(tx);
      const revisions = new Map(documents.map(({ id, revision }) => [id, revision]));
      const wanted = await pending.wanted(index.id, revisions);
      if (wanted.size === 0) return 0;
      const passages = documents.filter(({ id }) => wanted.has(id)).map((d) => [d.id, d.passages] as const);
      await replacePassages(tx, index, new Map(passages));
      await pending.remove(index.id, [...wanted]);
      if (collection?.servingIndexId === index.id) await collections.grow(index.collectionId);
      failpoint("embedding.written");
      return wanted.size;
    });
  }

  private pending(): PendingEmbeddingRepository {
    return new PendingEmbeddingRepository(this.database.dataSource.manager);
  }
}

/** What is embedded for a passage. */
function withLead(title: string | null, passage: string): string {
  return title === null ? passage : `${title}\n${passage}`;
}

/** Undefined for a vector of zeros, which is near to nothing. */
function toUnitLength(vector: Float32Array): Float32Array | undefined {
  const length = Math.hypot(...vector);
  return length === 0 ? undefined : vector.map((x) => x / length);
}

function* batchesOf(documents: readonly EmbeddedDocument[]): Generator<EmbeddedDocument[]> {
  let batch: EmbeddedDocument[] = [];
  let passages = 0;
  for (const document of documents) {
    if (batch.length > 0 && passages + document.passages.length > PASSAGES_A_WRITE) {
      yield batch;
      [batch, passages] = [[], 0];
    }
    batch.push(document);
    passages += document.passages.length;
  }
  if (batch.length > 0) yield batch;
}
