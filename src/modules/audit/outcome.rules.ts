import { PlatformError } from "../../shared/errors.js";

/** What a failure is called in the log: its code, as clients see it. */
export function outcomeOf(error: unknown): string {
  const original = (error as { originalError?: unknown } | undefined)?.originalError;
  const cause = original ?? error;
  return cause instanceof PlatformError ? cause.code : "INTERNAL";
}
