import { loadConfig } from "../../src/config/config.js";
import { openStorage } from "../../src/storage.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { eventually } from "./platform.js";
import { serviceEnvironment } from "./service-tier.js";
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
export async function ended(platform: Platform, id: string): Promise<EndedJob> {
  const { job } = await eventually(
    () =>
      platform.query<{ job: EndedJob & { finishedAt: string | null } }>(
        "query ($id: ID!) { job(id: $id) { id state error result finishedAt } }",
        { id },
      ),
    (answer) => answer.job.finishedAt !== null,
  );
  return job;
}

/** Starts the job and waits for its end. @returns its result @throws unless it succeeds */
export async function upkeep<T = Record<string, unknown>>(
  platform: Platform,
  operation: string,
  input: object = {},
): Promise<T> {
  const job = await ended(platform, await start(platform, operation, input));
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

/** Digests of all objects that the platform's store holds. */
export async function storedObjects({ dataDir }: Pick<Platform, "dataDir">): Promise<string[]> {
  const config = loadConfig({ ML_DATA_DIR: dataDir, ...(await serviceEnvironment(dataDir)) });
  const { store } = await openStorage(config, createLogger("silent"));
  const digests: string[] = [];
  for await (const { sha256 } of store.list()) digests.push(sha256);
  await store.close();
  return digests;
}
