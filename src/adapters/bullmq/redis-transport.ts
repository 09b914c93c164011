import { FlowProducer, Queue, Worker } from "bullmq";
import { PreconditionFailedError } from "../../shared/errors.js";
import type { AdapterLog } from "../adapter-log.js";
import { assertAnswers } from "../assert-answers.js";
import { awaitServer } from "../await-server.js";
import { evictionPolicy } from "../redis/eviction-policy.js";
import { createRedisClient } from "../redis/redis-client.js";
import type { RedisClient, RedisServerOptions } from "../redis/redis-client.js";
import type { JobPayload, JobTransport } from "./job-transport.js";
import { RedisWatch } from "./redis-watch.js";

export interface RedisTransportOptions extends RedisServerOptions {
  /** What the names of all keys begin with. */
  prefix: string;
  /** How long a start waits for the server; 0 tries once. */
  startTimeoutMs: number;
  /** How often to look whether the server has forgotten what it held. */
  watchMs?: number;
  log?: AdapterLog;
  onError: (error: Error) => void;
}

const SETTING = "ML_REDIS_URL";
/** What a request that enqueues may wait for: the job's row is kept, and is enqueued later. */
const COMMAND_TIMEOUT_MS = 2_000;
const COMMAND_RETRIES = 3;
const COMMAND_RETRY_MS = 300;
const WORKER_RETRY_MS = 1_000;
const WATCH_MS = 2_000;
const WRONG_CREDENTIALS = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH)/;

/**
 * Queues in a Redis that must run with `maxmemory-policy noeviction`: another policy loses jobs silently.
 * Workers wait for a server that is away however long it takes, all others fail within seconds.
 * @throws {UnavailableError} when the server does not answer in time
 * @throws {PreconditionFailedError} for another policy
 */
export async function openRedisTransport(options: RedisTransportOptions): Promise<JobTransport> {
  const { prefix, watchMs = WATCH_MS, onError } = options;
  const commands = await connectCommands(options);
  const working = createRedisClient(options, { maxRetriesPerRequest: null, mostRetryMs: WORKER_RETRY_MS });
  const listeners = new Set<() => void>();
  const watch = new RedisWatch(commands, `${prefix}:queue-mark`, watchMs, () => {
    for (const listener of listeners) listener();
  });
  commands.on("error", onError);
  working.on("error", onError);
  // Each queue and worker listens, and there may be many.
  for (const client of [commands, working]) client.setMaxListeners(0);
  await assertAnswers(`the server of ${SETTING}`, working.ping());
  await watch.start();
  // The braces put all keys of one queue into one slot of a cluster.
  const slotOf = (queue: string) => `{${prefix}:${queue}}`;
  return {
    openQueue: (name) => new Queue<JobPayload, void>(name, { connection: commands, prefix: slotOf(name) }),
    openFlows: (name) => new FlowProducer({ connection: commands, prefix: slotOf(name) }),
    openWorker: (name, process, settings) =>
      new Worker<JobPayload, void>(name, process, { ...settings, connection: working, prefix: slotOf(name) }),
    ping: () => commands.ping(),
    onRecovered: (listener) => void listeners.add(listener),
    close: async () => {
      watch.stop();
      commands.disconnect();
      working.disconnect();
    },
  };
}

/** The connection of all that enqueue and ask. */
async function connectCommands(options: RedisTransportOptions): Promise<RedisClient> {
  const { startTimeoutMs: timeoutMs, log } = options;
  const attempt = async () => {
    const client = createRedisClient(options, {
      lazyConnect: true,
      maxRetriesPerRequest: COMMAND_RETRIES,
      commandTimeout: COMMAND_TIMEOUT_MS,
      mostRetryMs: COMMAND_RETRY_MS,
    });
    let reason: Error | undefined;
    client.on("error", (error) => (reason = error));
    try {
      await client.connect();
      await client.ping();
      await assertKeepsJobs(client, log);
      client.removeAllListeners("error");
      return client;
    } catch (error) {
      client.disconnect();
      // `connect` says only that the connection is closed.
      throw error instanceof PreconditionFailedError ? error : (reason ?? error);
    }
  };
  const isFinal = ({ message }: Error) => WRONG_CREDENTIALS.test(message);
  return awaitServer(SETTING, attempt, { timeoutMs, log, isFinal });
}

async function assertKeepsJobs(client: RedisClient, log?: AdapterLog): Promise<void> {
  const policy = await evictionPolicy(client);
  if (policy === undefined) {
    const fields = { event: "queue.policy_unknown" };
    log?.warn(fields, `${SETTING}: the server does not tell its maxmemory-policy, which must be noeviction`);
  } else if (policy !== "noeviction") {
    throw new PreconditionFailedError(
      `${SETTING}: the server's maxmemory-policy is ${policy} and must be noeviction: it would drop jobs when its memory is full`,
    );
  }
}
