import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { newDataDir } from "./embedded-template.js";
import { removeServicePlace, serviceEnvironment } from "./service-tier.js";

const ENTRY = join(import.meta.dirname, "../../bundle/main.js");
/**
 * The embedded engine is a large WebAssembly module. What it takes to optimize it, a third of the CPU of a start, a
 * platform that lives for some seconds does not earn back.
 */
export const UNOPTIMIZED = ["--liftoff-only"];
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

export interface GraphError {
  message: string;
  path?: (string | number)[];
  extensions: { code: string; field?: string; errorId?: string };
}

export interface Answer<T> {
  data: T | null;
  errors?: GraphError[];
}

/** A platform in a process of its own, as users run it. */
export interface Platform {
  url: string;
  dataDir: string;
  pid: number;
  /** What it has logged, one parsed line each. */
  log: Record<string, unknown>[];
  /** What it has written to standard error. */
  stderr(): string;
  /** The whole answer, errors included. */
  ask<T>(query: string, variables?: object, headers?: Record<string, string>): Promise<Answer<T>>;
  /** The data; throws when there are errors. */
  query<T>(query: string, variables?: object, headers?: Record<string, string>): Promise<T>;
  /** Ends it with SIGTERM, or as told. @returns its exit code, null when a signal ended it */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

export interface PlatformOptions {
  /** An existing folder, to start again on; a fresh one otherwise. */
  dataDir?: string;
  environment?: Record<string, string>;
  /** The command line: `["gateway"]`, `["worker", "--queues", "training"]`; the whole platform without one. */
  args?: readonly string[];
  /** Sent with every operation, beside its own. */
  headers?: Record<string, string>;
}

/** Starts the compiled platform on a free port, on the tier of this run, and waits until it is ready. */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const dataDir = options.dataDir ?? (await newDataDir());
  const migrated = options.dataDir === undefined;
  // Whoever names a database has chosen its servers.
  const tier =
    options.environment?.ML_VECTOR_DB_DSN === undefined
      ? await serviceEnvironment(dataDir, { migrated })
      : {};
  const child = spawnPlatform(dataDir, { ...tier, ...options.environment }, options.args);
  const { log, url, stderr } = await untilReady(child).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const ask = <T>(query: string, variables: object = {}, headers: Record<string, string> = {}) =>
    askGraph<T>(url, query, variables, { ...options.headers, ...headers });
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill(signal);
      const late = delay(STOP_TIMEOUT_MS, "late", { ref: false });
      if ((await Promise.race([exited, late])) === "late") {
        child.kill("SIGKILL");
        await exited;
        throw new Error(`the platform did not end within ${STOP_TIMEOUT_MS} ms of ${signal}`);
      }
    }
    return child.exitCode;
  };
  return {
    url,
    dataDir,
    pid: child.pid!,
    log,
    stderr,
    ask,
    query: async (query, variables, headers) => dataOf(await ask(query, variables, headers)) as never,
    stop,
    remove: async () => {
      await stop("SIGKILL");
      await removeServicePlace(dataDir);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function spawnPlatform(
  dataDir: string,
  environment: Record<string, string> = {},
  args: readonly string[] = [],
): ChildProcess {
  // Without source maps, which take a tenth of a start to read: no test asks for a line.
  return spawn(process.execPath, [...UNOPTIMIZED, ENTRY, ...args], {
    env: {
      PATH: process.env.PATH,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      ML_ENV: "development",
      ML_PORT: "0",
      ML_DATA_DIR: dataDir,
      ML_SAMPLES: "false",
      // What a killed process held comes back sooner than in production.
      ML_JOB_LEASE_MS: "6000",
      // Machines that test are busy.
      ML_OPERATION_TIMEOUT_MS: "30000",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Starts a platform that is expected to refuse. @returns its exit code and all that it wrote */
export async function refusedStart(
  dataDir: string,
  environment: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ code: number | null; output: string }> {
  const child = spawnPlatform(dataDir, environment, args);
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString();
      if (output.includes("platform.ready")) child.kill("SIGKILL");
    });
  }
  await once(child, "close");
  return { code: child.exitCode, output };
}

interface ReadyPlatform {
  url: string;
  log: Record<string, unknown>[];
  stderr: () => string;
}

async function untilReady(child: ChildProcess): Promise<ReadyPlatform> {
  const log: Record<string, unknown>[] = [];
  let noise = "";
  child.stderr!.on("data", (bytes: Buffer) => (noise += bytes.toString()));
  const url = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const entry = toLogEntry(line);
      log.push(entry);
      if (entry.event === "platform.ready") resolve(String(entry.url));
    });
    child.once("exit", (code, signal) =>
      reject(new Error(`the platform ended (${code ?? signal}): ${noise}`)),
    );
    setTimeout(
      () => reject(new Error(`the platform was not ready in time: ${noise}`)),
      START_TIMEOUT_MS,
    ).unref();
  });
  return { url: await url, log, stderr: () => noise };
}

function toLogEntry(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { notJson: line };
  }
}

export async function askGraph<T>(
  url: string,
  query: string,
  variables: object,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer<T>;
}

/** Code and field of the only error: `INVALID_INPUT input.curve`, or just the code where no field is named. */
export function refusalOf({ data, errors = [] }: Answer<unknown>): string {
  const [error, ...others] = errors;
  if (!error || others.length > 0) throw new Error(`not one error: ${JSON.stringify({ data, errors })}`);
  return [error.extensions.code, error.extensions.field].filter(Boolean).join(" ");
}

function dataOf<T>({ data, errors }: Answer<T>): T {
  if (errors)
    throw new Error(errors.map(({ message, extensions }) => `${extensions.code}: ${message}`).join("; "));
  return data!;
}

export interface Connection<T> {
  edges: { cursor: string; node: T }[];
  pageInfo: { hasNextPage: boolean };
  totalCount: number;
}

/** Every node of a list, read page by page. @throws when there are not as many as the list says */
export async function readAll<T>(pageAfter: (after: string | null) => Promise<Connection<T>>): Promise<T[]> {
  const nodes: T[] = [];
  let after: string | null = null;
  for (;;) {
    const page: Connection<T> = await pageAfter(after);
    nodes.push(...page.edges.map(({ node }) => node));
    if (!page.pageInfo.hasNextPage) {
      if (nodes.length !== page.totalCount) throw new Error(`${nodes.length} of ${page.totalCount} nodes`);
      return nodes;
    }
    after = page.edges.at(-1)!.cursor;
  }
}

/** Asks until the answer satisfies, and gives up with the last one. */
export async function eventually<T>(
  ask: () => Promise<T>,
  satisfies: (answer: T) => boolean,
  timeoutMs = 60_000,
): Promise<T> {
  const began = Date.now();
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) return answer;
    const waited = Date.now() - began;
    if (waited > timeoutMs) throw new Error(`not satisfied in time: ${JSON.stringify(answer)}`);
    // Asking takes time from what is waited for.
    await delay(Math.min(50 + waited / 10, 250));
  }
}
