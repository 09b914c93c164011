import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { median } from "./bench-table.js";
import { cpuMs } from "./pinned-process.js";

export interface LoadTask {
  url: string;
  connections: number;
  seconds: number;
  body: unknown;
  /** Sent in turn instead of `body`. */
  bodies?: readonly unknown[];
  headers?: Record<string, string>;
  /** On whichever core is free, instead of the one for load. */
  anywhere?: boolean;
}

export interface LoadResult {
  requests: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  failed: number;
}

/** An endpoint under load. */
export interface Contender {
  name: string;
  pid: number;
  url: string;
  body: unknown;
}

/** Medians over the rounds. */
export interface Throughput {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU time of the serving process, all threads; undefined where the system does not tell. */
  cpuMicrosPerRequest: number | undefined;
}

export interface LoadPlan {
  connections: number;
  rounds: number;
  seconds: number;
}

const GENERATOR = join(import.meta.dirname, "load-generator.process.js");
const WARM_UP_SECONDS = 2;

/** Loads one contender after the other, round by round, so that a busy machine slows all of them alike. */
export async function compareUnderLoad(
  contenders: readonly Contender[],
  plan: LoadPlan,
): Promise<Map<string, Throughput>> {
  const rounds = new Map(contenders.map(({ name }) => [name, [] as (LoadResult & { cpu?: number })[]]));
  for (const { url, body } of contenders) {
    await generateLoad({ url, body, connections: plan.connections, seconds: WARM_UP_SECONDS });
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (const { name, pid, url, body } of contenders) {
      const before = cpuMs(pid);
      const result = await generateLoad({ url, body, connections: plan.connections, seconds: plan.seconds });
      const after = cpuMs(pid);
      if (result.failed > 0) throw new Error(`${name}: ${result.failed} of ${result.requests} calls failed`);
      const cpu = before === undefined || after === undefined ? undefined : after - before;
      rounds.get(name)!.push({ ...result, cpu });
    }
  }
  return new Map([...rounds].map(([name, results]) => [name, summary(results)]));
}

function summary(results: readonly (LoadResult & { cpu?: number })[]): Throughput {
  const of = (measure: (result: LoadResult & { cpu?: number }) => number) => median(results.map(measure));
  const cpuKnown = results.every(({ cpu }) => cpu !== undefined);
  return {
    perSecond: of(({ perSecond }) => perSecond),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    cpuMicrosPerRequest: cpuKnown ? of(({ cpu, requests }) => (1000 * cpu!) / requests) : undefined,
  };
}

export async function generateLoad(task: LoadTask): Promise<LoadResult> {
  const { stdout } = await promisify(execFile)(process.execPath, [GENERATOR, JSON.stringify(task)]);
  return JSON.parse(stdout) as LoadResult;
}
