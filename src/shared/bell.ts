/** Wakes whoever waits; remembers a ring that came while nobody did. */
export class Bell {
  /** Its owner listens no more. */
  retired = false;
  private rung = false;
  private answer?: () => void;

  readonly ring = (): void => {
    this.rung = true;
    this.answer?.();
  };

  retire(): void {
    this.retired = true;
    this.ring();
  }

  async wait(atMostMs: number): Promise<void> {
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, atMostMs);
        this.answer = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.rung = false;
    this.answer = undefined;
  }
}
