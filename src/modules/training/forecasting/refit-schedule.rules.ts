import type { TrainingSpec } from "./forecaster.types.js";
import type { TrainingWindow } from "./training-spec.rules.js";

/** Steps between refits, at least, at origins before the backtest: their errors weigh and calibrate, but are not scored. */
const WARM_UP_REFIT = 63;

/** At which origins a forecaster is refitted as it walks through its history. */
export function refitSchedule(
  { firstOrigin, backtestFrom }: TrainingWindow,
  { horizons, refitEvery }: Pick<TrainingSpec, "horizons" | "refitEvery">,
): (origin: number) => boolean {
  const scoredFrom = Math.max(firstOrigin, backtestFrom - Math.max(...horizons));
  return (origin) => {
    if (origin < scoredFrom) return (origin - firstOrigin) % Math.max(refitEvery, WARM_UP_REFIT) === 0;
    return (origin - scoredFrom) % refitEvery === 0;
  };
}
