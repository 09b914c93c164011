import { setTimeout as delay } from "node:timers/promises";
import { offsetModel } from "../faults/offset-model.js";
import { startCluster } from "../support/cluster.js";
import type { Cluster, ClusterProcess } from "../support/cluster.js";
import { GraphListener } from "../support/graph-listener.js";
import { metric } from "../support/metrics.js";
import { refusalOf } from "../support/platform.js";
import { rawRequest } from "../support/raw-http.js";
import { uploadVersion } from "../support/registry.js";
import { until } from "../support/until.js";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({
    gateways: 2,
    workers: [["--queues", "training,embedding"], []],
    // Long enough for the client of these tests to ask twice.
    environment: { ML_DRAIN_NOTICE_MS: "2000" },
  });
}, 120_000);

afterAll(() => cluster.remove());

test("gateways answer the graph to whoever has a token", async () => {
  for (const gateway of cluster.gateways) {
    expect(await gateway.query("{ me { subject } }")).toEqual({ me: { subject: "tester" } });
    expect(refusalOf(await gateway.ask("{ me { subject } }", {}, { authorization: "" }))).toBe(
      "UNAUTHENTICATED",
    );
  }
});

test("workers answer health and metrics, and no graph", async () => {
  for (const worker of cluster.workers) {
    for (const path of ["/health/live", "/health/ready", "/health"]) {
      expect((await rawRequest(`${worker.url}${path}`)).status).toBe(200);
    }
    expect(await metric(worker, "process_cpu_seconds_total")).toBeGreaterThan(0);
    expect((await rawRequest(`${worker.url}/graphql`)).status).toBe(404);
  }
});

/** Asks without a pause, on connections that are kept, wherever readiness allows. */
async function obeyingClient(goOn: () => boolean): Promise<{ answered: number; failures: string[] }> {
  let answered = 0;
  const failures: string[] = [];
  const ready = async () => {
    const asked = cluster.gateways.map(async (gateway) => {
      const { ok } = await fetch(`${gateway.url}/health/ready`).catch(() => ({ ok: false }));
      return ok ? [gateway] : [];
    });
    return (await Promise.all(asked)).flat();
  };
  let gateways = await ready();
  const watching = (async () => {
    for (; goOn(); await delay(100)) gateways = await ready();
  })();
  const asking = Array.from({ length: 8 }, async (_, i) => {
    while (goOn()) {
      const gateway = gateways[(answered + i) % gateways.length]!;
      const outcome = await gateway.query("{ me { subject } }").then(
        () => undefined,
        (error: Error) => `${error.message} ${String((error.cause as Error | undefined)?.message)}`,
      );
      if (outcome === undefined) answered++;
      else failures.push(outcome);
    }
  });
  await Promise.all([watching, ...asking]);
  return { answered, failures };
}

test("gateways that restart one after the other under load fail no request of a client that heeds readiness", async () => {
  let busy = true;
  const client = obeyingClient(() => busy);
  const ends: object[] = [];
  for (const gateway of cluster.gateways) {
    const code = await gateway.stop();
    ends.push({ code, complaints: gateway.log.filter(({ event }) => event === "platform.not_closed") });
    await gateway.restart();
  }
  busy = false;
  const { answered, failures } = await client;
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(0);
  expect(ends).toEqual(Array(2).fill({ code: 0, complaints: [] }));
}, 180_000);

test("sockets of a gateway that ends are told to come back, and find their events at another", async () => {
  const [leaving, staying] = cluster.gateways as [ClusterProcess, ClusterProcess];
  const query = "subscription Jobs($after: String) { jobEvents(after: $after) { cursor state } }";
  const options = { token: cluster.token };
  const listener = new GraphListener<{ cursor: string; state: string }>(leaving, query, {}, options);
  await until(async () => (await metric(leaving, "graphql_subscriptions_open")) === 1);
  await uploadVersion(staying, "moving", offsetModel(1));
  const heard = await listener.until((events) => events.some(({ state }) => state === "COMPLETED"));
  expect(await leaving.stop()).toBe(0);
  expect(await listener.end()).toMatchObject({ code: 1001 });
  await uploadVersion(staying, "moving", offsetModel(2));
  const after = heard.at(-1)!.cursor;
  const again = new GraphListener<{ cursor: string; state: string }>(staying, query, { after }, options);
  const rest = await again.until((events) => events.some(({ state }) => state === "COMPLETED"));
  await again.close();
  expect(rest.map(({ state }) => state)).toEqual(["WAITING", "ACTIVE", "COMPLETED"]);
  await leaving.restart();
}, 120_000);

test("workers end with 0", async () => {
  expect(await Promise.all(cluster.workers.map((worker) => worker.stop()))).toEqual([0, 0]);
});
