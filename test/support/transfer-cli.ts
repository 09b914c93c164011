import { UNOPTIMIZED } from "./platform.js";
import { CLI } from "./run-cli.js";
import { runProgram } from "./run-program.js";

export interface Transferred {
  tables: { name: string; rows: number; sha256: string }[];
  artifacts: { sha256: string; bytes: number }[];
}

/** Runs `254carbon export` or `import` on the engines that the environment names. @throws with what it wrote */
export async function transfer(
  command: "export" | "import",
  folder: string,
  environment: Record<string, string>,
  ...flags: string[]
): Promise<Transferred> {
  const env = { PATH: process.env.PATH, ...environment };
  return JSON.parse(
    await runProgram(process.execPath, [...UNOPTIMIZED, CLI, "--json", command, folder, ...flags], { env }),
  ) as Transferred;
}
