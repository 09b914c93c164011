import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { deployTools } from "./deploy-tools.js";

const ROOT = join(import.meta.dirname, "../../..");

interface Complaint {
  line: number;
  code: string;
  message: string;
}

/** What hadolint says of it, also of the shell in it. */
export async function lintDockerfile(file: string): Promise<string[]> {
  const { hadolint } = await deployTools();
  const run = promisify(execFile)(hadolint, ["--no-fail", "--format", "json", file], { cwd: ROOT });
  const complaints = JSON.parse((await run).stdout) as Complaint[];
  return complaints.map(({ line, code, message }) => `line ${line}: ${code} ${message}`);
}
