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
  private open = false;
  private nextTryAt = 0;
  private trying = false;

  constructor(private readonly options: CircuitBreakerOptions) {}

  /** @returns undefined when nobody was asked, or the call failed */
  async run<T>(call: () => Promise<T>): Promise<T | undefined> {
    const isTry = this.open;
    if (isTry && (this.trying || performance.now() < this.nextTryAt)) return undefined;
    if (isTry) this.trying = true;
    try {
      const answer = await call();
      this.succeeded();
      return answer;
    } catch (error) {
      this.failed(error as Error);
      return undefined;
    } finally {
      if (isTry) this.trying = false;
    }
  }

  private succeeded(): void {
    this.failuresInRow = 0;
    if (!this.open) return;
    this.open = false;
    this.options.onClose();
  }

  private failed(reason: Error): void {
    this.failuresInRow++;
    if (this.failuresInRow < this.options.failures) return;
    this.nextTryAt = performance.now() + this.options.pauseMs;
    if (this.open) return;
    this.open = true;
    this.options.onOpen(reason);
  }
}
