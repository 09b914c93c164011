import type { Terminal } from "./terminal.js";

/**
 * Does something that Ctrl-C does not end but leaves alone, after asking.
 * @param work must return soon after its signal aborts
 */
export async function detachable<T>(
  terminal: Terminal,
  question: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let asking = false;
  const ask = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    if (await terminal.confirm(question)) controller.abort();
    asking = false;
  };
  const onInterrupt = (): void => void ask();
  process.on("SIGINT", onInterrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}
