import type { Logger } from "../../telemetry/logger.js";
import type { CurvesModule } from "../curves/index.js";
import type { ModelsModule } from "../models/index.js";
import type { OperationsModule } from "../operations/index.js";
import type { SearchModule } from "../search/index.js";
import type { TrainingModule } from "../training/index.js";
import { SampleForecaster } from "./sample-forecaster.js";
import { SampleModel } from "./sample-model.js";
import { SampleNotes } from "./sample-notes.js";

export type SampleState = "off" | "loading" | "loaded" | "failed";

export interface SampleLoaderNeeds {
  operations: OperationsModule;
  curves: CurvesModule;
  models: ModelsModule;
  training: TrainingModule;
  search: SearchModule;
  logger: Logger;
  /** Folder of the sample files. */
  folder: string;
}

/** Brings a new platform to its first search and its first forecast. */
export class SampleLoader {
  private current: SampleState = "off";
  private readonly samples: { load(signal: AbortSignal): Promise<void> }[];
  private readonly logger: Logger;

  constructor({ operations, curves, models, training, search, logger, folder }: SampleLoaderNeeds) {
    const model = new SampleModel(training.runs, models.registry, models.lifecycle);
    this.samples = [
      new SampleNotes(search, operations.jobs, model, folder),
      new SampleForecaster(curves.curves, training.training, model, folder),
    ];
    this.logger = logger;
  }

  get state(): SampleState {
    return this.current;
  }

  /**
   * Each step is skipped where its result is there, so that an interrupted load goes on where it was. The quick one
   * comes first: their trainings would wait for each other anyway. One that fails does not keep the other back.
   */
  async load(signal: AbortSignal): Promise<void> {
    this.current = "loading";
    let failed = false;
    for (const sample of this.samples) {
      try {
        await sample.load(signal);
      } catch (error) {
        if (signal.aborted) return;
        failed = true;
        this.logger.error({ event: "samples.failed", err: error }, "some of the samples could not be loaded");
      }
    }
    this.current = failed ? "failed" : "loaded";
    if (!failed) this.logger.info({ event: "samples.loaded" }, "the samples are loaded");
  }
}
