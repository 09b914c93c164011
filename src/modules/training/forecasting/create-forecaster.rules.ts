import type { CurveForecaster } from "./curve-forecaster.rules.js";
import { CurveFeatures } from "./curve-features.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";
import { Ensemble } from "./ensemble.rules.js";
import type { EnsembleMember } from "./ensemble.rules.js";
import { FactorVar } from "./factor-var.rules.js";
import { forecasterOptions } from "./forecaster-options.rules.js";
import type { ForecasterType, TrainingSpec } from "./forecaster.types.js";
import { GradientBoosting } from "./gradient-boosting.rules.js";
import { NELSON_SIEGEL_FACTORS, NelsonSiegel } from "./nelson-siegel.rules.js";
import { RandomWalk } from "./random-walk.rules.js";
import { Ridge } from "./ridge.rules.js";

/**
 * The forecaster that a spec asks for, not yet fitted.
 * @param through what stands in for each of its components
 */
export function createForecaster(
  panel: CurvePanel,
  spec: TrainingSpec,
  through: (component: CurveForecaster, index: number) => CurveForecaster = (component) => component,
): CurveForecaster {
  const features = new CurveFeatures(panel);
  const components = createComponents(panel, spec, features).map(({ type, forecaster }, i) => ({
    type,
    forecaster: through(forecaster, i),
  }));
  if (spec.type !== "ENSEMBLE") return components[0]!.forecaster;
  const { shrinkage } = forecasterOptions(spec.type, spec.options);
  return new Ensemble(panel, features, spec.horizons, components, shrinkage!);
}

/** The members of an ensemble, or the one forecaster that a spec asks for. */
export function createComponents(
  panel: CurvePanel,
  spec: TrainingSpec,
  features: CurveFeatures,
): EnsembleMember[] {
  const create = (type: ForecasterType, given: Record<string, unknown>): EnsembleMember => ({
    type,
    forecaster: createComponent(type, panel, features, spec, forecasterOptions(type, given)),
  });
  return spec.type === "ENSEMBLE"
    ? memberTypes(panel).map((type) => create(type, {}))
    : [create(spec.type, spec.options)];
}

function createComponent(
  type: ForecasterType,
  panel: CurvePanel,
  features: CurveFeatures,
  { horizons, seed }: TrainingSpec,
  options: Record<string, number | undefined>,
): CurveForecaster {
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
        seed,
      );
    case "ENSEMBLE":
      throw new Error("an ensemble is no component");
  }
}

/** All the other types that the curve's tenors allow. */
function memberTypes(panel: CurvePanel): ForecasterType[] {
  const identified = new Set(panel.months).size >= NELSON_SIEGEL_FACTORS;
  const types: ForecasterType[] = ["RANDOM_WALK", "FACTOR_VAR", "RIDGE", "GRADIENT_BOOSTING"];
  return identified ? [...types, "NELSON_SIEGEL"] : types;
}
