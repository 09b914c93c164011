import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PreconditionFailedError } from "../../shared/errors.js";

/** Attempts when processes start together and each sees the other. */
const ATTEMPTS = 4;
const HEARTBEAT_MS = 5_000;
/** A process on another machine or in another container counts as gone after this long without a sign of life. */
const SILENT_MS = 30_000;

/**
 * One process at a time for a folder. Each contender first leaves a file of its own that names it and
 * then looks for others: two can never both succeed, and since nobody overwrites a file of somebody
 * else, removing that of a dead process needs no care.
 */
export class FolderLock {
  private readonly heartbeat: NodeJS.Timeout;

  private constructor(private readonly file: string) {
    this.heartbeat = setInterval(() => {
      const now = new Date();
      // A missed beat is made up by the next one.
      utimes(file, now, now).catch(() => undefined);
    }, HEARTBEAT_MS).unref();
  }

  /** @throws {PreconditionFailedError} when a living process holds the folder */
  static async acquire(folder: string): Promise<FolderLock> {
    const locks = join(folder, "lock");
    await mkdir(locks, { recursive: true });
    const own = await ownName();
    for (let attempt = 1; ; attempt++) {
      const file = join(locks, own);
      await writeFile(file, "", { flag: "wx" });
      const holder = await livingHolder(locks, own);
      if (!holder) return new FolderLock(file);
      await rm(file, { force: true });
      if (attempt === ATTEMPTS) throw inUse(folder, holder, locks);
      await delay(50 * Math.random() * attempt);
    }
  }

  async release(): Promise<void> {
    clearInterval(this.heartbeat);
    await rm(this.file, { force: true });
  }
}

interface Holder {
  file: string;
  pid: number;
  /** When the process started, in the system's own units; distinguishes a process from an older one with its pid. */
  started: string;
  host: string;
}

function inUse(folder: string, holder: Holder, locks: string): PreconditionFailedError {
  const where = holder.host === hostKey() ? "" : ` on ${holder.host}`;
  return new PreconditionFailedError(
    `${folder} is in use by process ${holder.pid}${where}: two processes on one folder would destroy it. ` +
      `Stop that process, or choose another folder. (The lock is ${join(locks, holder.file)}.)`,
  );
}

async function livingHolder(locks: string, own: string): Promise<Holder | undefined> {
  for (const file of await readdir(locks)) {
    if (file === own) continue;
    const holder = parseName(file);
    if (!holder) continue;
    if (await isAlive(locks, holder)) return holder;
    await rm(join(locks, file), { force: true });
  }
  return undefined;
}

async function isAlive(locks: string, holder: Holder): Promise<boolean> {
  if (holder.host !== hostKey()) {
    const beat = await stat(join(locks, holder.file)).catch(() => undefined);
    return beat !== undefined && Date.now() - beat.mtimeMs < SILENT_MS;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return (await startOf(holder.pid)) === holder.started;
}

/** Field 22 of /proc/PID/stat on Linux; elsewhere a living pid must be trusted. */
async function startOf(pid: number): Promise<string> {
  const stats = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The second field is the command in parentheses, which may itself hold spaces and parentheses.
  return stats.slice(stats.lastIndexOf(")") + 2).split(" ")[19] ?? "unknown";
}

function hostKey(): string {
  return hostname().replace(/[^\w.-]/g, "_");
}

async function ownName(): Promise<string> {
  const distinct = randomBytes(4).toString("hex");
  return `pid-${process.pid}@${await startOf(process.pid)}@${distinct}@${hostKey()}`;
}

function parseName(file: string): Holder | undefined {
  const [, pid, started, host] = /^pid-(\d+)@(\w+)@\w+@(.+)$/.exec(file) ?? [];
  return pid && started && host ? { file, pid: Number(pid), started, host } : undefined;
}
