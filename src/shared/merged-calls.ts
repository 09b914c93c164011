interface Call<Input, Output> {
  input: Input;
  resolve(output: Output): void;
  reject(error: unknown): void;
}

/**
 * Answers concurrent calls together: what is asked for in one turn of the event loop, or while a round is under way,
 * goes into the next round.
 */
export class MergedCalls<Input, Output> {
  private waiting: Call<Input, Output>[] = [];
  private rounds = 0;
  private planned = false;

  constructor(
    /** @returns an answer for each input, in their order */
    private readonly answer: (inputs: readonly Input[]) => Promise<readonly Output[]>,
    private readonly limits: {
      /** Rounds under way at the same time. */
      rounds: number;
      /** Calls of one round. */
      calls: number;
    },
  ) {}

  call(input: Input): Promise<Output> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ input, resolve, reject });
      this.plan();
    });
  }

  private plan(): void {
    if (this.planned || this.waiting.length === 0 || this.rounds >= this.limits.rounds) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      const calls = this.waiting.splice(0, this.limits.calls);
      this.rounds++;
      void this.settle(calls).finally(() => {
        this.rounds--;
        this.plan();
      });
      this.plan();
    });
  }

  /** A call that makes its round fail must not take its neighbours with it: each is then asked alone. */
  private async settle(calls: readonly Call<Input, Output>[]): Promise<void> {
    try {
      const outputs = await this.answer(calls.map(({ input }) => input));
      calls.forEach(({ resolve }, at) => resolve(outputs[at]!));
    } catch (error) {
      if (calls.length === 1) return calls[0]!.reject(error);
      for (const call of calls) await this.settle([call]);
    }
  }
}
