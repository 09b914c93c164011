import { createHash } from "node:crypto";
import type { CurveHistory } from "./forecaster.types.js";

/** SHA-256, in hex, of exactly the numbers that a training saw: kind, dates, tenors and values. */
export function curveHistoryDigest({ kind, dates, tenors, values }: CurveHistory): string {
  // NaN has many bit patterns; a blank must be one of them only.
  const canonical = Float64Array.from(values, (value) => (Number.isNaN(value) ? Number.NaN : value));
  return createHash("sha256")
    .update(JSON.stringify({ kind, dates, tenors }))
    .update(new Uint8Array(canonical.buffer))
    .digest("hex");
}
