import { InferenceSession, Tensor } from "onnxruntime-node";
import { LOOKBACK } from "../../../src/modules/training/forecasting/curve-panel.rules.js";
import type { CurveHistory } from "../../../src/modules/training/forecasting/forecaster.types.js";

export interface ArtifactAnswer {
  mean: Float32Array;
  lower: Float32Array;
  upper: Float32Array;
}

/** The window of LOOKBACK dates that ends at an origin, NaN before the history's first date. */
export function historyWindow({ tenors, values }: CurveHistory, origin: number): Float32Array {
  const window = new Float32Array(LOOKBACK * tenors.length).fill(Number.NaN);
  const first = Math.max(0, origin - LOOKBACK + 1);
  const rows = values.subarray(first * tenors.length, (origin + 1) * tenors.length);
  window.set(rows, window.length - rows.length);
  return window;
}

/** Runs an artifact on the windows that end at some origins, all in one batch. */
export async function runArtifact(
  artifact: Uint8Array,
  history: CurveHistory,
  origins: readonly number[],
): Promise<ArtifactAnswer[]> {
  const session = await InferenceSession.create(artifact);
  try {
    const width = history.tenors.length;
    const batch = new Float32Array(origins.length * LOOKBACK * width);
    origins.forEach((origin, i) => batch.set(historyWindow(history, origin), i * LOOKBACK * width));
    const outputs = await session.run({
      history: new Tensor("float32", batch, [origins.length, LOOKBACK, width]),
    });
    const size = outputs["mean"]!.data.length / origins.length;
    const part = (name: string, i: number) =>
      (outputs[name]!.data as Float32Array).slice(i * size, (i + 1) * size);
    return origins.map((_, i) => ({
      mean: part("mean", i),
      lower: part("lower", i),
      upper: part("upper", i),
    }));
  } finally {
    await session.release();
  }
}

/** The largest difference, relative to 1 or the value; infinite where only one of them is NaN. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (Number.isNaN(a) && Number.isNaN(e)) continue;
    const difference = Math.abs(a - e) / Math.max(1, Math.abs(e));
    largest = Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return largest;
}
