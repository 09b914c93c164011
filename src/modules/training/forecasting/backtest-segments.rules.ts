import { createComponents } from "./create-forecaster.rules.js";
import { CurveFeatures } from "./curve-features.rules.js";
import { CurvePanel } from "./curve-panel.rules.js";
import { forecasterOptions } from "./forecaster-options.rules.js";
import type { CurveHistory, ForecasterType, TrainingSpec } from "./forecaster.types.js";
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

const MOST_SEGMENTS = 32;

/**
 * How many segments the backtest is worth.
 * @param segmentMs work of one core that a segment shall hold, as far as it can be told before
 * @returns 1 where it is done in one go
 */
export function countSegments(
  spec: TrainingSpec,
  { tenors }: CurveHistory,
  window: TrainingWindow,
  segmentMs: number,
): number {
  const refits = refitOrigins(spec, window).length;
  const count = Math.floor((refits * refitMs(spec.type, spec, tenors.length)) / segmentMs);
  return Math.max(1, Math.min(count, MOST_SEGMENTS, refits));
}

/** Milliseconds of one core that a refit takes, roughly. */
function refitMs(type: ForecasterType, spec: TrainingSpec, tenors: number): number {
  const { horizons } = spec;
  switch (type) {
    case "RANDOM_WALK":
      return 0;
    case "NELSON_SIEGEL":
      return 1;
    case "FACTOR_VAR":
      return 0.01 * tenors ** 3;
    case "RIDGE":
      return 0.1 * tenors * horizons.length;
    case "GRADIENT_BOOSTING": {
      const { trees } = forecasterOptions(type, spec.type === type ? spec.options : {});
      return 0.5 * trees! * horizons.length;
    }
    case "ENSEMBLE":
      return (["FACTOR_VAR", "RIDGE", "GRADIENT_BOOSTING"] as const)
        .map((member) => refitMs(member, spec, tenors))
        .reduce((sum, ms) => sum + ms);
  }
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
