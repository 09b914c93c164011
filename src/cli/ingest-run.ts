import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { CliContext } from "./command.js";
import type { DocumentInput, IngestCounts } from "./collection-operations.js";
import { CommandFailure } from "./command-failure.js";
import { faulty } from "./document-lines.js";
import type { DocumentLine, DocumentSource } from "./document-lines.js";
import type { Job } from "./graph-operations.js";
import type { Progress } from "./progress.js";

export interface IngestRunOptions {
  collection: string;
  /** Most documents of a request. */
  batch: number;
  /** Whether to follow the jobs until all is embedded. */
  wait: boolean;
}

export interface IngestTotals extends IngestCounts {
  /** Documents whose embedding job has ended well. */
  embedded: number;
  failures: { job: string; state: string; error: string | null }[];
}

interface SentBatch {
  job: string;
  documents: number;
  /** How much of the source had been read when it was sent, 0 to 1. */
  share: number | undefined;
}

/** Of JSON in one request, unless a document alone has more: below every body limit. */
const BATCH_BYTES = 512 * 1024;
/** Jobs that wait to be followed before the next batch is sent: what is sent is bounded by what is embedded. */
const MOST_JOBS_AHEAD = 16;
const POLL_INTERVAL_MS = 200;
/** How long a platform may be away, for a restart, before the run is given up. */
const ABSENCE_LIMIT_MS = 60_000;

/** Sends the documents of a source in batches, and follows their jobs. */
export class IngestRun {
  readonly totals: IngestTotals = { created: 0, updated: 0, unchanged: 0, embedded: 0, failures: [] };
  /** A request that is sent again because its answer was lost is not done twice. */
  private readonly run = randomUUID();
  private readonly ahead: SentBatch[] = [];
  private batches = 0;
  private sent = 0;

  constructor(
    private readonly graph: CliContext["graph"],
    private readonly options: IngestRunOptions,
    private readonly progress: Progress,
  ) {}

  async of(source: DocumentSource): Promise<IngestTotals> {
    for await (const batch of batchesOf(source.lines, this.options.batch)) {
      await this.send(batch, source.share());
      while (this.ahead.length > MOST_JOBS_AHEAD) await this.follow(this.ahead.shift()!);
    }
    for (let next = this.ahead.shift(); next; next = this.ahead.shift()) await this.follow(next);
    return this.totals;
  }

  private async send(lines: readonly DocumentLine[], share: number | undefined): Promise<void> {
    const { collection, wait } = this.options;
    const idempotencyKey = `${this.run}/${this.batches++}`;
    const documents: DocumentInput[] = lines.map(({ document }) => document);
    const send = () =>
      this.graph.execute("ingest-documents", { input: { collection, documents, idempotencyKey } });
    // A wrong address is told at once.
    const { ingestDocuments: outcome } = await (this.batches === 1 ? send() : persistently(send)).catch(
      (error: unknown) => {
        throw located(error, lines);
      },
    );
    this.totals.created += outcome.created;
    this.totals.updated += outcome.updated;
    this.totals.unchanged += outcome.unchanged;
    this.sent += documents.length;
    if (wait) this.ahead.push({ job: outcome.job.id, documents: documents.length, share });
    else this.progress.update(share ?? 0, `${this.sent} sent`);
  }

  private async follow({ job: id, documents, share }: SentBatch): Promise<void> {
    for (;;) {
      const { job } = await persistently(() => this.graph.execute("job", { id }));
      if (!job) throw new CommandFailure("NOT_FOUND", `the job ${id} is gone`);
      if (hasEnded(job)) {
        if (job.state === "COMPLETED") this.totals.embedded += documents;
        else this.totals.failures.push({ job: id, state: job.state, error: job.error });
        this.show(share);
        return;
      }
      await delay(POLL_INTERVAL_MS);
    }
  }

  private show(share: number | undefined): void {
    const { embedded } = this.totals;
    this.progress.update(share ?? embedded / this.sent, `${this.sent} sent, ${embedded} embedded`);
  }
}

function hasEnded({ state }: Job): boolean {
  return state === "COMPLETED" || state === "FAILED" || state === "CANCELLED";
}

async function* batchesOf(lines: AsyncIterable<DocumentLine>, most: number): AsyncGenerator<DocumentLine[]> {
  let batch: DocumentLine[] = [];
  let bytes = 0;
  for await (const line of lines) {
    if (batch.length > 0 && (batch.length >= most || bytes + line.bytes > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(line);
    bytes += line.bytes;
  }
  if (batch.length > 0) yield batch;
}

/** Does it again while the platform is away. */
async function persistently<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + ABSENCE_LIMIT_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const away =
        error instanceof CommandFailure && ["UNREACHABLE", "TIMEOUT", "UNAVAILABLE"].includes(error.code);
      if (!away || performance.now() > deadline) throw error;
    }
    await delay(POLL_INTERVAL_MS);
  }
}

/** A failure that names a document of the batch, told by its line. */
function located(error: unknown, lines: readonly DocumentLine[]): unknown {
  if (!(error instanceof CommandFailure)) return error;
  const [, index, , part] = /^input\.documents\.(\d+)(\.(.+))?$/.exec(error.field ?? "") ?? [];
  if (index !== undefined) {
    const { line } = lines[Number(index)]!;
    const rule = error.message.replace(`${error.field}: `, "");
    return faulty(
      line,
      `is refused, ${part ?? "it"} ${rule}; nothing from line ${lines[0]!.line} on is stored`,
    );
  }
  if (error.code !== "TOO_LARGE") return error;
  return new CommandFailure(
    error.code,
    `lines ${lines[0]!.line} to ${lines.at(-1)!.line} are too large for one request: ${error.message}`,
  );
}
