export interface CircuitBreakerOptions {
  /** Failures in a row before nobody is asked any more. */
  failures: number;
  /** How long nobody is asked then; after that one call tries. */
  pauseMs: number;
  onOpen(reason: Error): void;
  onClose(): void;
}

/** Keeps calls from an engine that fails, so that they cost nothing until it is back. */
export class CircuitBreaker {
  private failuresInRow = 0;
  private closedAgainAt = 0;
  private trying = false;

  constructor(private readonly options: CircuitBreakerOptions) {}

  /** @returns undefined when nobody was asked, or the call failed */
  async run<T>(call: () => Promise<T>): Promise<T | undefined> {
    const open = this.failuresInRow >= this.options.failures;
    if (open && (this.trying || performance.now() < this.closedAgainAt)) return undefined;
    this.trying = open;
    try {
      const answer = await call();
      if (open) this.options.onClose();
      this.failuresInRow = 0;
      return answer;
    } catch (error) {
      this.failed(error as Error);
      return undefined;
    } finally {
      if (open) this.trying = false;
    }
  }

  private failed(reason: Error): void {
    this.failuresInRow++;
    if (this.failuresInRow < this.options.failures) return;
    this.closedAgainAt = performance.now() + this.options.pauseMs;
    if (this.failuresInRow === this.options.failures) this.options.onOpen(reason);
  }
}
