import { join } from "node:path";
import { runProgram } from "./run-program.js";
import { temporaryFolder } from "./temporary-folder.js";

const MAIN = join(import.meta.dirname, "../../bundle/main.js");

/** Gives a database the platform's tables, and nothing else: copies of it need not be migrated. */
export async function migrate(environment: Record<string, string>): Promise<void> {
  const folder = await temporaryFolder();
  const env = { PATH: process.env.PATH, ML_DATA_DIR: folder.path, ...environment };
  await runProgram(process.execPath, [MAIN, "migrate"], { env });
  await folder.remove();
}
