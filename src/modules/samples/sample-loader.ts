import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { parseCurveCsv } from "../../shared/curve-csv.js";
import type { Logger } from "../../telemetry/logger.js";
import type { CurveService } from "../curves/index.js";
import type { Caller } from "../identity/index.js";
import type { ModelLifecycleService, ModelRegistryService } from "../models/index.js";
import type { TrainingService } from "../training/index.js";

export const SAMPLE_CURVE = "ust-par-yield";
export const SAMPLE_MODEL = "curve_forecaster";

export type SampleState = "off" | "loading" | "loaded" | "failed";

const SAMPLES: Caller = { subject: "samples", roles: ["ADMIN"] };
const POLL_MS = 250;

/** Brings a new platform to its first forecast: the sample curve, a trained model, its promotion. */
export class SampleLoader {
  private current: SampleState = "off";

  constructor(
    private readonly curves: CurveService,
    private readonly training: TrainingService,
    private readonly registry: ModelRegistryService,
    private readonly lifecycle: ModelLifecycleService,
    private readonly logger: Logger,
    /** Folder of the sample files. */
    private readonly folder: string,
  ) {}

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
      this.logger.info({ event: "samples.loaded" }, "the samples are loaded");
    } catch (error) {
      if (signal.aborted) return;
      this.current = "failed";
      this.logger.error({ event: "samples.failed", err: error }, "the samples could not be loaded");
    }
  }

  private async loadCurve(): Promise<void> {
    const { kind, tenors, snapshots } = parseCurveCsv(
      await readFile(`${this.folder}/ust-par-yield.csv`, "utf8"),
    );
    const curve = await this.curves.find(SAMPLE_CURVE);
    if (!curve) await this.curves.define({ name: SAMPLE_CURVE, kind, unit: "percent", tenors }, SAMPLES);
    else if ((await this.curves.latest([curve]))[0]) return;
    await this.curves.record({ curve: SAMPLE_CURVE, snapshots }, SAMPLES);
  }

  private async trainAndPromote(signal: AbortSignal): Promise<void> {
    const model = await this.registry.findModel(SAMPLE_MODEL);
    const [first] = model ? (await this.registry.listVersions(model, undefined, { limit: 1 })).items : [];
    if (first) return this.promoteFirst();
    const request = {
      model: SAMPLE_MODEL,
      curve: SAMPLE_CURVE,
      type: "ENSEMBLE",
      idempotencyKey: "first-forecaster",
    } as const;
    const { run } = await this.training.start(request, SAMPLES);
    for (;;) {
      const now = await this.training.find(run.id);
      if (now?.status === "SUCCEEDED") return this.promoteFirst();
      if (now?.finishedAt) throw new Error(`the first training ended ${now.status}: ${now.error ?? ""}`);
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Only a model that never had a stage: afterwards it is its owners' to decide. */
  private async promoteFirst(): Promise<void> {
    const model = await this.registry.findModel(SAMPLE_MODEL);
    if (!model || model.lastTransition > 0) return;
    const request = { model: SAMPLE_MODEL, number: 1, stage: "PRODUCTION", reason: "first start" } as const;
    await this.lifecycle.promote(request, SAMPLES);
  }
}
