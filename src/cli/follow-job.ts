import { setTimeout as delay } from "node:timers/promises";
import type { CliContext } from "./command.js";
import { CommandFailure } from "./command-failure.js";
import type { Job } from "./graph-operations.js";

const POLL_INTERVAL_MS = 300;
/** How long a platform may be away, for a restart, before following it is given up. */
const ABSENCE_LIMIT_MS = 60_000;

/**
 * Shows the progress of a job until it ends.
 * @returns the job as it ended, or undefined when `signal` aborted first
 * @throws {CommandFailure} NOT_FOUND when there is no such job
 */
export async function followJob(
  { graph, terminal }: CliContext,
  id: string,
  label: string,
  signal: AbortSignal,
): Promise<Job | undefined> {
  const progress = terminal.progress(label);
  let answeredAt = performance.now();
  try {
    while (!signal.aborted) {
      try {
        const { job } = await graph.execute("job", { id });
        if (!job) throw new CommandFailure("NOT_FOUND", `no job ${id}`, "id");
        answeredAt = performance.now();
        progress.update(job.progress, job.state.toLowerCase());
        if (job.finishedAt !== null) return job;
      } catch (error) {
        const away = error instanceof CommandFailure && error.code === "UNREACHABLE";
        if (!away || performance.now() - answeredAt > ABSENCE_LIMIT_MS) throw error;
      }
      await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  } finally {
    progress.stop();
  }
}
