import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { PACKAGE_ROOT } from "./package-root.js";

/** Longer than it takes to undo what was half done. */
const KILL_AFTER_MS = 15_000;

const ENTRY = join(PACKAGE_ROOT, "dist/bundle/offline.js");

export interface OfflineFailure {
  code: string;
  field?: string;
  message: string;
}

export type OfflineOutcome<T> = { result: T } | { failure: OfflineFailure };

/**
 * Runs a command that opens the platform's engines itself, in a process of its own that has our environment. What it
 * has to say meanwhile goes to standard error.
 * @param signal ends it, and the programs that it has started
 */
export async function runOfflineProcess<T>(
  command: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<OfflineOutcome<T>> {
  signal?.throwIfAborted();
  const flags = [...process.execArgv, "--enable-source-maps"];
  const child = spawn(process.execPath, [...flags, ENTRY, command, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    // A group of its own can be ended as a whole; without a signal, Ctrl-C of a terminal ends ours.
    detached: signal !== undefined,
  });
  let stubborn: NodeJS.Timeout | undefined;
  const end = () => {
    endGroup(child.pid, "SIGTERM");
    stubborn = setTimeout(() => endGroup(child.pid, "SIGKILL"), KILL_AFTER_MS);
  };
  signal?.addEventListener("abort", end, { once: true });
  try {
    const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    const output = await text(child.stdout);
    const [code, killed] = await exited;
    signal?.throwIfAborted();
    if (output === "")
      return { failure: { code: "FAILED", message: `${command} ended with ${code ?? killed}` } };
    const outcome = JSON.parse(output) as T & { error?: OfflineFailure };
    return outcome.error === undefined ? { result: outcome } : { failure: outcome.error };
  } finally {
    signal?.removeEventListener("abort", end);
    clearTimeout(stubborn);
  }
}

function endGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // It has ended meanwhile.
  }
}
