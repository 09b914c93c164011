import type { Database, Transaction } from "../../ports/database.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { reportIndexSwitch, reportReindexEnd } from "../../telemetry/events.js";
import type { Caller } from "../identity/index.js";
import type { ModelRegistryService, ModelVersionRow, ProductionHandler } from "../models/index.js";
import { cursorBefore, onceOnly } from "../operations/index.js";
import type { EventPosition, JobHooks, JobRow, JobService } from "../operations/index.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";
import type { DiscardedIndexService } from "./discarded-index.service.js";
import { DocumentRepository } from "./document.repository.js";
import type { DocumentRange } from "./document.repository.js";
import { reindexCollectionJob, reindexPartJob } from "./reindex.jobs.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";
import type { NewSearchIndex } from "./search-index.repository.js";
import { switchServing } from "./serving-switch.js";

interface Embedding {
  collection: CollectionRow;
  version: ModelVersionRow;
}

/** What a decision about a collection's embedder leads to once it has committed. */
export interface Reindexing {
  /** The reindex that was started, unless the version could serve at once or serves already. */
  started: { job: JobRow; position: EventPosition } | null;
  followUp: () => Promise<void>;
}

const MOST_PARTS = 32;

/** Decides which embedder version shall answer a collection's searches, and starts the reindex that leads there. */
export class ReindexService {
  constructor(
    private readonly database: Database,
    private readonly registry: ModelRegistryService,
    private readonly jobs: JobService,
    private readonly discarded: DiscardedIndexService,
    /** Documents that make a job of its own of a part of a reindex. */
    private readonly partDocuments: number,
  ) {}

  /** Follows the models that embed collections: part of the transaction that puts a version into production. */
  get productionHandler(): ProductionHandler {
    return async (tx, model, version, caller) => {
      if (model.kind !== "TEXT_EMBEDDER") return () => Promise.resolve();
      const collections = new CollectionRepository(tx);
      const followUps: (() => Promise<void>)[] = [];
      for (const { id } of await collections.byEmbedder(model.id)) {
        const collection = (await collections.lock(id))!;
        followUps.push((await this.follow(tx, { collection, version }, caller)).followUp);
      }
      return async () => {
        for (const followUp of followUps) await followUp();
      };
    };
  }

  /**
   * Leads the collection, which is locked as its model is, to a version. What was under way to another one ends.
   * @param version null: none yet; what serves goes on serving
   */
  async follow(
    tx: Transaction,
    { collection, version }: { collection: CollectionRow; version: ModelVersionRow | null },
    caller: Caller,
  ): Promise<Reindexing> {
    const standing = await new SearchIndexRepository(tx).standing(collection.id);
    const ofVersion = standing.filter(({ versionId }) => versionId === version?.id);
    if (ofVersion.some(({ state }) => state === "BUILDING")) return { started: null, followUp: nothing };
    const [known] = ofVersion;
    const superseded = await this.supersede(tx, collection, standing);
    if (!version || known?.state === "SERVING") return this.afterwards(null, superseded);
    const ready = await this.readyIndex(tx, { collection, version }, known);
    if (ready) {
      await switchServing(tx, collection, ready);
      const { followUp } = this.afterwards(null, superseded);
      return { started: null, followUp: () => followUp().then(() => this.reportSwitch(ready)) };
    }
    return this.afterwards(await this.start(tx, { collection, version }, known, caller.subject), superseded);
  }

  /**
   * Starts over with the collection's current embedder.
   * @throws {PreconditionFailedError} when it has none, or that has no version in production
   */
  async startOver(
    { id, name }: CollectionRow,
    key: string | null | undefined,
    caller: Caller,
  ): Promise<{ job: JobRow; cursor: string }> {
    const body = { collection: name };
    let followUp = nothing;
    const { job, cursor } = await this.database.transaction((tx) =>
      onceOnly(tx, { caller: caller.subject, operation: "reindexCollection", key, body }, async () => {
        const wanted = await this.lockEmbedding(tx, id);
        const standing = await new SearchIndexRepository(tx).standing(id);
        const superseded = await this.supersede(tx, wanted.collection, standing);
        const started = await this.start(tx, wanted, undefined, caller.subject);
        followUp = this.afterwards(started, superseded).followUp;
        return { job: started.job.id, cursor: cursorBefore(started.position) };
      }),
    );
    await followUp();
    return { job: (await this.jobs.find(job))!, cursor };
  }

