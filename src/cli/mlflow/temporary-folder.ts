import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for downloads, which goes when it is closed, and when the command is interrupted. */
export class TemporaryFolder {
  private readonly interrupted = (signal: NodeJS.Signals): void => {
    this.remove();
    process.exit(128 + constants.signals[signal]);
  };

  private constructor(readonly path: string) {
    process.once("SIGINT", this.interrupted).once("SIGTERM", this.interrupted);
  }

  static async create(): Promise<TemporaryFolder> {
    return new TemporaryFolder(await mkdtemp(join(tmpdir(), "254carbon-mlflow-")));
  }

  close(): void {
    process.off("SIGINT", this.interrupted).off("SIGTERM", this.interrupted);
    this.remove();
  }

  private remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
