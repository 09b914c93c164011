import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { gpuMemoryTotal, gpuMemoryUsed, gpuUtilization } from "./metrics.js";

const QUESTION = [
  "--query-gpu=index,memory.used,memory.total,utilization.gpu",
  "--format=csv,noheader,nounits",
];
const TIMEOUT_MS = 4_000;
const MIB = 2 ** 20;
const run = promisify(execFile);

/** Asks the driver's own program, which comes into containers along with the GPU. @throws where there is none */
export async function collectGpus(program = "nvidia-smi"): Promise<void> {
  const { stdout } = await run(program, QUESTION, { timeout: TIMEOUT_MS });
  for (const line of stdout.trim().split("\n")) {
    const [gpu = "", ...figures] = line.split(",").map((field) => field.trim());
    const [used, total, busy] = figures.map(Number);
    // What a card does not tell is "[N/A]".
    if (Number.isFinite(used)) gpuMemoryUsed.set({ gpu }, used! * MIB);
    if (Number.isFinite(total)) gpuMemoryTotal.set({ gpu }, total! * MIB);
    if (Number.isFinite(busy)) gpuUtilization.set({ gpu }, busy! / 100);
  }
}