  /** Keeps indexes in step with reindexes that end early or start again. */
  jobHooks(): JobHooks {
    return {
      ended: async (tx, job, status) => {
        const collection = await this.lockCollection(tx, job);
        const indexes = new SearchIndexRepository(tx);
        const index = await indexes.ofJob(job.id);
        if (index?.state === "BUILDING") await indexes.discard(index);
        if (index?.state === "KEPT") await indexes.update(index, { jobId: null });
        reportReindexEnd({
          job: job.id,
          collection: collection.name,
          status,
          reason: job.error ?? undefined,
        });
      },
      restarted: (tx, job) => this.restart(tx, job),
    };
  }

  /** A reindex that is tried again starts over, unless the collection has taken another way since. */
  private async restart(tx: Transaction, job: JobRow): Promise<void> {
    // A shutdown hands the job back as it is: its index stands, and the next delivery goes on.
    if (job.startedAt !== null) return;
    const collection = await this.lockCollection(tx, job);
    const { version: versionId, partedTo } = reindexCollectionJob.parse(job.payload);
    const { embedderModelId } = collection;
    const version = embedderModelId && (await this.registry.productionWithin(tx, embedderModelId));
    if (!version || version.id !== versionId) {
      throw new PreconditionFailedError(
        "the collection's embedder has changed since; reindexCollection starts a reindex with the current one",
      );
    }
    const indexes = new SearchIndexRepository(tx);
    const standing = await indexes.standing(collection.id);
    if (standing.some(({ state, jobId }) => state === "BUILDING" || (state === "KEPT" && jobId !== null))) {
      throw new PreconditionFailedError("a newer reindex of the collection is under way");
    }
    const kept = standing.find((index) => index.state === "KEPT" && index.versionId === version.id);
    await this.prepare(tx, { collection, version }, kept, { jobId: job.id, partedTo });
  }

  /** The index of that version if searches lose nothing by it: an empty collection's, or a kept one that is complete. */
  private async readyIndex(
    tx: Transaction,
    { collection, version }: Embedding,
    known: SearchIndexRow | undefined,
  ): Promise<SearchIndexRow | undefined> {
    const indexes = new SearchIndexRepository(tx);
    if (known)
      return (await indexes.countMissing(known.id, collection.servingIndexId)) > 0 ? undefined : known;
    if (collection.documentCount > 0) return undefined;
    const index = await indexes.insert(this.newIndex({ collection, version }, null));
    await indexes.update(index, { filledTo: null });
    return index;
  }

  private async start(
    tx: Transaction,
    embedding: Embedding,
    kept: SearchIndexRow | undefined,
    createdBy: string,
  ): Promise<{ job: JobRow; position: EventPosition }> {
    const { collection, version } = embedding;
    // A kept index lacks little.
    const parts = kept ? [] : await this.divide(tx, collection);
    const partedTo = parts.at(-1)?.to ?? null;
    const payload = { collection: collection.id, version: version.id, partedTo };
    const whole = { definition: reindexCollectionJob, payload };
    const part = { definition: reindexPartJob, payloads: parts.map(({ after, to }) => ({ after, to })) };
    const started = await this.jobs.createFamily(tx, whole, part, createdBy);
    await this.prepare(tx, embedding, kept, { jobId: started.job.id, partedTo });
    return started;
  }

  /** What jobs of their own embed, of a collection that is large enough; it is locked, so that none slips through. */
  private async divide(tx: Transaction, { id, documentCount }: CollectionRow): Promise<DocumentRange[]> {
    const parts = Math.min(MOST_PARTS, Math.floor(documentCount / this.partDocuments));
    return parts < 2 ? [] : new DocumentRepository(tx).divide(id, parts);
  }

