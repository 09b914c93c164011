import type { Command } from "commander";
import type { GraphClient } from "./graph-client.js";
import type { Terminal } from "./terminal.js";

/** What a command works with. */
export interface CliContext {
  graph: GraphClient;
  terminal: Terminal;
  /** Whether flags or environment name the platform, rather than the default. */
  urlGiven: boolean;
}

export interface CommandResult {
  /** The machine-readable result, printed with --json. */
  data: unknown;
  /** What people read. */
  text: string;
  /** 0 unless told. */
  exitCode?: number;
}

/** One command: how it is called, and what it does. */
export interface CliCommand<Options extends object = object> {
  /** Name and positional arguments as commander writes them, e.g. `models [name]`. */
  usage: string;
  summary: string;
  /** Complete command lines, shown by --help. */
  examples: string[];
  configure(command: Command): void;
  run(context: CliContext, options: Options, args: string[]): Promise<CommandResult>;
}
