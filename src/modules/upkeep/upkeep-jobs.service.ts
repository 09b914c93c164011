import type { Database, Transaction } from "../../ports/database.js";
import { ConflictError, PreconditionFailedError } from "../../shared/errors.js";
import type { Caller } from "../identity/index.js";
import { OutboxRepository, cursorBefore, onceOnly, toEventCursor } from "../operations/index.js";
import type { JobDefinition, JobHooks, JobRow, JobService } from "../operations/index.js";
import { UpkeepJobRepository } from "./upkeep-job.repository.js";

const MINUTE_MS = 60_000;

export interface StartedUpkeep {
  job: JobRow;
  cursor: string;
}

interface UpkeepRequest<P> {
  payload: P;
  /** Named in errors, and part of idempotency keys: startBackup, ... */
  operation: string;
  idempotencyKey?: string | null;
}

/** Starts upkeep: of each kind one job at a time, whoever asks for it. */
export class UpkeepJobs {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobService,
  ) {}

  /**
   * Starts the job, or answers with the one that is under way.
   * @throws {ConflictError} when one is under way that was asked for something else
   */
  async start<P extends Record<string, unknown>>(
    definition: JobDefinition<P>,
    { payload, operation, idempotencyKey: key }: UpkeepRequest<P>,
    caller: Pick<Caller, "subject">,
  ): Promise<StartedUpkeep> {
    const { job, cursor } = await this.database.transaction((tx) =>
      onceOnly(tx, { caller: caller.subject, operation, key, body: payload }, async () => {
        const underWay = await this.lockKind(tx, definition.name);
        if (underWay) return this.join(tx, underWay, payload);
        const started = await this.jobs.create(tx, definition, payload, caller.subject);
        return { job: started.job.id, cursor: cursorBefore(started.position) };
      }),
    );
    const row = (await this.jobs.find(job))!;
    if (row.state === "WAITING") await this.jobs.dispatch(row);
    return { job: row, cursor };
  }

  /** By the clock: several ticks of one minute, on whichever worker, start one job. */
  async startScheduled<P extends Record<string, unknown>>(
    definition: JobDefinition<P>,
    payload: P,
  ): Promise<void> {
    const minute = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS).toISOString();
    const request = { payload, operation: `schedule ${definition.name}`, idempotencyKey: minute };
    await this.start(definition, request, { subject: "schedule" });
  }

  /** A failed job that is tried again must not run beside a newer one. */
  hooks(): JobHooks {
    return {
      restarted: async (tx, job) => {
        // A shutdown hands the job back as it is.
        if (job.startedAt !== null) return;
        const underWay = await this.lockKind(tx, job.kind, job.id);
        if (underWay) throw new PreconditionFailedError(`another ${job.kind} is under way: ${underWay.id}`);
      },
    };
  }

  private async lockKind(tx: Transaction, kind: string, besides?: string) {
    const upkeep = new UpkeepJobRepository(tx);
    await upkeep.lockKind(kind);
    return upkeep.underWay(kind, besides);
  }

  private async join(
    tx: Transaction,
    underWay: { id: string; payload: object },
    payload: object,
  ): Promise<{ job: string; cursor: string }> {
    if (!sameFields(underWay.payload, payload)) {
      throw new ConflictError("input: one that was asked for something else is under way", {
        field: "input",
      });
    }
    return { job: underWay.id, cursor: toEventCursor(await new OutboxRepository(tx).end()) };
  }
}

function sameFields(a: object, b: object): boolean {
  const text = (value: object) => JSON.stringify(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
  return text(a) === text(b);
}
