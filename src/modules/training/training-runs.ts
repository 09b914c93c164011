import { randomUUID } from "node:crypto";
import type { Database, Transaction } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { InvalidInputError, NotFoundError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { reportTrainingEnd } from "../../telemetry/events.js";
import { assertGranted } from "../identity/index.js";
import type { Caller } from "../identity/index.js";
import type { ModelRegistryService, ModelRow } from "../models/index.js";
import { cursorBefore, onceOnly } from "../operations/index.js";
import type { JobDefinition, JobHooks, JobRow, JobRun, JobService } from "../operations/index.js";
import { TrainingAttempt } from "./training-attempt.js";
import type { TrainingRunRow } from "./training-run.entity.js";
import { TrainingRunRepository } from "./training-run.repository.js";

type TrainingJob = JobDefinition<{ run: string }>;
type PartJob = JobDefinition<{ run: string; segment: number; of: number }>;

/** A training that has been checked and may begin. */
export interface RunRequest {
  /** The mutation that asks for it, and what makes a difference in it: for its idempotency key. */
  operation: string;
  body: object;
  idempotencyKey?: string | null;
  /** The model that gets the version; created when absent. */
  model: string;
  kind: ModelRow["kind"];
  job: TrainingJob;
  source: { curveId: string } | { collectionId: number };
  /** What the job needs to know, and what is shown as the run's parameters. */
  spec: object;
  /** Jobs that do parts of the work, before the run's own job puts these together. */
  parts?: { job: PartJob; count: number };
}

export interface StartedRun {
  run: TrainingRunRow;
  /** Subscribe after it to miss nothing. */
  cursor: string;
}

/** The life of training runs, whatever they learn: each with its job, and in step with it. */
export class TrainingRuns {
  constructor(
    private readonly database: Database,
    private readonly registry: ModelRegistryService,
    private readonly jobs: JobService,
  ) {}

  /** Makes a kind of training known to this process, with the jobs that do parts of it. */
  register(job: TrainingJob, part?: PartJob): void {
    this.jobs.register(job, this.jobHooks());
    if (part) this.jobs.register(part);
  }

  /**
   * Queues a run that the caller's grants allow.
   * @throws {InvalidInputError} when the model is of another kind
   */
  async start(request: RunRequest, caller: Caller): Promise<StartedRun> {
    const { operation, body, idempotencyKey: key } = request;
    const started = await this.database.transaction((tx) =>
      onceOnly(tx, { caller: caller.subject, operation, key, body }, () => this.enqueue(tx, request, caller)),
    );
    const run = await this.require(started.run);
    const job = started.repeated ? null : await this.jobs.find(run.jobId);
    if (job) await this.jobs.dispatch(job);
    return { run, cursor: started.cursor };
  }

  private async enqueue(
    tx: Transaction,
    { model: name, kind, job: definition, source, spec, parts }: RunRequest,
    caller: Caller,
  ): Promise<{ run: string; cursor: string }> {
    const { subject } = caller;
    const { model, created } = await this.registry.ensureModel(tx, { name, kind }, subject);
    if (created) assertGranted(caller, "model:register", { model: name });
    if (model.kind !== kind) {
      throw InvalidInputError.at("input.model", `"${model.name}" is a ${model.kind}, not a ${kind}`);
    }
    const id = randomUUID();
    const whole = { definition, payload: { run: id } };
    const { job } = parts
      ? await this.jobs.createFamily(tx, whole, partsOf(id, parts), subject)
      : await this.jobs.create(tx, definition, whole.payload, subject);
    const position = await new TrainingRunRepository(tx).insert(
      {
        ...{ curveId: null, collectionId: null, ...source },
        ...{ id, modelId: model.id, jobId: job.id, spec, createdBy: subject },
        parameters: toParameters(spec),
      },
      model.name,
    );
    return { run: id, cursor: cursorBefore(position) };
  }

  async cancel(runId: string, caller: Caller): Promise<StartedRun> {
    const { jobId } = await this.require(runId);
    const { position } = await this.jobs.cancel(jobId, caller);
    return { run: await this.require(runId), cursor: cursorBefore(position) };
  }

  /** What a job's delivery works on; undefined when the run has ended. */
  async attempt(runId: string, job: JobRun): Promise<TrainingAttempt | undefined> {
    const run = await this.find(runId);
    if (!run || run.finishedAt) return undefined;
    const [model] = await this.registry.modelsByIds([run.modelId]);
    if (!model || model instanceof Error) throw new UnrecoverableJobError("its model is gone");
    return new TrainingAttempt({ ...this.parts(), run, model, job });
  }

  find(id: string): Promise<TrainingRunRow | null> {
    return this.runs().find(id);
  }

  async byIds(ids: readonly string[]): Promise<(TrainingRunRow | Error)[]> {
    const found = await this.runs().byIds(ids);
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such TrainingRun"));
  }

  /** @throws {NotFoundError} for a model that does not exist */
  async list(modelName: string | undefined, page: PageRequest): Promise<Page<TrainingRunRow>> {
    const model = modelName === undefined ? undefined : await this.registry.findModel(modelName);
    if (model === null) throw new NotFoundError(`model: no model "${modelName}"`, { field: "model" });
    return this.runs().list(model?.id, page);
  }

  /** Keeps a run in step with its job where that ends early or starts again. */
  private jobHooks(): JobHooks {
    const follow = async (
      tx: Transaction,
      job: JobRow,
      changes: Partial<TrainingRunRow>,
      message: string,
    ) => {
      const runs = new TrainingRunRepository(tx);
      const run = await runs.findByJob(job.id);
      if (!run) return undefined;
      const model = await this.registry.modelWithin(tx, run.modelId);
      await runs.update(run, model.name, changes, message);
      return model;
    };
    return {
      asked: async (tx, job, wish, caller) => {
        const run = await new TrainingRunRepository(tx).findByJob(job.id);
        if (!run) return;
        const { name: model } = await this.registry.modelWithin(tx, run.modelId);
        assertGranted(caller, wish === "cancel" ? "training:cancel" : "training:start", { model });
      },
      ended: async (tx, job, status) => {
        const error = status === "CANCELLED" ? null : job.error;
        const message = error ?? "cancelled";
        const model = await follow(tx, job, { status, error, finishedAt: new Date() }, message);
        reportTrainingEnd({
          run: String(job.payload.run),
          model: model?.name ?? "",
          status,
          reason: message,
        });
      },
      restarted: async (tx, job) => {
        const fresh = {
          status: "QUEUED",
          progress: 0,
          error: null,
          startedAt: null,
          finishedAt: null,
        } as const;
        await follow(tx, job, fresh, "queued again");
      },
      childCompleted: async (tx, job, { completed, all }) => {
        await follow(tx, job, { progress: job.progress }, `${completed} of ${all} parts of the backtest`);
      },
    };
  }

  private async require(id: string): Promise<TrainingRunRow> {
    const run = await this.find(id);
    if (!run) throw new NotFoundError("input.run: no such TrainingRun", { field: "input.run" });
    return run;
  }

  private parts() {
    return { database: this.database, registry: this.registry, jobs: this.jobs };
  }

  private runs(): TrainingRunRepository {
    return new TrainingRunRepository(this.database.dataSource.manager);
  }
}

function partsOf(run: string, { job: definition, count: of }: NonNullable<RunRequest["parts"]>) {
  const payloads = Array.from({ length: of }, (_, segment) => ({ run, segment, of }));
  return { definition, payloads };
}

function toParameters(spec: object): { name: string; value: string }[] {
  return Object.entries(spec)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({
      name,
      value: typeof value === "object" ? JSON.stringify(value) : String(value),
    }));
}
