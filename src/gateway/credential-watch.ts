import type { Identity } from "../modules/identity/index.js";
import { UnauthenticatedError } from "../shared/errors.js";

const LOOK_AGAIN_MS = 5_000;

/** Asks again and again whether the credentials hold that something was opened with, and ends it when they do not. */
export class CredentialWatch {
  private readonly timer: NodeJS.Timeout;
  private isOver = false;

  /**
   * @param authenticate the credentials as they were presented: secrets and keys may have been replaced since
   * @param end is told the reason, once
   */
  constructor(
    private readonly identity: Identity,
    private readonly authenticate: () => Promise<Identity>,
    private readonly end: (reason: string) => void,
  ) {
    this.timer = setInterval(() => this.look(), LOOK_AGAIN_MS);
    this.look();
  }

  /**
   * @throws {UnauthenticatedError} when they do not hold
   * @throws {UnavailableError} when it cannot be told
   */
  async assertHeld(): Promise<void> {
    const { expiresAt, apiKey } = this.identity;
    // Whoever comes is given a minute for clocks that differ; whoever stays is not.
    if (expiresAt && expiresAt.getTime() <= Date.now()) throw this.over("the token has expired");
    try {
      await this.authenticate();
    } catch (error) {
      if (!(error instanceof UnauthenticatedError)) throw error;
      throw this.over(apiKey === undefined ? "the token is valid no more" : "the API key has ended");
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private over(reason: string): UnauthenticatedError {
    if (!this.isOver) {
      this.isOver = true;
      this.stop();
      this.end(reason);
    }
    return new UnauthenticatedError(reason);
  }

  /** Whoever cannot be asked has nothing to say against them. */
  private look(): void {
    this.assertHeld().catch(() => undefined);
  }
}
