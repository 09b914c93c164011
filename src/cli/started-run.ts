import type { CliContext, CommandResult } from "./command.js";
import { CommandFailure } from "./command-failure.js";
import { detachable } from "./detachable.js";
import { followTraining } from "./follow-training.js";
import type { RunStatus, TrainingRun } from "./graph-operations.js";

const EXIT_INTERRUPTED = 130;

export interface StartedRun {
  run: { id: string; status: RunStatus };
  cursor: string;
}

export interface RunFollowing {
  wait: boolean;
  /** What is being trained, said before the progress. */
  note: string;
  /** What is shown of a run that has succeeded. */
  show: (run: TrainingRun) => CommandResult | Promise<CommandResult>;
}

/**
 * Follows a run to its end, unless it is not waited for or Ctrl-C leaves it alone.
 * @throws {CommandFailure} when the run has no version to show for itself
 */
export async function followStartedRun(
  context: CliContext,
  { run, cursor }: StartedRun,
  { wait, note, show }: RunFollowing,
): Promise<CommandResult> {
  const { terminal } = context;
  if (!wait) {
    return {
      data: { run, cursor },
      text: `run ${run.id} (${run.status}); see it with: 254carbon runs ${run.id}`,
    };
  }
  terminal.note(`${note}: run ${run.id}`);
  const finished = await detachable(terminal, "Detach and let the training go on?", (signal) =>
    followTraining(context, run.id, cursor, signal),
  );
  if (!finished) {
    const text = `run ${run.id} goes on; see it with: 254carbon runs ${run.id}; end it with: 254carbon cancel ${run.id}`;
    return { data: { run, cursor, detached: true }, text, exitCode: EXIT_INTERRUPTED };
  }
  if (finished.status !== "SUCCEEDED") {
    throw new CommandFailure(
      finished.status,
      `run ${finished.id} ended ${finished.status}: ${finished.error ?? "no reason given"}`,
    );
  }
  return show(finished);
}
