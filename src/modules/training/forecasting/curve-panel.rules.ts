import type { CurveHistory } from "./forecaster.types.js";
import { tenorMonths } from "../../../shared/tenor.js";

/** Dates of history that every artifact takes; enough for a change over 63 steps and for a quarter's volatility. */
export const LOOKBACK = 64;

/**
 * A curve's history as forecasters see it: through a window of LOOKBACK dates that ends at an origin.
 * A blank carries the last quote of the same tenor inside that window, the same rule as in the graph.
 * Values are rounded to float32 at once, because that is what the artifact will be given.
 */
export class CurvePanel {
  readonly length: number;
  readonly width: number;
  /** Months to maturity of each tenor. */
  readonly months: Float64Array;
  private readonly quotes: Float32Array;
  /** [dates, tenors]: index of the last date with a quote, on or before; -1 before the first. */
  private readonly lastQuoted: Int32Array;

  constructor({ dates, tenors, values }: CurveHistory) {
    this.length = dates.length;
    this.width = tenors.length;
    this.months = Float64Array.from(tenors, (tenor) => tenorMonths(tenor));
    this.quotes = Float32Array.from(values);
    this.lastQuoted = new Int32Array(this.quotes.length);
    for (let cell = 0; cell < this.quotes.length; cell++) {
      const date = Math.floor(cell / this.width);
      if (!Number.isNaN(this.quotes[cell]!)) this.lastQuoted[cell] = date;
      else this.lastQuoted[cell] = date === 0 ? -1 : this.lastQuoted[cell - this.width]!;
    }
  }

  /** What was quoted on exactly that date; NaN for a blank. */
  quote(date: number, tenor: number): number {
    return this.quotes[date * this.width + tenor]!;
  }

  /** How many tenors were quoted on exactly that date. */
  quotedOn(date: number): number {
    let count = 0;
    for (let tenor = 0; tenor < this.width; tenor++) if (!Number.isNaN(this.quote(date, tenor))) count++;
    return count;
  }

  /** The last quote on or before `origin - lag`, inside the window that ends at `origin`; NaN where there is none. */
  carried(origin: number, lag: number, tenor: number): number {
    const date = origin - lag;
    if (date < 0) return Number.NaN;
    const quoted = this.lastQuoted[date * this.width + tenor]!;
    return quoted >= 0 && quoted > origin - LOOKBACK ? this.quote(quoted, tenor) : Number.NaN;
  }

  /** The curve of `carried`, [tenors]. */
  carriedCurve(origin: number, lag = 0, into = new Float64Array(this.width)): Float64Array {
    for (let tenor = 0; tenor < this.width; tenor++) into[tenor] = this.carried(origin, lag, tenor);
    return into;
  }
}
