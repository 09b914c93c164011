/** Simple regression of an outcome on its own lag, by moments that are updated one pair at a time. */
export class LagRegression {
  private count = 0;
  private meanLag = 0;
  private meanOutcome = 0;
  private lagSquares = 0;
  private crossProducts = 0;

  observe(lag: number, outcome: number): void {
    this.count++;
    const deviation = lag - this.meanLag;
    this.meanLag += deviation / this.count;
    this.meanOutcome += (outcome - this.meanOutcome) / this.count;
    this.lagSquares += deviation * (lag - this.meanLag);
    this.crossProducts += deviation * (outcome - this.meanOutcome);
  }

  /** Least squares; a lag that never moved explains nothing, and the mean remains. */
  coefficients(): { intercept: number; slope: number } {
    const moved = this.lagSquares > 1e-12 * this.count * (1 + this.meanLag ** 2);
    const slope = moved ? this.crossProducts / this.lagSquares : 0;
    return { intercept: this.meanOutcome - slope * this.meanLag, slope };
  }
}
