import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { parseCurveCsv } from "../../shared/curve-csv.js";
import type { Logger } from "../../telemetry/logger.js";
import type { CurveService } from "../curves/index.js";
import type { Caller } from "../identity/index.js";
import type { ModelLifecycleService, ModelRegistryService } from "../models/index.js";
import type { TrainingRuns, TrainingService } from "../training/index.js";

export const SAMPLE_CURVE = "ust-par-yield";
export const SAMPLE_MODEL = "curve_forecaster";

export type SampleState = "off" | "loading" | "loaded" | "failed";

const SAMPLES: Caller = { subject: "samples", roles: ["ADMIN"] };
const POLL_MS = 250;

export interface SampleLoaderNeeds {
  curves: CurveService;
  training: TrainingService;
  runs: TrainingRuns;
  registry: ModelRegistryService;
  lifecycle: ModelLifecycleService;
  logger: Logger;
  /** Folder of the sample files. */
  folder: string;
}

/** Brings a new platform to its first forecast: the sample curve, a trained model, its promotion. */
export class SampleLoader {
  private current: SampleState = "off";

  constructor(private readonly needs: SampleLoaderNeeds) {}

  get state(): SampleState {
    return this.current;
  }

  /** Each step is skipped where its result is there, so that an interrupted load goes on where it was. */
  async load(signal: AbortSignal): Promise<void> {
    this.current = "loading";
    try {
      await this.loadCurve();
      await this.trainAndPromote(signal);
      this.current = "loaded";
      this.needs.logger.info({ event: "samples.loaded" }, "the samples are loaded");
    } catch (error) {
      if (signal.aborted) return;
      this.current = "failed";
      this.needs.logger.error({ event: "samples.failed", err: error }, "the samples could not be loaded");
    }
  }

  private async loadCurve(): Promise<void> {
    const { kind, tenors, snapshots } = parseCurveCsv(
      await readFile(`${this.needs.folder}/ust-par-yield.csv`, "utf8"),
    );
    const curve = await this.needs.curves.find(SAMPLE_CURVE);
    if (!curve)
      await this.needs.curves.define({ name: SAMPLE_CURVE, kind, unit: "percent", tenors }, SAMPLES);
    else if ((await this.needs.curves.latest([curve]))[0]) return;
    await this.needs.curves.record({ curve: SAMPLE_CURVE, snapshots }, SAMPLES);
  }

  private async trainAndPromote(signal: AbortSignal): Promise<void> {
    const model = await this.needs.registry.findModel(SAMPLE_MODEL);
    const [first] = model
      ? (await this.needs.registry.listVersions(model, undefined, { limit: 1 })).items
      : [];
    if (first) return this.promoteFirst();
    const request = {
      model: SAMPLE_MODEL,
      curve: SAMPLE_CURVE,
      type: "ENSEMBLE",
      idempotencyKey: "first-forecaster",
    } as const;
    const { run } = await this.needs.training.start(request, SAMPLES);
    for (;;) {
      const now = await this.needs.runs.find(run.id);
      if (now?.status === "SUCCEEDED") return this.promoteFirst();
      if (now?.finishedAt) throw new Error(`the first training ended ${now.status}: ${now.error ?? ""}`);
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Only a model that never had a stage: afterwards it is its owners' to decide. */
  private async promoteFirst(): Promise<void> {
    const model = await this.needs.registry.findModel(SAMPLE_MODEL);
    if (!model || model.lastTransition > 0) return;
    const request = { model: SAMPLE_MODEL, number: 1, stage: "PRODUCTION", reason: "first start" } as const;
    await this.needs.lifecycle.promote(request, SAMPLES);
  }
}
