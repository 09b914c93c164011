import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { CommandFailure } from "./command-failure.js";
import { cleanEnvironment } from "./environment.js";
import { PACKAGE_ROOT } from "../shared/package-root.js";

const START_SCRIPT = join(PACKAGE_ROOT, "deploy/local/start.mjs");
const START_LIMIT_MS = 120_000;
const SAMPLES_LIMIT_MS = 600_000;
const STOP_LIMIT_MS = 20_000;
const HEALTH_INTERVAL_MS = 250;
const KEPT_LOG_LINES = 20;
const EXIT_INTERRUPTED = 130;

/**
 * Starts a platform of this project on a free port with an empty temporary data folder, waits until its samples
 * are loaded, and stops it when `work` is done, failed or interrupted.
 * @throws {CommandFailure} UNAVAILABLE with the end of its log when it does not come up
 */
export async function withLocalPlatform<T>(work: (url: string) => Promise<T>): Promise<T> {
  const dataFolder = await mkdtemp(join(tmpdir(), "254carbon-"));
  const child = spawn(process.execPath, [START_SCRIPT], {
    env: cleanEnvironment({ ML_PORT: "0", ML_DATA_DIR: dataFolder }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(dataFolder, { recursive: true, force: true });
  };
  const onSignal = (): void => void stop().finally(() => process.exit(EXIT_INTERRUPTED));
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const url = await readAddress(child);
    await waitForSamples(url);
    return await work(url);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    await stop();
  }
}

/** The address in the log line that says where the platform listens. */
async function readAddress(child: ChildProcess): Promise<string> {
  const log: string[] = [];
  const address = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        if (log.length > KEPT_LOG_LINES) log.shift();
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
        if (found) resolve(found[0]);
      });
    }
    child.once("exit", (code) => {
      reject(new CommandFailure("UNAVAILABLE", `the platform ended with ${code}\n${log.join("\n")}`));
    });
  });
  return Promise.race([
    address,
    delay(START_LIMIT_MS, undefined, { ref: false }).then(() => {
      throw new CommandFailure("UNAVAILABLE", `the platform did not start\n${log.join("\n")}`);
    }),
  ]);
}

async function waitForSamples(url: string): Promise<void> {
  const deadline = performance.now() + SAMPLES_LIMIT_MS;
  while (performance.now() < deadline) {
    const response = await fetch(`${url}/health`).catch(() => undefined);
    const health = (await response?.json().catch(() => undefined)) as { samples?: string } | undefined;
    if (health?.samples === "loaded") return;
    if (health?.samples === "failed")
      throw new CommandFailure("UNAVAILABLE", "the samples could not be loaded");
    await delay(HEALTH_INTERVAL_MS);
  }
  throw new CommandFailure("UNAVAILABLE", "the samples took too long to load");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
  await exited;
  clearTimeout(kill);
}
