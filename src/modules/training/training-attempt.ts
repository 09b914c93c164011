import type { Database } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { reportTrainingEnd } from "../../telemetry/events.js";
import type { ModelRegistryService, ModelRow, TrainedArtifact } from "../models/index.js";
import type { JobRun, JobService } from "../operations/index.js";
import type { Backtest } from "./forecasting/forecaster.types.js";
import type { TrainingRunRow } from "./training-run.entity.js";
import { TrainingRunRepository } from "./training-run.repository.js";
import { TrainingSegmentRepository } from "./training-segment.repository.js";
import { failpoint } from "../../shared/failpoint.js";

export interface TrainingAttemptOptions {
  database: Database;
  registry: ModelRegistryService;
  jobs: JobService;
  run: TrainingRunRow;
  model: ModelRow;
  job: JobRun;
}

/** What a training has made. */
export interface TrainingOutcome {
  artifact: Omit<TrainedArtifact, "kind">;
  metrics: { name: string; value: number }[];
  parameters: { name: string; value: string }[];
  backtest?: Backtest;
}

/** What a training thread tells of itself; fraction: 0 to 1. */
export type OnProgress = (fraction: number, message: string) => void;

const PROGRESS_EVERY_MS = 300;

/** One delivery of a run's job: what it writes counts only while the job is held. */
export class TrainingAttempt {
  readonly run: TrainingRunRow;
  readonly model: ModelRow;

  constructor(private readonly options: TrainingAttemptOptions) {
    this.run = options.run;
    this.model = options.model;
  }

  begin(dataSha256: string | null): Promise<void> {
    return this.advance({ status: "RUNNING", startedAt: new Date(), dataSha256 }, "started");
  }

  /** For one of several jobs of a run: the first one begins it. */
  async join(dataSha256: string | null): Promise<void> {
    const { database, jobs, job, run } = this.options;
    await database.transaction(async (tx) => {
      await jobs.assertHeld(tx, job);
      const runs = new TrainingRunRepository(tx);
      if ((await runs.lock(run.id))?.status !== "QUEUED") return;
      const begun = { status: "RUNNING", startedAt: new Date(), dataSha256 } as const;
      await runs.update(run, this.model.name, begun, "started");
    });
  }

  async advance(changes: Partial<TrainingRunRow>, message: string): Promise<void> {
    const { database, jobs, job } = this.options;
    await database.transaction(async (tx) => {
      await jobs.assertHeld(tx, job);
      await new TrainingRunRepository(tx).update(this.run, this.model.name, changes, message);
    });
  }

  /**
   * Does the work and passes its progress on, now and then. @throws what either of them throws
   * @param from progress at which the work begins
   */
  async reporting<T>(work: (onProgress: OnProgress) => Promise<T>, from = 0): Promise<T> {
    const { job } = this.options;
    let reportedAt = 0;
    let pending: Promise<void> = Promise.resolve();
    let failure: unknown;
    const result = await work((progress, message) => {
      if (progress < 1 && Date.now() - reportedAt < PROGRESS_EVERY_MS) return;
      reportedAt = Date.now();
      pending = pending
        .then(async () => {
          const overall = from + (1 - from) * progress;
          await this.advance({ progress: Math.min(overall, 0.99) }, message);
          await job.report(overall);
        })
        .catch((error: unknown) => {
          failure ??= error;
        });
    });
    await pending;
    if (failure) throw failure;
    return result;
  }

  /**
   * Stores the artifact and publishes it as a READY version, together with the run's end.
   * @returns the version's number
   */
  async succeed({ artifact, metrics, parameters, backtest }: TrainingOutcome): Promise<number> {
    const { database, registry, jobs, job } = this.options;
    const { run, model } = this;
    const stored = await registry.storeTrained({ kind: model.kind, ...artifact });
    if (!stored.ok) throw new UnrecoverableJobError(`the trained artifact is not valid: ${stored.rejection}`);
    failpoint("training.stored");
    const { artifact: files, signature, embedder } = stored;
    const number = await database.transaction(async (tx) => {
      await jobs.assertHeld(tx, job);
      const version = await registry.publish(tx, {
        ...{ model, artifact: files, signature, embedder, metrics, parameters },
        ...{ trainingRunId: run.id, curveId: run.curveId, createdBy: run.createdBy },
      });
      await new TrainingRunRepository(tx).update(
        run,
        model.name,
        {
          ...{ status: "SUCCEEDED", progress: 1, metrics, parameters, finishedAt: new Date() },
          ...{ backtest: backtest ?? null, versionId: version.id },
        },
        `version ${version.number} is ready`,
      );
      await new TrainingSegmentRepository(tx).delete(run.id);
      failpoint("training.written");
      return version.number;
    });
    failpoint("training.published");
    reportTrainingEnd({ run: run.id, model: model.name, status: "SUCCEEDED" });
    return number;
  }
}
