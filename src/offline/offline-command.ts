import type { Config } from "../config/config.js";
import type { Logger } from "../telemetry/logger.js";

export interface OfflineContext {
  config: Config;
  logger: Logger;
  /** Says how far it is. */
  report(line: string): void;
}

/** A command that opens the engines itself, as a server does: none need run, or none may. */
export type OfflineCommand = (context: OfflineContext, args: string[]) => Promise<object>;
