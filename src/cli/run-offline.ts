import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { CommandFailure } from "./command-failure.js";
import { PACKAGE_ROOT } from "../shared/package-root.js";

const ENTRY = join(PACKAGE_ROOT, "dist/bundle/offline.js");

/**
 * Runs a command that opens the platform's engines itself, in a process of its own that has our environment. What it
 * has to say meanwhile goes to standard error.
 * @throws {CommandFailure} as the command did
 */
export async function runOffline<T>(command: string, args: readonly string[]): Promise<T> {
  const flags = [...process.execArgv, "--enable-source-maps"];
  const child = spawn(process.execPath, [...flags, ENTRY, command, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const output = await text(child.stdout);
  const [code, signal] = await exited;
  if (output === "") throw new CommandFailure("FAILED", `${command} ended with ${code ?? signal}`);
  const outcome = JSON.parse(output) as T & { error?: { code: string; field?: string; message: string } };
  if (outcome.error === undefined) return outcome;
  throw new CommandFailure(outcome.error.code, outcome.error.message, outcome.error.field);
}
