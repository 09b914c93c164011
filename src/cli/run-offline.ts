import { runOfflineProcess } from "../shared/offline-process.js";
import { CommandFailure } from "./command-failure.js";

/**
 * Runs a command that opens the platform's engines itself.
 * @throws {CommandFailure} as the command did
 */
export async function runOffline<T>(command: string, args: readonly string[]): Promise<T> {
  const outcome = await runOfflineProcess<T>(command, args);
  if ("result" in outcome) return outcome.result;
  const { code, message, field } = outcome.failure;
  throw new CommandFailure(code, message, field);
}
