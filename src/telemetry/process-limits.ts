import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { constrainedMemory } from "node:process";

/** Quota and period in microseconds, of this process's own control group as a container sees it. */
const CPU_MAX = "/sys/fs/cgroup/cpu.max";
const V1_FOLDER = "/sys/fs/cgroup/cpu";

/** Cores of the container's quota; without one, those of the machine. */
export function cpuLimit(): number {
  const [quota, period] = cpuQuota();
  const cores = Number(quota) / Number(period);
  return cores > 0 ? Math.min(cores, availableParallelism()) : availableParallelism();
}

/** Bytes of the container's limit; without one, those of the machine. */
export function memoryLimit(): number {
  const limit = constrainedMemory();
  // Where there is none, the kernel gives a number beyond all memory.
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function cpuQuota(): [quota?: string, period?: string] {
  const unified = readText(CPU_MAX);
  if (unified !== undefined) return unified.split(" ") as [string, string];
  return [readText(`${V1_FOLDER}/cpu.cfs_quota_us`), readText(`${V1_FOLDER}/cpu.cfs_period_us`)];
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
