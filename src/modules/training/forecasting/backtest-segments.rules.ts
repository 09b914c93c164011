import { createComponents } from "./create-forecaster.rules.js";
import { CurveFeatures } from "./curve-features.rules.js";
import { CurvePanel } from "./curve-panel.rules.js";
import type { CurveHistory, TrainingSpec } from "./forecaster.types.js";
import { refitSchedule } from "./refit-schedule.rules.js";
import { checkTrainingSpec } from "./training-spec.rules.js";
import type { TrainingWindow } from "./training-spec.rules.js";

/**
 * A part of a backtest that can be computed by itself: what a component of a forecaster says at an origin depends
 * on what it has observed and on its last refit, and on nothing that it has said before. The weights of an ensemble
 * and the intervals do, and are left to whoever puts the parts together.
 */
export interface BacktestSegment {
  /** First and last origin; the first one is refitted at. */
  from: number;
  to: number;
}

/** What the components of a forecaster said at the origins of a segment. */
export interface SegmentForecasts extends BacktestSegment {
  /** Row-major [origins, components, horizons, tenors]. */
  values: Float64Array;
}

/** Refits, times horizons and tenors, that are worth a job of their own: some ten seconds for an ensemble. */
const SEGMENT_WORK = 20_000;
const MOST_SEGMENTS = 32;

/**
 * How many segments the backtest is worth.
 * @returns 1 where it is done in one go
 */
export function countSegments(spec: TrainingSpec, { tenors }: CurveHistory, window: TrainingWindow): number {
  if (spec.type === "RANDOM_WALK") return 1;
  const refits = refitOrigins(spec, window).length;
  const work = refits * spec.horizons.length * tenors.length;
  return Math.max(1, Math.min(Math.floor(work / SEGMENT_WORK), MOST_SEGMENTS, refits));
}

/** The segments, each with as many refits as the others. @param count at most as many as there are refits */
export function segmentsOf(spec: TrainingSpec, window: TrainingWindow, count: number): BacktestSegment[] {
  const refits = refitOrigins(spec, window);
  const starts = Array.from({ length: count }, (_, i) => refits[Math.floor((i * refits.length) / count)]!);
  return starts.map((from, i) => ({ from, to: (starts[i + 1] ?? window.to + 1) - 1 }));
}

/**
 * What the components of the forecaster say in one of `of` segments, bit by bit the same as in a backtest in one go.
 * @param onProgress fraction from 0 to 1, and what is going on, for a person
 */
export function forecastSegment(
  history: CurveHistory,
  spec: TrainingSpec,
  { segment, of }: { segment: number; of: number },
  onProgress: (fraction: number, message: string) => void,
): SegmentForecasts {
  const window = checkTrainingSpec(spec, history);
  const { from, to } = segmentsOf(spec, window, of)[segment]!;
  const panel = new CurvePanel(history);
  const components = createComponents(panel, spec, new CurveFeatures(panel)).map((each) => each.forecaster);
  const isRefit = refitSchedule(window, spec);
  const cells = spec.horizons.length * panel.width;
  const values = new Float64Array((to - from + 1) * components.length * cells);
  for (let date = window.from; date <= to; date++) {
    for (const component of components) component.observe(date);
    if (date < from) continue;
    if (isRefit(date)) {
      onProgress((date - from) / (to - from + 1), `backtest at ${history.dates[date]}`);
      for (const component of components) component.refit();
    }
    components.forEach((component, c) => {
      values.set(component.forecast(date), ((date - from) * components.length + c) * cells);
    });
  }
  return { from, to, values };
}

function refitOrigins(spec: TrainingSpec, window: TrainingWindow): number[] {
  const isRefit = refitSchedule(window, spec);
  const origins: number[] = [];
  for (let date = window.firstOrigin; date <= window.to; date++) if (isRefit(date)) origins.push(date);
  return origins;
}
