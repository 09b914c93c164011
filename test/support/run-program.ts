import { spawn } from "node:child_process";
import type { SpawnOptions } from "node:child_process";
import { once } from "node:events";

/** Runs a program to its end. @returns its standard output @throws with what it wrote when it fails */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: Pick<SpawnOptions, "env" | "cwd" | "uid" | "gid"> = {},
): Promise<string> {
  const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let complaints = "";
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (complaints += bytes.toString()));
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${code ?? signal}: ${complaints || output}`);
  }
  return output;
}
