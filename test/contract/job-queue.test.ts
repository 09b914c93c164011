import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { createBullmqJobQueue } from "../../src/adapters/bullmq/bullmq-job-queue.js";
import type { BullmqJobQueueOptions } from "../../src/adapters/bullmq/bullmq-job-queue.js";
import { openTestDatabase } from "../support/embedded-test-database.js";
import { redisIsInstalled, startRedis } from "../support/redis-server.js";
import { until } from "../support/until.js";
import { describeJobQueue, QUICK } from "./job-queue-contract.js";
import type { QueueUnderTest } from "./job-queue-contract.js";
import { queueOnRedis } from "./queue-on-redis.js";

function open(transport: BullmqJobQueueOptions["transport"]) {
  return createBullmqJobQueue({ ...QUICK, transport, onError: () => undefined });
}

async function onEmbeddedPostgres(): Promise<QueueUnderTest> {
  const { database, drop } = await openTestDatabase();
  const queue = await open({ kind: "postgres", connection: database.connection });
  const another = async () => {
    const streams: Duplex[] = [];
    const connect = database.connection.stream as () => Duplex;
    const stream = () => {
      streams.push(connect());
      return streams.at(-1)!;
    };
    const other = await open({ kind: "postgres", connection: { ...database.connection, stream } });
    return {
      queue: other,
      mute: () => streams.forEach((each) => each.cork()),
      unmute: () => streams.forEach((each) => each.uncork()),
      close: () => other.close(),
    };
  };
  return {
    queue,
    another,
    drop: async () => {
      await queue.close();
      await drop();
    },
  };
}

describeJobQueue("BullMQ on embedded PostgreSQL", onEmbeddedPostgres);

if (redisIsInstalled) {
  describeJobQueue("BullMQ on Redis", async () => {
    const redis = await startRedis();
    return queueOnRedis({ url: redis.url, port: redis.port, stop: () => redis.stop() });
  });
}
if (!redisIsInstalled) test.skip("BullMQ on Redis: redis-server is not installed", () => undefined);

test("jobs and transactions share one embedded database without harm", async () => {
  const { database, drop } = await openTestDatabase();
  await database.dataSource.query("CREATE TABLE work_done (id uuid PRIMARY KEY, kind text NOT NULL)");
  const queue = await open({ kind: "postgres", connection: database.connection });
  const record = (id: string, kind: string) =>
    database.transaction((tx) => tx.query("INSERT INTO work_done VALUES ($1, $2)", [id, kind]));
  const worker = await queue.work("shared", { concurrency: 4 }, async ({ id }) => {
    await record(id, "job");
  });
  const jobs = Array.from({ length: 200 }, () => ({
    id: randomUUID(),
    name: "record",
    queue: "shared",
    attempts: 1,
  }));
  await Promise.all([
    queue.enqueue(jobs),
    ...Array.from({ length: 200 }, () => record(randomUUID(), "transaction")),
  ]);
  const counts = () =>
    database.dataSource.query("SELECT kind, count(*)::int AS n FROM work_done GROUP BY kind ORDER BY kind");
  await until(async () => (await counts()).every(({ n }: { n: number }) => n === 200), 30_000);
  expect(await counts()).toEqual([
    { kind: "job", n: 200 },
    { kind: "transaction", n: 200 },
  ]);
  await worker.close(1_000);
  await queue.close();
  await drop();
});
