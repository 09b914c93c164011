import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { askGraph } from "../support/platform.js";
import { quantile } from "./bench-table.js";
import type { BenchTable } from "./bench-table.js";
import { cpuMs, residentBytes } from "./pinned-process.js";

const ROOT = join(import.meta.dirname, "../../..");
/** What a clone does not have, and what is linked instead of copied. */
const LEFT_OUT = new Set(["node_modules", "dist", ".data", ".cache", ".git"]);
const FORECAST = { input: { curve: "ust-par-yield" } };
const WARM_UP_CALLS = 50;
const CALLS = 400;
/** Until memory that the training needed has been given back. */
const REST_MS = 15_000;

/** `npm start` on a clone with its packages installed, then forecasts from the model that it trained. */
export async function startBench(): Promise<BenchTable> {
  const clone = await mkdtemp(join(tmpdir(), "254carbon-clone-"));
  const platform = await startClone(clone);
  try {
    const first = await lagUntil(platform, platform.samplesLoaded);
    await delay(REST_MS);
    const resident = residentBytes(platform.pid);
    const query = await readFile(join(ROOT, "schema/operations/forecast.graphql"), "utf8");
    await forecastTimes(platform, query, WARM_UP_CALLS);
    const warm = await forecastTimes(platform, query, CALLS);
    const { during, lag } = await whileTraining(platform, query);
    return {
      title: "Starting, and forecasting from the curve and model that a first start brings",
      rows: [
        {
          name: "`npm start` on a clone with node_modules: ready",
          value: readiness(platform),
          target: "< 10 s",
        },
        { name: "the same: samples imported, trained, promoted", value: seconds(platform.loadedMs()) },
        { name: "memory at rest, the whole process", value: megabytes(resident), target: "< 600 MB" },
        { name: "`forecast`, warm, one at a time: p50, p95", value: latencies(warm), target: "p95 < 15 ms" },
        { name: "the same while a training runs", value: latencies(during) },
        {
          name: "event-loop lag p99 while a training runs / of an idle process beside",
          value: lags(lag),
          target: "< 20 ms",
        },
        { name: "the same from the first start until the samples are loaded", value: lags(first) },
      ],
    };
  } finally {
    await platform.stop();
    await rm(clone, { recursive: true, force: true });
  }
}

interface StartedClone {
  url: string;
  pid: number;
  readyMs: number;
  /** Of all threads; undefined where the system does not tell. */
  readyCpuMs: number | undefined;
  loadedMs(): number;
  samplesLoaded: Promise<void>;
  stop(): Promise<void>;
}

async function startClone(folder: string): Promise<StartedClone> {
  for (const name of await readdir(ROOT)) {
    if (!LEFT_OUT.has(name)) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const began = performance.now();
  const child = spawn(process.execPath, ["deploy/local/start.mjs"], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ML_PORT: "0" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const events = followLog(child);
  const url = String((await events.seen("platform.ready")).url);
  const readyMs = performance.now() - began;
  const readyCpuMs = cpuMs(child.pid!);
  let loadedMs = Number.NaN;
  const samplesLoaded = events.seen("samples.loaded").then(() => void (loadedMs = performance.now() - began));
  return {
    url,
    pid: child.pid!,
    readyMs,
    readyCpuMs,
    loadedMs: () => loadedMs,
    samplesLoaded,
    stop: async () => {
      const exited = once(child, "exit");
      child.kill();
      await exited;
    },
  };
}

function followLog(child: ChildProcess) {
  const waiting = new Map<string, (entry: Record<string, unknown>) => void>();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    waiting.get(String(entry.event))?.(entry);
  });
  return {
    seen: (event: string) =>
      new Promise<Record<string, unknown>>((resolve, reject) => {
        waiting.set(event, resolve);
        child.once("exit", () => reject(new Error(`the platform ended before ${event}`)));
      }),
  };
}

/** Milliseconds of each call, one after the other. */
async function forecastTimes({ url }: StartedClone, query: string, calls: number): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < calls; call++) times.push(await forecastTime(url, query));
  return times;
}

async function forecastTime(url: string, query: string): Promise<number> {
  const began = performance.now();
  const { errors } = await askGraph(url, query, FORECAST);
  if (errors) throw new Error(errors[0]!.message);
  return performance.now() - began;
}

/** Trains the default forecaster once more, on a model of its own, and asks for forecasts meanwhile. */
async function whileTraining(platform: StartedClone, query: string) {
  const { url } = platform;
  const started = await askGraph<{ startTraining: { run: { id: string } } }>(
    url,
    "mutation ($input: StartTrainingInput!) { startTraining(input: $input) { run { id } } }",
    { input: { model: "bench", curve: FORECAST.input.curve } },
  );
  const { id } = started.data!.startTraining.run;
  const during: number[] = [];
  const training = (async () => {
    for (;;) {
      const { data } = await askGraph<{ trainingRun: { status: string } }>(
        url,
        "query ($id: ID!) { trainingRun(id: $id) { status } }",
        { id },
      );
      const status = data!.trainingRun.status;
      if (status === "SUCCEEDED") return;
      if (status === "FAILED") throw new Error("the training failed");
      during.push(await forecastTime(url, query));
      await delay(20);
    }
  })();
  const lag = await lagUntil(platform, training);
  return { during, lag };
}

interface Lag {
  platformMs: number;
  idleMs: number;
}

/** The platform's own figure, which each look at /metrics begins anew, and this process's, which only waits. */
async function lagUntil({ url }: StartedClone, end: Promise<void>): Promise<Lag> {
  const idle = monitorEventLoopDelay({ resolution: 10 });
  idle.enable();
  await platformLagMs(url);
  await end;
  idle.disable();
  return { platformMs: await platformLagMs(url), idleMs: idle.percentile(99) / 1e6 };
}

async function platformLagMs(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(metrics)![1]) * 1000;
}

function readiness({ readyMs, readyCpuMs }: StartedClone): string {
  return seconds(readyMs) + (readyCpuMs === undefined ? "" : `, ${seconds(readyCpuMs)} of CPU`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "unknown here" : `${Math.round(bytes / 2 ** 20)} MB`;
}

function latencies(times: readonly number[]): string {
  return `${quantile(times, 0.5).toFixed(1)} ms, ${quantile(times, 0.95).toFixed(1)} ms`;
}

function lags({ platformMs, idleMs }: Lag): string {
  return `${platformMs.toFixed(1)} ms / ${idleMs.toFixed(1)} ms`;
}
