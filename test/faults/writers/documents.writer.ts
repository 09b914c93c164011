import { setTimeout as delay } from "node:timers/promises";
import { uploadEmbedder } from "../../support/embedders.js";
import { promote } from "../../support/registry.js";
import { toPlatform } from "../to-platform.js";
import { eventually, readAll } from "../../support/platform.js";
import type { Connection } from "../../support/platform.js";
import { NotAcknowledged } from "../graph-client.js";
import type { GraphClient } from "../graph-client.js";
import { emptyVerdict } from "../writer.js";
import type { Operation, Verdict, Writer } from "../writer.js";

const BATCH = 3;
const JOBS_END_WITHIN_MS = 180_000;
const AWAITED_MS = 5_000;

interface JobNode {
  id: string;
  state: string;
  error: string | null;
}

/** Ingests documents; each batch must be there once, as it was sent, and its job must come to its end. */
export class DocumentsWriter implements Writer {
  readonly name: string;
  readonly everyMs: number;
  private readonly collection: string;
  private readonly jobs = new Map<string, string>();
  private count = 0;

  constructor(
    run: string,
    /**
     * `awaited`: acknowledged counts what has been worked on, not what has been taken: shows when jobs are done again.
     * `embedded`: by meaning, too.
     */
    private readonly options: { awaited?: boolean; embedded?: boolean } = {},
  ) {
    this.name = options.awaited ? "jobs" : "documents";
    this.everyMs = options.awaited ? 300 : 30;
    this.collection = `faults-${this.name}-${run}`;
  }

  async prepare(client: GraphClient): Promise<void> {
    const embedder = this.options.embedded ? { embedder: this.collection } : {};
    if (this.options.embedded) {
      await uploadEmbedder(toPlatform(client), this.collection);
      await promote(toPlatform(client), { model: this.collection, number: 1 });
    }
    await client.query(
      `mutation Create($input: CreateCollectionInput!) { createCollection(input: $input) { collection { id } } }`,
      { input: { name: this.collection, ...embedder } },
    );
  }

  next(): Operation {
    const key = String(this.count++);
    const documents = documentsOf(key);
    const input = { collection: this.collection, documents, idempotencyKey: `${this.collection}-${key}` };
    return {
      key,
      send: async (client) => {
        const answer = await client.query<{ ingestDocuments: { job: { id: string } } }>(
          `mutation Ingest($input: IngestDocumentsInput!) { ingestDocuments(input: $input) { job { id } } }`,
          { input },
        );
        const { id } = answer.ingestDocuments.job;
        this.jobs.set(key, id);
        if (this.options.awaited) await this.awaited(client, id);
      },
    };
  }

  async verify(client: GraphClient, acknowledged: ReadonlySet<string>): Promise<Verdict> {
    const verdict = emptyVerdict();
    const found = new Map<string, string[]>();
    for (const { key, text } of await this.documents(client)) {
      found.set(key, [...(found.get(key) ?? []), text]);
    }
    for (const batch of acknowledged) {
      for (const { key, text } of documentsOf(batch)) {
        const texts = found.get(key) ?? [];
        if (texts.length === 0) verdict.lost.push(`document ${key}`);
        if (texts.length > 1) verdict.repeated.push(`document ${key}`);
        if (texts.some((other) => other !== text)) verdict.wrong.push(`document ${key}`);
      }
    }
    for (const batch of acknowledged) {
      const job = await this.endedJob(client, this.jobs.get(batch)!);
      if (job.state !== "COMPLETED")
        verdict.lost.push(`job of batch ${batch}: ${job.state} ${job.error ?? ""}`);
    }
    return verdict;
  }

  private async awaited(client: GraphClient, id: string): Promise<void> {
    const deadline = performance.now() + AWAITED_MS;
    while ((await this.job(client, id)).state !== "COMPLETED") {
      if (performance.now() > deadline) throw new NotAcknowledged("LATE", "the job has not ended");
      await delay(50);
    }
  }

  private async job(client: GraphClient, id: string): Promise<JobNode> {
    const query = `query Job($id: ID!) { job(id: $id) { id state error } }`;
    return (await client.query<{ job: JobNode }>(query, { id })).job;
  }

  private endedJob(client: GraphClient, id: string): Promise<JobNode> {
    return eventually(
      () => this.job(client, id),
      ({ state }) => ["COMPLETED", "FAILED", "CANCELLED"].includes(state),
      JOBS_END_WITHIN_MS,
    );
  }

  private documents(client: GraphClient): Promise<{ key: string; text: string }[]> {
    return readAll(async (after) => {
      const answer = await client.query<{
        collection: { documents: Connection<{ key: string; text: string }> };
      }>(
        `query Documents($name: String!, $after: String) { collection(name: $name) {
          documents(first: 100, after: $after) { edges { cursor node { key text } } pageInfo { hasNextPage } totalCount }
        } }`,
        { name: this.collection, after },
      );
      return answer.collection.documents;
    });
  }
}

function documentsOf(batch: string): { key: string; text: string }[] {
  return Array.from({ length: BATCH }, (_, i) => ({
    key: `${batch}-${i}`,
    text: `Note ${i} of batch ${batch}: the prompt contract settled ${batch}.${i} above the day before.`,
  }));
}
