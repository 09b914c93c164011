import type {
  CurveHistory,
  TrainingSpec,
} from "../../../src/modules/training/forecasting/forecaster.types.js";

export const TENORS = ["P3M", "P6M", "P1Y", "P2Y", "P5Y", "P10Y", "P30Y"];

/** Uniform numbers in [0, 1), the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function businessDays(count: number, first = "2015-01-01"): string[] {
  const dates: string[] = [];
  for (let time = Date.parse(`${first}T00:00:00Z`); dates.length < count; time += 86_400_000) {
    const day = new Date(time);
    if (day.getUTCDay() % 6 !== 0) dates.push(day.toISOString().slice(0, 10));
  }
  return dates;
}

/** A yield curve of a drifting level and a mean-reverting slope, with a little noise on each quote. */
export function syntheticCurve(count: number, seed = 7, tenors = TENORS): CurveHistory {
  const random = randomNumbers(seed);
  const noise = () => random() + random() + random() - 1.5;
  const values = new Float64Array(count * tenors.length);
  let level = 3;
  let slope = -1;
  for (let date = 0; date < count; date++) {
    level += 0.08 * noise();
    slope += 0.03 * (-1 - slope) + 0.05 * noise();
    for (let j = 0; j < tenors.length; j++) {
      values[date * tenors.length + j] = level + slope * Math.exp(-j / 2) + 0.02 * noise();
    }
  }
  return { kind: "YIELD", dates: businessDays(count), tenors, values };
}

/** Blanks as real curves have them: single ones, a whole date, a tenor that starts late, one that stops for a while. */
export function withBlanks(history: CurveHistory): CurveHistory {
  const width = history.tenors.length;
  const count = history.dates.length;
  const random = randomNumbers(3);
  const values = history.values.map((value, cell) => {
    const date = Math.floor(cell / width);
    const tenor = cell % width;
    const late = tenor === 1 && date < count * 0.6;
    const gap = tenor === width - 1 && date > count * 0.3 && date < count * 0.3 + 100;
    return late || gap || date === count - 30 || random() < 0.02 ? Number.NaN : value;
  });
  return { ...history, values };
}

export function trainingSpec(changes: Partial<TrainingSpec> = {}): TrainingSpec {
  return {
    type: "RANDOM_WALK",
    horizons: [1, 5],
    refitEvery: 10,
    coverage: 0.9,
    options: {},
    seed: 254,
    ...changes,
  };
}
