import { randomUUID } from "node:crypto";
import type { Database, Transaction } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { InvalidInputError, NotFoundError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { reportTrainingEnd } from "../../telemetry/events.js";
import type { CurveRow, CurveService } from "../curves/index.js";
import type { Caller } from "../identity/index.js";
import { assertModelName } from "../models/index.js";
import type { ModelRegistryService, ModelRow } from "../models/index.js";
import { onceOnly, cursorBefore } from "../operations/index.js";
import type { JobHooks, JobRow, JobRun, JobService } from "../operations/index.js";
import { curveHistoryDigest } from "./forecasting/curve-history-digest.rules.js";
import type {
  CurveHistory,
  ForecasterType,
  TrainedForecaster,
  TrainingSpec,
} from "./forecasting/forecaster.types.js";
import { trainInThread } from "./forecasting/train-in-thread.js";
import { checkTrainingSpec } from "./forecasting/training-spec.rules.js";
import { trainForecasterJob } from "./training.jobs.js";
import type { TrainingRunRow } from "./training-run.entity.js";
import { TrainingRunRepository } from "./training-run.repository.js";

export interface TrainingRequest {
  model: string;
  curve: string;
  type: ForecasterType;
  horizons?: number[] | null;
  from?: string | null;
  to?: string | null;
  backtestFrom?: string | null;
  refitEvery?: number | null;
  coverage?: number | null;
  options?: unknown;
  seed?: number | null;
  idempotencyKey?: string | null;
}

export interface StartedRun {
  run: TrainingRunRow;
  /** Subscribe after it to miss nothing. */
  cursor: string;
}

const PROGRESS_EVERY_MS = 300;

/** Trains forecasters: from the request, through a job in a thread of its own, to a registered version. */
export class TrainingService {
  constructor(
    private readonly database: Database,
    private readonly curves: CurveService,
    private readonly registry: ModelRegistryService,
    private readonly jobs: JobService,
  ) {}

  /** Checks everything that can be checked before, then queues the run. */
  async start(request: TrainingRequest, caller: Caller): Promise<StartedRun> {
    assertModelName(request.model, "input.model");
    const curve = await this.curves.require(request.curve, "input.curve");
    const spec = toSpec(request);
    checkTrainingSpec(spec, await this.curves.history(curve, {}));
    const { idempotencyKey: key, model, curve: curveName } = request;
    const body = { model, curve: curveName, ...spec };
    const started = await this.database.transaction((tx) =>
      onceOnly(tx, { caller: caller.subject, operation: "startTraining", key, body }, () =>
        this.enqueue(tx, request.model, curve, spec, caller),
      ),
    );
    const run = await this.require(started.run);
    const job = started.repeated ? null : await this.jobs.find(run.jobId);
    if (job) await this.jobs.dispatch(job);
    return { run, cursor: started.cursor };
  }

  private async enqueue(
    tx: Transaction,
    modelName: string,
    curve: CurveRow,
    spec: TrainingSpec,
    caller: Caller,
  ): Promise<{ run: string; cursor: string }> {
    const { model } = await this.registry.ensureModel(
      tx,
      { name: modelName, kind: "CURVE_FORECASTER" },
      caller.subject,
    );
    if (model.kind !== "CURVE_FORECASTER") {
      throw InvalidInputError.at("input.model", `"${model.name}" is a ${model.kind}, not a CURVE_FORECASTER`);
    }
    const id = randomUUID();
    const { job } = await this.jobs.create(tx, trainForecasterJob, { run: id }, caller.subject);
    const position = await new TrainingRunRepository(tx).insert(
      {
        id,
        modelId: model.id,
        curveId: curve.id,
        jobId: job.id,
        spec,
        parameters: toParameters(spec),
        createdBy: caller.subject,
      },
      model.name,
    );
    return { run: id, cursor: cursorBefore(position) };
  }

  async cancel(runId: string): Promise<StartedRun> {
    const { jobId } = await this.require(runId);
    const { position } = await this.jobs.cancel(jobId);
    return { run: await this.require(runId), cursor: cursorBefore(position) };
  }

  /** The job: trains in a thread, stores the artifact, and publishes the version with the run's end. */
  async execute(runId: string, job: JobRun): Promise<{ version: number } | undefined> {
    const run = await this.find(runId);
    if (!run || run.finishedAt || !run.curveId) return undefined;
    const [curve] = await this.curves.byIds([run.curveId]);
    const [model] = await this.registry.modelsByIds([run.modelId]);
    if (!curve || curve instanceof Error || !model || model instanceof Error) {
      throw new UnrecoverableJobError("its curve or model is gone");
    }
    // Its clock has milliseconds, the recordings' microseconds: the next millisecond misses none before it.
    const history = await this.curves.history(curve, { knownAt: new Date(run.createdAt.getTime() + 1) });
    await this.advance(
      run,
      model,
      job,
      { status: "RUNNING", startedAt: new Date(), dataSha256: curveHistoryDigest(history) },
      "started",
    );
    const trained = await this.train(run, model, history, job);
    const stored = await this.registry.storeTrained({ kind: model.kind, graph: trained.artifact });
    if (!stored.ok) throw new UnrecoverableJobError(`the trained artifact is not valid: ${stored.rejection}`);
    const { artifact, signature, embedder } = stored;
    const version = await this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, job);
      const published = await this.registry.publish(tx, {
        model,
        ...{ artifact, signature, embedder },
        metrics: trained.metrics,
        parameters: trained.parameters,
        trainingRunId: run.id,
        curveId: curve.id,
        createdBy: run.createdBy,
      });
      await new TrainingRunRepository(tx).update(
        run,
        model.name,
        {
          status: "SUCCEEDED",
          progress: 1,
          parameters: trained.parameters,
          metrics: trained.metrics,
          backtest: trained.backtest,
          versionId: published.id,
          finishedAt: new Date(),
        },
        `version ${published.number} is ready`,
      );
      return published.number;
    });
    reportTrainingEnd({ run: run.id, model: model.name, status: "SUCCEEDED" });
    return { version };
  }

  private async train(
    run: TrainingRunRow,
    model: ModelRow,
    history: CurveHistory,
    job: JobRun,
  ): Promise<TrainedForecaster> {
    let reportedAt = 0;
    let pending: Promise<void> = Promise.resolve();
    let failure: unknown;
    const trained = await trainInThread(history, run.spec, {
      signal: job.signal,
      onProgress: (progress, message) => {
        if (progress < 1 && Date.now() - reportedAt < PROGRESS_EVERY_MS) return;
        reportedAt = Date.now();
        pending = pending
          .then(async () => {
            await this.advance(run, model, job, { progress: Math.min(progress, 0.99) }, message);
            await job.report(progress);
          })
          .catch((error: unknown) => {
            failure ??= error;
          });
      },
    });
    await pending;
    if (failure) throw failure;
    return trained;
  }

  private async advance(
    run: TrainingRunRow,
    model: ModelRow,
    job: JobRun,
    changes: Partial<TrainingRunRow>,
    message: string,
  ): Promise<void> {
    await this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, job);
      await new TrainingRunRepository(tx).update(run, model.name, changes, message);
    });
  }

  /** Keeps the run in step with its job where that ends early or starts again. */
  jobHooks(): JobHooks {
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
    };
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

  private async require(id: string): Promise<TrainingRunRow> {
    const run = await this.find(id);
    if (!run) throw new NotFoundError("input.run: no such TrainingRun", { field: "input.run" });
    return run;
  }

  private runs(): TrainingRunRepository {
    return new TrainingRunRepository(this.database.dataSource.manager);
  }
}

/** An explicit null means the same as an absent argument. */
function toSpec(request: TrainingRequest): TrainingSpec {
  const options = request.options ?? {};
  if (typeof options !== "object" || Array.isArray(options)) {
    throw InvalidInputError.at("input.options", 'must be an object such as {"decay": 0.0609}');
  }
  return {
    type: request.type,
    horizons: request.horizons ?? [1, 5, 21, 63],
    from: request.from ?? undefined,
    to: request.to ?? undefined,
    backtestFrom: request.backtestFrom ?? undefined,
    refitEvery: request.refitEvery ?? 21,
    coverage: request.coverage ?? 0.9,
    options: options as Record<string, unknown>,
    seed: request.seed ?? 254,
  };
}

function toParameters(spec: TrainingSpec): { name: string; value: string }[] {
  return Object.entries(spec)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({
      name,
      value: typeof value === "object" ? JSON.stringify(value) : String(value),
    }));
}
