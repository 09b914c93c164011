import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const START_TIMEOUT_MS = 60_000;

/**
 * Waits until its input ends, which happens when we die however we die; then ends the server and removes its folder.
 * A server that nobody reaps stays as a zombie: it is not waited for without end.
 */
const WATCHDOG = `cat > /dev/null
kill -s "$1" "$2" 2> /dev/null
n=0
while [ $n -lt 50 ] && kill -0 "$2" 2> /dev/null; do sleep 0.1; n=$((n + 1)); done
[ -z "$3" ] || rm -rf "$3"`;

export interface ServerProcessOptions extends Pick<SpawnOptions, "env" | "cwd" | "uid" | "gid"> {
  /** Ends it for good. */
  lastSignal?: NodeJS.Signals;
  /** Removed after it when this process dies. */
  folder?: string;
  /** Resolves once it answers; called again and again. */
  answers: () => Promise<unknown>;
}

/** A server that ends with this process, even when that is killed. */
export interface ServerProcess {
  pid: number;
  /** What it wrote, to say why it did not start. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Kill -9 of it and all its children at once, as a machine dies. */
  kill(): Promise<void>;
}

/** Starts a server and waits until it answers. @throws with what it wrote when it ends or stays silent */
export async function startServerProcess(
  program: string,
  args: readonly string[],
  options: ServerProcessOptions,
): Promise<ServerProcess> {
  const { answers, lastSignal = "SIGTERM", folder = "", ...spawning } = options;
  const child = spawn(program, args, { ...spawning, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const keep = (bytes: Buffer) => (output = (output + bytes.toString()).slice(-20_000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = once(child, "exit");
  exited.catch(() => undefined);
  await once(child, "spawn");
  const watchdog = guard(child, lastSignal, folder);
  void exited.then(() => watchdog.kill("SIGKILL"));
  await untilAnswers(child, answers).catch(async (error: Error) => {
    if (isAlive(child)) child.kill("SIGKILL");
    throw new Error(`${program}: ${error.message}: ${output}`, { cause: error });
  });
  const end = async (signal: NodeJS.Signals) => {
    if (isAlive(child)) child.kill(signal);
    await exited;
  };
  return {
    pid: child.pid!,
    output: () => output,
    signal: (signal) => void child.kill(signal),
    end,
    kill: async () => {
      for (const pid of childrenOf(child.pid!)) killIfThere(pid);
      await end("SIGKILL");
    },
  };
}

function guard(child: ChildProcess, signal: NodeJS.Signals, folder: string): ChildProcess {
  const args = ["-c", WATCHDOG, "watchdog", signal.slice("SIG".length), String(child.pid), folder];
  const watchdog = spawn("sh", args, { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  watchdog.stdin.on("error", () => undefined);
  return watchdog;
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function untilAnswers(child: ChildProcess, answers: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (!isAlive(child)) throw new Error(`ended with ${child.exitCode ?? child.signalCode}`);
    const reason = await answers().then(
      () => undefined,
      (error: Error) => error,
    );
    if (reason === undefined) return;
    if (performance.now() > deadline) throw new Error(`did not answer in time (${reason.message})`);
    await delay(20);
  }
}

/** Processes that it started itself, where the system tells. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8")
        .trim()
        .split(" ")
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return [];
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
