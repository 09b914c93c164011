import { PlatformError } from "../shared/errors.js";

/** A failure that the command line reports in one line and ends with exit code 1. */
export class CommandFailure extends Error {
  /**
   * @param code the platform's own, or UNREACHABLE, PROTOCOL, FAILED, CANCELLED, REJECTED of this client
   * @param field path of the offending input
   * @param retryAfterSeconds RATE_LIMITED: when the same may be tried again
   */
  constructor(
    readonly code: string,
    message: string,
    readonly field?: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
    this.name = "CommandFailure";
  }
}

/** The command was called the wrong way: exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Code, field and message of anything that was thrown. */
export function describeFailure(error: unknown): { code: string; field?: string; message: string } {
  if (error instanceof CommandFailure || error instanceof PlatformError) {
    return { code: error.code, field: error.field, message: error.message };
  }
  if (error instanceof Error && ("syscall" in error || isOfZlib(error))) {
    return { code: "FILE", message: error.message };
  }
  return {
    code: "INTERNAL",
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

/** What zlib says of a file that is damaged or no gzip file. */
function isOfZlib(error: Error): boolean {
  return "code" in error && String(error.code).startsWith("Z_");
}
