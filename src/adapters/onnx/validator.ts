import { execFile, fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { access, constants, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ModelSource, Trial, Validation } from "../../ports/inference-runtime.js";
import { UnavailableError } from "../../shared/errors.js";

export interface ValidationLimits {
  timeoutMs: number;
  /** Resident memory of the child process, everything included; an idle one takes about 80 MB. */
  memoryBytes: number;
}

const program = fileURLToPath(new URL("./validation-process.js", import.meta.url));
const pollMs = 25;
const megabyte = 2 ** 20;

/** Opens files of unknown origin in child processes, one at a time, bounded in time and memory. */
export class Validator {
  private last: Promise<unknown> = Promise.resolve();
  private readonly children = new Set<ChildProcess>();
  private closed = false;

  constructor(private readonly limits: ValidationLimits) {}

  /** @throws {UnavailableError} when the file cannot be read at all */
  validate({ path }: ModelSource, trials: readonly Trial[]): Promise<Validation> {
    const verdict = this.last.then(() => assertReadable(path)).then(() => this.tryInChild(path, trials));
    this.last = verdict.catch(() => undefined);
    return verdict;
  }

  close(): void {
    this.closed = true;
    for (const child of this.children) child.kill("SIGKILL");
  }

  private tryInChild(path: string, trials: readonly Trial[]): Promise<Validation> {
    if (this.closed) return Promise.resolve(rejected("Validation was interrupted by a shutdown"));
    // No environment: the file must find no secrets there.
    const child = fork(program, [path], {
      env: {},
      execArgv: ["--max-old-space-size=256"],
      // Carries typed arrays and 64-bit integers.
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    this.children.add(child);
    return new Promise((resolve, reject) => {
      let killedFor: string | undefined;
      let verdict: Validation | undefined;
      const kill = (reason: string) => {
        killedFor ??= reason;
        child.kill("SIGKILL");
      };
      const { timeoutMs, memoryBytes } = this.limits;
      const timer = setTimeout(() => {
        kill(`The model did not load and run within ${timeoutMs / 1000} s`);
      }, timeoutMs);
      const stopWatching = watchMemory(child, memoryBytes, () => {
        kill(`The model took more than ${Math.round(memoryBytes / megabyte)} MB to load and run`);
      });
      // A child that is gone already says why by its end.
      child.send(trials, () => undefined);
      child.once("message", (message) => (verdict = message as Validation));
      child.once("error", reject);
      child.once("close", (code, signal) => {
        clearTimeout(timer);
        stopWatching();
        this.children.delete(child);
        if (killedFor) resolve(rejected(killedFor));
        else
          resolve(
            verdict ?? rejected(`The model crashed the process that tried it (${signal ?? `code ${code}`})`),
          );
      });
    });
  }
}

async function assertReadable(path: string): Promise<void> {
  await access(path, constants.R_OK).catch((cause: unknown) => {
    throw new UnavailableError("The model's file cannot be read", { cause });
  });
}

function rejected(rejection: string): Validation {
  return { ok: false, rejection };
}

/** @returns stops watching */
function watchMemory(child: ChildProcess, limit: number, exceeded: () => void): () => void {
  let reading = false;
  const timer = setInterval(() => {
    if (reading || child.pid === undefined) return;
    reading = true;
    void residentBytes(child.pid)
      .then((bytes) => {
        if (bytes > limit) exceeded();
      })
      .finally(() => (reading = false));
  }, pollMs);
  return () => {
    clearInterval(timer);
  };
}

/** 0 for a process that has ended. */
async function residentBytes(pid: number): Promise<number> {
  try {
    if (process.platform === "linux") {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    }
    const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(pid)]);
    return Number(stdout) * 1024;
  } catch {
    return 0;
  }
}
