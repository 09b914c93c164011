import { eventually } from "./platform.js";
import type { Platform } from "./platform.js";

export interface EndedJob {
  id: string;
  state: string;
  error: string | null;
  result: Record<string, unknown>;
}

/** Starts one job of upkeep. @returns its id */
export async function start(platform: Platform, operation: string, input: object = {}): Promise<string> {
  const type = `${operation.charAt(0).toUpperCase()}${operation.slice(1)}Input`;
  const answer = await platform.query<Record<string, { job: { id: string } }>>(
    `mutation ($input: ${type}!) { ${operation}(input: $input) { job { id state } cursor } }`,
    { input },
  );
  return answer[operation]!.job.id;
}

/** The job once it has ended, however. */
export async function ended(platform: Platform, id: string, timeoutMs?: number): Promise<EndedJob> {
  const { job } = await eventually(
    () =>
      platform.query<{ job: EndedJob & { finishedAt: string | null } }>(
        "query ($id: ID!) { job(id: $id) { id state error result finishedAt } }",
        { id },
      ),
    (answer) => answer.job.finishedAt !== null,
    timeoutMs,
  );
  return job;
}

/** Starts the job and waits for its end. @returns its result @throws unless it succeeds */
export async function upkeep<T = Record<string, unknown>>(
  platform: Platform,
  operation: string,
  input: object = {},
  timeoutMs?: number,
): Promise<T> {
  const job = await ended(platform, await start(platform, operation, input), timeoutMs);
  if (job.state !== "COMPLETED") throw new Error(`${operation} ended ${job.state}: ${job.error}`);
  return job.result as T;
}

export interface Receipt {
  dryRun: boolean;
  counts: Record<string, number>;
  versions: { model: string; number: number; was: string }[];
  artifacts: { sha256: string; bytes: number }[];
  backups: { id: string }[];
  jobs: { id: string; kind: string }[];
  indexes: { id: number }[];
}

export function cleanUp(platform: Platform, days: number, dryRun: boolean): Promise<Receipt> {
  return upkeep<Receipt>(platform, "startCleanup", { days, dryRun });
}
