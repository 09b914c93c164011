import { setTimeout as delay } from "node:timers/promises";
import type { CliContext } from "./command.js";
import { CommandFailure } from "./command-failure.js";
import type { RunStatus, TrainingRun } from "./graph-operations.js";
import type { Progress } from "./progress.js";

const POLL_INTERVAL_MS = 500;
/** How long a platform may be away, for a restart, before following it is given up. */
const ABSENCE_LIMIT_MS = 60_000;

/**
 * Shows the progress of a run until it ends: by its events from `cursor` on, or by asking again and again where
 * the socket cannot be opened or breaks.
 * @returns the finished run, or undefined when `signal` aborted first
 */
export async function followTraining(
  { graph, terminal }: CliContext,
  run: string,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<TrainingRun | undefined> {
  const progress = terminal.progress("training");
  try {
    const ended = await followEvents({ graph }, run, cursor, progress, signal);
    if (!ended && !signal.aborted) await poll({ graph }, run, progress, signal);
  } finally {
    progress.stop();
  }
  if (signal.aborted) return undefined;
  return readRun({ graph }, run);
}

type Graph = Pick<CliContext, "graph">;

/** @returns whether the run's end was among the events */
async function followEvents(
  { graph }: Graph,
  run: string,
  after: string | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    for await (const { trainingEvents } of graph.subscribe("training-events", { run, after }, signal)) {
      progress.update(trainingEvents.progress, trainingEvents.message);
      if (hasEnded(trainingEvents.status)) return true;
    }
  } catch {
    // Polling tells the same, and reports what is really wrong.
  }
  return false;
}

async function poll(context: Graph, run: string, progress: Progress, signal: AbortSignal): Promise<void> {
  let answeredAt = performance.now();
  while (!signal.aborted) {
    try {
      const { status, progress: share } = await readRun(context, run);
      answeredAt = performance.now();
      progress.update(share, status.toLowerCase());
      if (hasEnded(status)) return;
    } catch (error) {
      const away = error instanceof CommandFailure && error.code === "UNREACHABLE";
      if (!away || performance.now() - answeredAt > ABSENCE_LIMIT_MS) throw error;
    }
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** @throws {CommandFailure} NOT_FOUND when there is no such run */
export async function readRun({ graph }: Graph, id: string): Promise<TrainingRun> {
  const { trainingRun } = await graph.execute("training-run", { id });
  if (!trainingRun) throw new CommandFailure("NOT_FOUND", `no training run ${id}`, "id");
  return trainingRun;
}

function hasEnded(status: RunStatus): boolean {
  return status === "SUCCEEDED" || status === "FAILED" || status === "CANCELLED";
}
