import { InvalidInputError } from "../../../shared/errors.js";
import type { ForecasterType } from "./forecaster.types.js";

interface OptionRule {
  whole: boolean;
  minimum: number;
  maximum: number;
  /** Absent: the fit chooses. */
  default?: number;
}

/** What may be set for each type; names are those of `options` in the training input. */
export const FORECASTER_OPTIONS: Record<ForecasterType, Record<string, OptionRule>> = {
  RANDOM_WALK: {},
  NELSON_SIEGEL: { decay: { whole: false, minimum: 0.001, maximum: 2 } },
  FACTOR_VAR: {
    factors: { whole: true, minimum: 1, maximum: 8, default: 3 },
    lags: { whole: true, minimum: 1, maximum: 8, default: 2 },
  },
  RIDGE: { lambda: { whole: false, minimum: 0, maximum: 1e6, default: 20 } },
  GRADIENT_BOOSTING: {
    trees: { whole: true, minimum: 1, maximum: 500, default: 40 },
    depth: { whole: true, minimum: 1, maximum: 6, default: 3 },
    learningRate: { whole: false, minimum: 0.001, maximum: 1, default: 0.05 },
    sampleSize: { whole: true, minimum: 100, maximum: 20_000, default: 1500 },
  },
  ENSEMBLE: { shrinkage: { whole: false, minimum: 0, maximum: 1000, default: 1 } },
};

/**
 * The options of a type, defaults filled in.
 * @throws {InvalidInputError} for a name that the type does not have, or a value out of range
 */
export function forecasterOptions(
  type: ForecasterType,
  given: Record<string, unknown>,
): Record<string, number | undefined> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw InvalidInputError.at("input.options", "must be an object of names and values");
  }
  const rules = FORECASTER_OPTIONS[type];
  const names = Object.keys(rules);
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(rules, name)) continue;
    const allowed = names.length ? `it takes ${names.join(", ")}` : "it takes none";
    throw InvalidInputError.at(`input.options.${name}`, `not an option of ${type}; ${allowed}`);
  }
  return Object.fromEntries(names.map((name) => [name, optionValue(name, rules[name]!, given[name])]));
}

function optionValue(name: string, rule: OptionRule, given: unknown): number | undefined {
  if (given === undefined || given === null) return rule.default;
  const valid =
    typeof given === "number" &&
    given >= rule.minimum &&
    given <= rule.maximum &&
    (!rule.whole || Number.isInteger(given));
  if (!valid) {
    const kind = rule.whole ? "a whole number" : "a number";
    throw InvalidInputError.at(
      `input.options.${name}`,
      `must be ${kind} from ${rule.minimum} to ${rule.maximum}`,
    );
  }
  return given;
}
