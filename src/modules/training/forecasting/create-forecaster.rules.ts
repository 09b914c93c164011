import type { CurveForecaster } from "./curve-forecaster.rules.js";
import { CurveFeatures } from "./curve-features.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";
import { Ensemble } from "./ensemble.rules.js";
import { FactorVar } from "./factor-var.rules.js";
import { forecasterOptions } from "./forecaster-options.rules.js";
import type { ForecasterType, TrainingSpec } from "./forecaster.types.js";
import { GradientBoosting } from "./gradient-boosting.rules.js";
import { NELSON_SIEGEL_FACTORS, NelsonSiegel } from "./nelson-siegel.rules.js";
import { RandomWalk } from "./random-walk.rules.js";
import { Ridge } from "./ridge.rules.js";

/** The forecaster that a spec asks for, not yet fitted. */
export function createForecaster(panel: CurvePanel, spec: TrainingSpec): CurveForecaster {
  const { horizons } = spec;
  const features = new CurveFeatures(panel);
  const create = (type: ForecasterType, given: Record<string, unknown>): CurveForecaster => {
    const options = forecasterOptions(type, given);
    switch (type) {
      case "RANDOM_WALK":
        return new RandomWalk(panel, horizons);
      case "NELSON_SIEGEL":
        return new NelsonSiegel(panel, horizons, options["decay"]);
      case "FACTOR_VAR":
        return new FactorVar(panel, horizons, { factors: options["factors"]!, lags: options["lags"]! });
      case "RIDGE":
        return new Ridge(panel, features, horizons, options["lambda"]!);
      case "GRADIENT_BOOSTING":
        return new GradientBoosting(
          panel,
          features,
          horizons,
          {
            trees: options["trees"]!,
            depth: options["depth"]!,
            learningRate: options["learningRate"]!,
            sampleSize: options["sampleSize"]!,
          },
          spec.seed,
        );
      case "ENSEMBLE":
        return new Ensemble(
          panel,
          features,
          horizons,
          memberTypes(panel).map((member) => ({ type: member, forecaster: create(member, {}) })),
          options["shrinkage"]!,
        );
    }
  };
  return create(spec.type, spec.options);
}

/** All the other types that the curve's tenors allow. */
function memberTypes(panel: CurvePanel): ForecasterType[] {
  const identified = new Set(panel.months).size >= NELSON_SIEGEL_FACTORS;
  const types: ForecasterType[] = ["RANDOM_WALK", "FACTOR_VAR", "RIDGE", "GRADIENT_BOOSTING"];
  return identified ? [...types, "NELSON_SIEGEL"] : types;
}
