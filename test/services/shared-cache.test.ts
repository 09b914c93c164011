import { startCluster } from "../support/cluster.js";
import type { Cluster, ClusterProcess } from "../support/cluster.js";
import { createCollection, deleteDocuments, ingest } from "../support/documents.js";
import { metric } from "../support/metrics.js";
import { startRedis } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { keysOf, search } from "../support/searching.js";
import { until } from "../support/until.js";

let cache: RedisServer;
let cluster: Cluster;
let here: ClusterProcess;
let there: ClusterProcess;

beforeAll(async () => {
  cache = await startRedis({ policy: "allkeys-lfu" });
  const environment = { ML_CACHE_REDIS_URL: cache.url };
  cluster = await startCluster({ gateways: 2, workers: 0, environment });
  [here, there] = cluster.gateways as [ClusterProcess, ClusterProcess];
  await createCollection(here, { name: "notes" });
});

afterAll(async () => {
  await cluster.remove();
  await cache.stop();
});

const find = (gateway: ClusterProcess, query: string) =>
  search(gateway, { collection: "notes", query, mode: "LEXICAL" }, { first: 100 });
const lookups = (gateway: ClusterProcess, result: string) =>
  metric(gateway, "cache_lookups_total", { cache: "search", result });

test("what one gateway found, the other need not search", async () => {
  await ingest(here, "notes", [
    { key: "first", text: "a pipeline of steel", publishedAt: "2026-01-02T00:00:00Z" },
  ]);
  const hits = await lookups(there, "hit");
  const found = await find(here, "steel pipeline");
  // The answer is sent to the shared cache behind the caller's back.
  await until(async () => (await cache.ask("DBSIZE")).trim() !== "0");
  const foundThere = await find(there, "steel pipeline");
  expect({ ...foundThere, plan: null }).toEqual({ ...found, plan: null });
  expect(await lookups(there, "hit")).toBe(hits + 1);
  for (const call of ["read", "write", "rate"])
    expect(await metric(there, "cache_server_up", { call })).toBe(1);
});

test("nothing stale is served by either after the other has changed the collection, time after time", async () => {
  for (let round = 0; round < 10; round++) {
    const [writer, reader] = round % 2 === 0 ? [here, there] : [there, here];
    await Promise.all([find(here, "copper"), find(there, "copper")]);
    await ingest(writer, "notes", [{ key: `copper-${round}`, text: `copper number ${round}` }]);
    expect(keysOf(await find(reader, "copper"))).toContain(`copper-${round}`);
    await deleteDocuments(writer, "notes", [`copper-${round}`]);
    expect(keysOf(await find(reader, "copper"))).not.toContain(`copper-${round}`);
  }
});

test("fifty equal searches at once are one", async () => {
  const misses = await lookups(here, "miss");
  const answers = await Promise.all(Array.from({ length: 50 }, () => find(here, "fifty at once")));
  expect(new Set(answers.map((answer) => JSON.stringify(answer.edges))).size).toBe(1);
  expect(await lookups(here, "miss")).toBe(misses + 1);
});

test("answers stay right while the cache is full, stalls, dies and comes back", async () => {
  let round = 0;
  const stillRight = async () => {
    const key = `tin-${round++}`;
    await ingest(here, "notes", [{ key, text: "tin ore" }]);
    const answers = await Promise.all([here, there, here, there].map((gateway) => find(gateway, "tin ore")));
    for (const answer of answers) expect(keysOf(answer)).toContain(key);
  };
  await stillRight();
  await cache.ask("CONFIG", "SET", "maxmemory-policy", "noeviction");
  await cache.ask("CONFIG", "SET", "maxmemory", "1");
  await stillRight();
  cache.pause();
  for (let i = 0; i < 3; i++) await stillRight();
  cache.resume();
  await cache.kill();
  for (let i = 0; i < 3; i++) await stillRight();
  await until(async () => (await metric(here, "cache_server_up", { call: "read" })) === 0);
  await cache.restart();
  await until(async () => {
    await stillRight();
    return (await metric(here, "cache_server_up", { call: "read" })) === 1;
  }, 30_000);
  const outages = here.log.filter(({ event, call }) => event === "cache.away" && call === "read");
  expect(outages.length).toBeLessThanOrEqual(2);
});
