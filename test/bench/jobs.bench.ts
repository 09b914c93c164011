import { Queue, Worker } from "bullmq";
import { createBullmqJobQueue } from "../../src/adapters/bullmq/bullmq-job-queue.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { entities } from "../../src/app.js";
import { migrations } from "../../migrations/index.js";
import { createOperationsModule, defineJob } from "../../src/modules/operations/index.js";
import type { JobRow } from "../../src/modules/operations/index.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { startRedis } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { median } from "./bench-table.js";
import type { BenchTable } from "./bench-table.js";

const JOBS = 4_000;
const ROUNDS = 3;
const CONCURRENCY = 256;
const QUEUE = "bench";
/** As the platform has it. */
const LEASE_MS = 20_000;
const emptyJob = defineJob({ name: "bench-empty", queue: QUEUE, attempts: 3, parse: () => ({}) });

/** Jobs a second, from the hand-over to the transport until the last has ended: platform jobs over bare BullMQ. */
export async function jobsBench(): Promise<BenchTable> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const bare: number[] = [];
  const platform: number[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      const floor = await bareJobs(redis);
      const ours = await platformJobs(postgres, redis, `round${round}`);
      // The first round warms up.
      if (round === 0) continue;
      bare.push(floor);
      platform.push(ours);
    }
  } finally {
    await Promise.all([postgres.remove(), redis.stop()]);
  }
  const ratios = platform.map((rate, round) => rate / bare[round]!);
  return {
    title: `Empty jobs on Redis, ${CONCURRENCY} at once`,
    rows: [
      {
        name: "platform job (claimed, fenced and recorded in PostgreSQL) / bare BullMQ job",
        value: `${median(ratios).toFixed(2)} (${format(median(platform))} / ${format(median(bare))})`,
        target: "0.7",
      },
    ],
  };
}

/** Resolves at the last of so many ticks. */
class Countdown {
  readonly zero: Promise<void>;
  private resolve!: () => void;

  constructor(private left: number) {
    this.zero = new Promise((resolve) => (this.resolve = resolve));
  }

  tick(): void {
    if (--this.left === 0) this.resolve();
  }
}

async function bareJobs(redis: RedisServer): Promise<number> {
  const connection = { host: "127.0.0.1", port: redis.port, maxRetriesPerRequest: null };
  const queue = new Queue("bare", { connection });
  const done = new Countdown(JOBS);
  const began = performance.now();
  await queue.addBulk(
    Array.from({ length: JOBS }, (_, i) => ({
      name: "empty",
      data: {},
      opts: { jobId: `b${i}`, removeOnComplete: true },
    })),
  );
  const worker = new Worker(
    "bare",
    async () => {
      done.tick();
    },
    { connection, concurrency: CONCURRENCY },
  );
  await done.zero;
  const seconds = (performance.now() - began) / 1000;
  await worker.close();
  await queue.obliterate({ force: true });
  await queue.close();
  return JOBS / seconds;
}

async function platformJobs(postgres: PostgresServer, redis: RedisServer, name: string): Promise<number> {
  const dsn = await postgres.createDatabase(name);
  const database = await openPostgresDatabase({ dsn, entities, migrations });
  const queue = await createBullmqJobQueue({
    transport: { kind: "redis", url: `redis://127.0.0.1:${redis.port}`, prefix: name, startTimeoutMs: 0 },
    onError: () => undefined,
  });
  const { jobs, deliveries } = createOperationsModule(database, queue, createLogger("silent"), LEASE_MS);
  jobs.register(emptyJob);
  const rows = await database.transaction(async (tx) => {
    const made: JobRow[] = [];
    for (let i = 0; i < JOBS; i++) made.push((await jobs.create(tx, emptyJob, {}, "bench")).job);
    return made;
  });
  const done = new Countdown(JOBS);
  const began = performance.now();
  await jobs.dispatch(...rows);
  const worker = await queue.work(QUEUE, { concurrency: CONCURRENCY }, async (delivery) => {
    await deliveries.deliver(delivery, async () => ({}));
    done.tick();
  });
  await done.zero;
  const seconds = (performance.now() - began) / 1000;
  await worker.close(0);
  await queue.close();
  await database.close();
  await postgres.dropDatabase(name);
  return JOBS / seconds;
}

function format(rate: number): string {
  return `${Math.round(rate).toLocaleString("en")}/s`;
}
