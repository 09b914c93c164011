import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";
import { forecasterOptions } from "./forecaster-options.rules.js";
import type { TrainingSpec } from "./forecaster.types.js";
import { NelsonSiegel } from "./nelson-siegel.rules.js";
import { RandomWalk } from "./random-walk.rules.js";

/** The forecaster that a spec asks for, not yet fitted. */
export function createForecaster(panel: CurvePanel, spec: TrainingSpec): CurveForecaster {
  const options = forecasterOptions(spec.type, spec.options);
  switch (spec.type) {
    case "NELSON_SIEGEL":
      return new NelsonSiegel(panel, spec.horizons, options["decay"]);
    default:
      return new RandomWalk(panel, spec.horizons);
  }
}
