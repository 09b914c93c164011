/**
 * Split-conformal calibration of prediction intervals. A score is the absolute error of an out-of-sample
 * forecast in units of the volatility at its origin; the interval reaches as far as the score that the
 * wanted share of past ones stayed below.
 */
export class ConformalIntervals {
  private readonly scores: SortedScores[][];

  constructor(
    horizons: number,
    private readonly tenors: number,
    private readonly coverage: number,
  ) {
    this.scores = Array.from({ length: horizons }, () =>
      Array.from({ length: tenors }, () => new SortedScores()),
    );
  }

  /** Takes in a forecast whose outcome is known. @param score absolute error over volatility */
  record(horizon: number, tenor: number, score: number): void {
    this.scores[horizon]![tenor]!.add(score);
  }

  /** Half-widths in units of volatility, row-major [horizons, tenors]. */
  radii(): Float64Array {
    const radii = new Float64Array(this.scores.length * this.tenors);
    this.scores.forEach((tenors, h) => {
      const own = tenors.map((scores) => scores.quantile(this.coverage));
      // A tenor with a short record borrows the widest of its horizon.
      const widest = Math.max(...own.map((radius) => (Number.isFinite(radius) ? radius : 0)));
      own.forEach((radius, tenor) => {
        const borrowed = widest > 0 ? widest : this.scores[h]![tenor]!.largest();
        radii[h * this.tenors + tenor] = Number.isFinite(radius) ? radius : borrowed;
      });
    });
    return radii;
  }
}

/** How many scores it takes before a quantile at this coverage exists. */
export function scoresNeeded(coverage: number): number {
  return Math.ceil(coverage / (1 - coverage) - 1e-9);
}

class SortedScores {
  private sorted = new Float64Array(64);
  private count = 0;

  add(score: number): void {
    if (this.count === this.sorted.length) {
      const larger = new Float64Array(2 * this.count);
      larger.set(this.sorted);
      this.sorted = larger;
    }
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sorted[middle]! < score) low = middle + 1;
      else high = middle;
    }
    this.sorted.copyWithin(low + 1, low, this.count);
    this.sorted[low] = score;
    this.count++;
  }

  /** The conformal quantile with its correction for a finite sample; infinite when there are too few scores. */
  quantile(coverage: number): number {
    const rank = Math.ceil(coverage * (this.count + 1) - 1e-9);
    return rank > this.count ? Number.POSITIVE_INFINITY : this.sorted[rank - 1]!;
  }

  largest(): number {
    return this.count === 0 ? 0 : this.sorted[this.count - 1]!;
  }
}
