import { readFile } from "node:fs/promises";
import { parseCurveCsv } from "../../shared/curve-csv.js";
import type { CurveService } from "../curves/index.js";
import type { TrainingService } from "../training/index.js";
import type { SampleModel } from "./sample-model.js";
import { SAMPLES } from "./sample-model.js";

const CURVE = "ust-par-yield";
const MODEL = "curve_forecaster";

/** The sample curve, and the forecaster that serves it. */
export class SampleForecaster {
  constructor(
    private readonly curves: CurveService,
    private readonly training: TrainingService,
    private readonly model: SampleModel,
    private readonly folder: string,
  ) {}

  async load(signal: AbortSignal): Promise<void> {
    await this.loadCurve();
    const request = {
      model: MODEL,
      curve: CURVE,
      type: "ENSEMBLE",
      idempotencyKey: "first-forecaster",
    } as const;
    await this.model.serve(MODEL, () => this.training.start(request, SAMPLES), signal);
  }

  private async loadCurve(): Promise<void> {
    const { kind, tenors, snapshots } = parseCurveCsv(await readFile(`${this.folder}/${CURVE}.csv`, "utf8"));
    const curve = await this.curves.find(CURVE);
    if (!curve) await this.curves.define({ name: CURVE, kind, unit: "percent", tenors }, SAMPLES);
    else if ((await this.curves.latest([curve]))[0]) return;
    await this.curves.record({ curve: CURVE, snapshots }, SAMPLES);
  }
}
