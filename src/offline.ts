import "reflect-metadata";
import { ConfigurationError, loadConfig } from "./config/config.js";
import { readEnvironment } from "./config/env.js";
import type { OfflineCommand } from "./offline/offline-command.js";
import { PlatformError } from "./shared/errors.js";
import { createLogger, STDERR } from "./telemetry/logger.js";
import { describeError } from "./telemetry/serialize-error.js";

/** By name; each is loaded when it is called for. */
const commands: Record<string, () => Promise<OfflineCommand>> = {
  export: async () => (await import("./offline/export.command.js")).exportCommand,
  "audit-verify": async () => (await import("./offline/audit-verify.command.js")).auditVerifyCommand,
  restore: async () => (await import("./offline/restore.command.js")).restoreCommand,
  import: async () => (await import("./offline/import.command.js")).importCommand,
};

/** Runs one command that opens the engines itself. @returns what it came to */
async function main([name = "", ...args]: string[]): Promise<object> {
  const load = commands[name];
  if (!load) throw new Error(`one of ${Object.keys(commands).join(", ")} is needed, not "${name}"`);
  const config = loadConfig(readEnvironment());
  const logger = createLogger(config.logLevel === "info" ? "warn" : config.logLevel, STDERR);
  const command = await load();
  return command({ config, logger, report: (line) => process.stderr.write(`${line}\n`) }, args);
}

/** A result or an error as one JSON document on standard output; everything else goes to standard error. */
function end(exitCode: number, outcome: object): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(exitCode));
}

function describe(error: unknown): { code: string; field?: string; message: string } {
  if (error instanceof PlatformError) return { code: error.code, field: error.field, message: error.message };
  if (error instanceof ConfigurationError) return { code: "CONFIGURATION", message: error.message };
  // The system's own refusals (no space, no permission) say what they refuse.
  const refused = (error as NodeJS.ErrnoException).syscall !== undefined;
  if (refused) return { code: "FILE", message: (error as Error).message };
  return { code: "INTERNAL", message: describeError(error) };
}

try {
  end(0, await main(process.argv.slice(2)));
} catch (error) {
  end(1, { error: describe(error) });
}
