import type { CliContext, CommandResult } from "./command.js";
import { CommandFailure } from "./command-failure.js";
import { detachable } from "./detachable.js";
import { followJob } from "./follow-job.js";
import type { Job } from "./graph-operations.js";

const EXIT_INTERRUPTED = 130;

/**
 * Follows a job to its end, unless it is not waited for or Ctrl-C leaves it alone.
 * @throws {CommandFailure} when it does not succeed
 */
export async function finishJob(
  context: CliContext,
  { id, label, wait }: { id: string; label: string; wait: boolean },
  show: (job: Job) => CommandResult | Promise<CommandResult>,
): Promise<CommandResult> {
  if (!wait) return { data: { job: id }, text: `job ${id}; see it with: 254carbon jobs` };
  const ended = await detachable(context.terminal, `Detach and let the ${label} go on?`, (signal) =>
    followJob(context, id, label, signal),
  );
  if (!ended) {
    return { data: { job: id, detached: true }, text: `job ${id} goes on`, exitCode: EXIT_INTERRUPTED };
  }
  if (ended.state !== "COMPLETED") {
    throw new CommandFailure(
      ended.state,
      `job ${id} ended ${ended.state}: ${ended.error ?? "no reason given"}`,
    );
  }
  return show(ended);
}
