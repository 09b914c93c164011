import { execFile } from "node:child_process";
import { join } from "node:path";
import { UNOPTIMIZED } from "./platform.js";

export const CLI = join(import.meta.dirname, "../../bundle/cli.js");

export interface CliOutcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `254carbon` to its end, with nothing in its environment but what is told, and whatever its exit code is. */
export function runCli(args: readonly string[], environment: Record<string, string>): Promise<CliOutcome> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: "1", ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, [...UNOPTIMIZED, CLI, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}