  /** Gives the job the index that it will build, or the kept one that it will complete. */
  private async prepare(
    tx: Transaction,
    { collection, version }: Embedding,
    kept: SearchIndexRow | undefined,
    { jobId, partedTo }: { jobId: string; partedTo: string | null },
  ): Promise<void> {
    const indexes = new SearchIndexRepository(tx);
    if (kept) await indexes.update(kept, { jobId });
    else {
      const index = this.newIndex({ collection, version }, jobId);
      // Up to there, its parts note what is pending.
      await indexes.insert(partedTo === null ? index : { ...index, filledTo: partedTo });
    }
    await new CollectionRepository(tx).noteReindex(collection.id, jobId);
  }

  private newIndex({ collection, version }: Embedding, jobId: string | null): NewSearchIndex {
    const vectorType = this.database.vectorSearch === "exact" ? "vector" : "halfvec";
    const dimensions = dimensionsOf(version);
    return { collectionId: collection.id, versionId: version.id, dimensions, vectorType, jobId };
  }

  /** Takes their index away from the reindexes under way. @returns the one to be cancelled */
  private async supersede(
    tx: Transaction,
    collection: CollectionRow,
    standing: readonly SearchIndexRow[],
  ): Promise<string | null> {
    const indexes = new SearchIndexRepository(tx);
    for (const index of standing) {
      if (index.state === "BUILDING") await indexes.discard(index);
      if (index.state === "KEPT" && index.jobId !== null) await indexes.update(index, { jobId: null });
    }
    // One that has put its index into service already may embed the rest.
    const done = standing.some(
      ({ state, jobId }) => state === "SERVING" && jobId === collection.reindexJobId,
    );
    return done ? null : collection.reindexJobId;
  }

  private afterwards(started: Reindexing["started"], superseded: string | null): Reindexing {
    const followUp = async (): Promise<void> => {
      // Not in the transaction, where it would wait for the job's row in the opposite order of the job's own writes.
      // A reindex that is missed here finds its index gone, and cancels itself.
      if (superseded !== null) await this.jobs.cancel(superseded).catch(() => undefined);
      if (started) await this.jobs.dispatch(started.job);
      this.discarded.sweepSoon();
    };
    return { started, followUp };
  }

  private async lockEmbedding(tx: Transaction, collectionId: number): Promise<Embedding> {
    const collections = new CollectionRepository(tx);
    const [read] = await collections.byIds([collectionId]);
    const model = read?.embedderModelId ? await this.registry.modelWithin(tx, read.embedderModelId) : null;
    // The model before the collection, as promotions lock them.
    if (model) await this.registry.lockModel(tx, model.name);
    const collection = (await collections.lock(collectionId))!;
    if (collection.embedderModelId === null) {
      throw new PreconditionFailedError(`collection "${collection.name}" has no embedder`, {
        field: "input.collection",
      });
    }
    const version = await this.registry.productionWithin(tx, collection.embedderModelId);
    if (version) return { collection, version };
    throw new PreconditionFailedError(
      `the embedder of collection "${collection.name}" has no version in production`,
      { field: "input.collection" },
    );
  }

  private async lockCollection(tx: Transaction, job: JobRow): Promise<CollectionRow> {
    const { collection } = reindexCollectionJob.parse(job.payload);
    return (await new CollectionRepository(tx).lock(collection))!;
  }

  private async reportSwitch(index: SearchIndexRow): Promise<void> {
    const [collection] = await new CollectionRepository(this.database.dataSource.manager).byIds([
      index.collectionId,
    ]);
    reportIndexSwitch({ collection: collection!.name, index: index.id, version: index.versionId });
  }
}

const nothing = (): Promise<void> => Promise.resolve();

/** @throws {PreconditionFailedError} for a version from before embedders were validated as such */
function dimensionsOf(version: ModelVersionRow): number {
  if (version.embedder) return version.embedder.dimensions;
  throw new PreconditionFailedError(
    `version ${version.number} was not validated as an embedder; upload it again`,
  );
}
