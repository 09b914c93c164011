import { randomUUID } from "node:crypto";
import { describeJobQueue } from "../contract/job-queue-contract.js";
import { openRedisQueue, queueOnRedis } from "../contract/queue-on-redis.js";
import { makeAuthority } from "../support/certificates.js";
import { startRedisCluster, startSentinel } from "../support/redis-group.js";
import { startRedis } from "../support/redis-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";

const job = (queue: string) => ({ id: randomUUID(), name: "measure", queue, attempts: 1 });

describeJobQueue("BullMQ on Redis with TLS, client certificates and a password", async () => {
  const folder = await temporaryFolder();
  const authority = await makeAuthority(folder.path, "authority");
  const { ca } = authority;
  const server = await authority.issue("server", "localhost", "DNS:localhost,IP:127.0.0.1");
  const client = await authority.issue("client", "client");
  const redis = await startRedis({ tls: { ca, ...server }, password: "p@ss/word" });
  const stop = async () => {
    await redis.stop();
    await folder.remove();
  };
  return queueOnRedis({ url: redis.url, port: redis.port, tls: { ca, ...client }, stop });
});

describeJobQueue("BullMQ on Redis behind Sentinels", async () => queueOnRedis(await startSentinel()), false);

describeJobQueue("BullMQ on a Redis Cluster", async () => queueOnRedis(await startRedisCluster()), false);

test("a failover to a replica loses no job that was replicated, and work goes on", async () => {
  const place = await startSentinel();
  const queue = await openRedisQueue(place, "failover");
  await queue.enqueue([job("moved")]);
  await place.replicated();
  await place.killMaster();
  const delivered: string[] = [];
  const worker = await queue.work("moved", { concurrency: 1 }, async ({ id }) => void delivered.push(id));
  await until(() => delivered.length === 1, 40_000);
  await until(
    () =>
      queue.enqueue([job("moved")]).then(
        () => true,
        () => false,
      ),
    40_000,
  );
  await until(() => delivered.length >= 2, 40_000);
  await worker.close(1_000);
  await queue.close();
  await place.stop();
});

describe("a Redis that evicts", () => {
  test("is refused for jobs, by the policy's name", async () => {
    const redis = await startRedis({ policy: "allkeys-lru" });
    await expect(openRedisQueue(redis, "x")).rejects.toThrow(
      "ML_REDIS_URL: the server's maxmemory-policy is allkeys-lru and must be noeviction",
    );
    await redis.stop();
  });

  test("is found out where CONFIG is forbidden", async () => {
    const settings = ["--rename-command", "CONFIG", ""];
    const redis = await startRedis({ policy: "volatile-ttl", settings });
    await expect(openRedisQueue(redis, "x")).rejects.toThrow("maxmemory-policy is volatile-ttl");
    await redis.stop();
  });
});

test("a wrong password is said at once, and is not repeated", async () => {
  const redis = await startRedis({ password: "right" });
  const opening = openRedisQueue({ url: redis.url.replace("right", "hunter2") }, "x");
  await expect(opening).rejects.toThrow(/ML_REDIS_URL: WRONGPASS/);
  await expect(opening).rejects.not.toThrow(/hunter2/);
  await redis.stop();
});

describe("an outage", () => {
  test("makes an enqueue fail within seconds, and workers go on after it", async () => {
    const redis = await startRedis({ appendOnly: true });
    const queue = await openRedisQueue(redis, "outage");
    const delivered: string[] = [];
    const worker = await queue.work("kept", { concurrency: 1 }, async ({ id }) => void delivered.push(id));
    let recoveries = 0;
    queue.onRecovered(() => recoveries++);
    await redis.kill();
    const began = performance.now();
    await expect(queue.enqueue([job("kept")])).rejects.toThrow("the job queue does not answer");
    expect(performance.now() - began).toBeLessThan(6_000);
    await redis.restart();
    await until(() => recoveries > 0, 20_000);
    const later = job("kept");
    await queue.enqueue([later]);
    await until(() => delivered.includes(later.id), 20_000);
    await worker.close(1_000);
    await queue.close();
    await redis.stop();
  });

  test("that only stalls the server makes an enqueue fail, too", async () => {
    const redis = await startRedis();
    const queue = await openRedisQueue(redis, "stall");
    await queue.enqueue([job("stalled")]);
    redis.pause();
    await expect(queue.enqueue([job("stalled")])).rejects.toThrow("the job queue does not answer");
    redis.resume();
    await until(() =>
      queue.check().then(
        () => true,
        () => false,
      ),
    );
    await queue.close();
    await redis.stop();
  });
});

test("a flush is noticed, schedules come back by themselves and workers go on", async () => {
  const redis = await startRedis();
  const queue = await openRedisQueue(redis, "flushed");
  let ticks = 0;
  const clock = await queue.schedule([
    { name: "clock", when: { everyMs: 200 }, tick: async () => void ticks++ },
  ]);
  const delivered: string[] = [];
  const worker = await queue.work("after", { concurrency: 1 }, async ({ id }) => void delivered.push(id));
  await until(() => ticks > 0);
  let recoveries = 0;
  queue.onRecovered(() => recoveries++);
  await redis.ask("FLUSHALL");
  await until(() => recoveries === 1);
  const before = ticks;
  await until(() => ticks >= before + 2, 20_000);
  await queue.enqueue([job("after")]);
  await until(() => delivered.length === 1);
  await clock.close(1_000);
  await worker.close(1_000);
  await queue.close();
  await redis.stop();
});

test("all keys of one queue are in one slot, and begin with the prefix", async () => {
  const redis = await startRedis();
  const queue = await openRedisQueue(redis, "estate");
  await queue.enqueue([job("slots")]);
  const keys = (await redis.ask("KEYS", "*")).trim().split("\n");
  expect(
    keys.filter((key) => key !== "estate:queue-mark").every((key) => key.startsWith("{estate:slots}:")),
  ).toBe(true);
  expect(keys.length).toBeGreaterThan(2);
  await queue.close();
  await redis.stop();
});
