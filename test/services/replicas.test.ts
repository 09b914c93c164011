import { offsetModel } from "../faults/offset-model.js";
import { createKey, revokeKey, rotateKey } from "../support/api-keys.js";
import { startCluster } from "../support/cluster.js";
import type { Cluster, ClusterProcess } from "../support/cluster.js";
import { GraphListener } from "../support/graph-listener.js";
import { metric } from "../support/metrics.js";
import { promote, rollBack, transitionsOf, uploadVersion } from "../support/registry.js";
import { bearer } from "../support/tokens.js";
import { until } from "../support/until.js";

let cluster: Cluster;
let first: ClusterProcess;
let second: ClusterProcess;

beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, workers: 1 });
  [first, second] = cluster.gateways as [ClusterProcess, ClusterProcess];
  await versionsOf("steps", 3);
}, 180_000);

afterAll(() => cluster.remove());

async function moved(gateway: ClusterProcess, model: string, number: number): Promise<string> {
  const { data, errors } = await promote(gateway, { model, number });
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.promoteModelVersion.transition.id;
}

/** Versions 1 to n of a model add 1 to n. */
async function versionsOf(model: string, count: number): Promise<void> {
  for (let number = 1; number <= count; number++) {
    expect(await uploadVersion(first, model, offsetModel(number))).toMatchObject({ number, status: "READY" });
  }
}

interface Served {
  predict: { version: { number: number }; outputs: { values: number[][] }[] };
}

/** The version that a gateway serves: what it says, and what its output shows. */
async function servingNow(gateway: ClusterProcess, model: string): Promise<number> {
  const { predict } = await gateway.query<Served>(
    `query Predict($model: String!) {
      predict(input: { model: $model, inputs: [{ name: "x", values: [0], shape: [1, 1] }] }) {
        version { number } outputs { values }
      }
    }`,
    { model },
  );
  expect(predict.outputs[0]!.values).toEqual([[predict.version.number]]);
  return predict.version.number;
}

/** Ends what listens for notifications, as a broken network does. */
function breakListening(): Promise<unknown> {
  return cluster.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()",
  );
}

test("a promotion and a rollback on one gateway are served by the other; no request fails meanwhile", async () => {
  await moved(first, "steps", 1);
  expect(await servingNow(second, "steps")).toBe(1);
  let busy = true;
  const seen: number[] = [];
  const callers = [first, second].map(async (gateway) => {
    while (busy) seen.push(await servingNow(gateway, "steps"));
  });
  for (const number of [2, 3]) {
    await moved(first, "steps", number);
    expect(await servingNow(first, "steps")).toBe(number);
    await until(async () => (await servingNow(second, "steps")) === number);
  }
  await rollBack(second, { model: "steps" });
  expect(await servingNow(second, "steps")).toBe(2);
  await until(async () => (await servingNow(first, "steps")) === 2);
  busy = false;
  await Promise.all(callers);
  expect(new Set(seen)).toEqual(new Set([1, 2, 3]));
  expect(await metric(second, "model_version_switches_total", { outcome: "served" })).toBeGreaterThanOrEqual(
    2,
  );
  const told = second.log.filter(({ event, model }) => event === "model.version_served" && model === "steps");
  expect(told.map(({ number }) => number)).toEqual([2, 3, 2]);
});

test("a replica whose notifications are lost follows all the same", async () => {
  for (const number of [1, 2, 1]) {
    await breakListening();
    await moved(first, "steps", number);
    await until(async () => (await servingNow(second, "steps")) === number);
  }
});

test("the version that a caller names is served wherever the stages point", async () => {
  await moved(first, "steps", 1);
  const named = (gateway: ClusterProcess) =>
    gateway.query<Served>(
      `{ predict(input: { model: "steps", version: { number: 1 }, inputs: [{ name: "x", values: [0], shape: [1, 1] }] }) {
        version { number } outputs { values }
      } }`,
    );
  await moved(second, "steps", 2);
  for (const gateway of cluster.gateways) {
    expect((await named(gateway)).predict).toMatchObject({
      version: { number: 1 },
      outputs: [{ values: [[1]] }],
    });
  }
});

test("production is warm before a gateway is ready, and health says so", async () => {
  await moved(first, "steps", 1);
  const third = await cluster.addGateway();
  const health = (await (await fetch(`${third.url}/health`)).json()) as { models: Record<string, unknown> };
  const { data } = await first.ask<{ models: { edges: { node: { production: object | null } }[] } }>(
    "{ models(first: 50) { edges { node { production { id } } } } }",
  );
  const inProduction = data!.models.edges.filter(({ node }) => node.production).length;
  expect(inProduction).toBeGreaterThan(0);
  expect(health.models).toEqual({ phase: "done", warm: inProduction, failed: 0, left: 0 });
  await third.kill();
});

interface PromotionEvent {
  cursor: string;
  transition: { id: string };
}

function promotionsOf(gateway: ClusterProcess, model: string, after?: string): GraphListener<PromotionEvent> {
  return new GraphListener<PromotionEvent>(
    gateway,
    `subscription Promotions($model: String, $after: String) {
      promotionEvents(model: $model, after: $after) { cursor transition { id } }
    }`,
    { model, after },
    { token: cluster.token },
  );
}

test("a subscriber that moves between gateways gets every promotion once and in order", async () => {
  const start = await moved(first, "steps", 3);
  let listener = promotionsOf(first, "steps");
  await until(async () => (await metric(first, "graphql_subscriptions_open")) === 1);
  const seen: string[] = [];
  let cursor: string | undefined;
  const sent: string[] = [];
  for (let round = 0; round < 4; round++) {
    for (const gateway of cluster.gateways.slice(0, 2)) {
      sent.push(await moved(gateway, "steps", 2 - (sent.length % 2)));
      if (round % 2 === 1) await breakListening();
    }
    const events = await listener.until((all) => all.length >= 2);
    await listener.close();
    seen.push(...events.map(({ transition }) => transition.id));
    cursor = events.at(-1)!.cursor;
    // These nobody hears; the other gateway replays them.
    sent.push(await moved(first, "steps", 2 - (sent.length % 2)));
    listener = promotionsOf(cluster.gateways[(round + 1) % 2]!, "steps", cursor);
  }
  const last = await listener.until((all) => all.at(-1)?.transition.id === sent.at(-1));
  await listener.close();
  seen.push(...last.map(({ transition }) => transition.id));
  const history = (await transitionsOf(first, "steps")).map(({ id }) => id);
  expect(history.slice(history.indexOf(start) + 1)).toEqual(sent);
  expect(seen).toEqual(sent);
});

test("the events of a job reach both gateways alike", async () => {
  const listeners = cluster.gateways
    .slice(0, 2)
    .map(
      (gateway) =>
        new GraphListener<{ cursor: string; job: { id: string; state: string } }>(
          gateway,
          'subscription { jobEvents(kind: "validate-model-version") { cursor job { id state } } }',
          {},
          { token: cluster.token },
        ),
    );
  await until(async () => {
    const open = await Promise.all(
      cluster.gateways.slice(0, 2).map((gateway) => metric(gateway, "graphql_subscriptions_open")),
    );
    return open.every((count) => count === 1);
  });
  await breakListening();
  await versionsOf("worked", 3);
  const heard = await Promise.all(
    listeners.map((listener) => listener.until((all) => new Set(all.map(({ cursor }) => cursor)).size >= 9)),
  );
  await Promise.all(listeners.map((listener) => listener.close()));
  const cursors = heard.map((events) => events.slice(0, 9).map(({ cursor }) => cursor));
  expect(new Set(cursors[0]).size).toBe(9);
  expect(cursors[1]).toEqual(cursors[0]);
});

describe("an API key", () => {
  const asked = async (gateway: ClusterProcess, headers: Record<string, string>) =>
    (await gateway.ask("{ me { subject } }", {}, headers)).errors?.[0]?.extensions.code ?? "OK";

  test("is rotated through one gateway while a client calls both, and no request fails", async () => {
    const { data } = await createKey(first, { name: "caller", roles: ["VIEWER"] }, {});
    let credentials = bearer(data!.createApiKey.secret);
    const codes = new Set<string>();
    let stopped = false;
    const calling = (async () => {
      while (!stopped) for (const gateway of [first, second]) codes.add(await asked(gateway, credentials));
    })();
    for (let rotations = 0, id = data!.createApiKey.key.id; rotations < 3; rotations++) {
      const { rotateApiKey } = (await rotateKey(first, { id }, {})).data!;
      credentials = bearer(rotateApiKey.secret);
      ({ id } = rotateApiKey.key);
      await asked(second, credentials);
    }
    stopped = true;
    await calling;
    expect([...codes]).toEqual(["OK"]);
  });

  test("that one gateway revokes is refused by the other, and its sockets there are closed", async () => {
    const { data } = await createKey(first, { name: "caller", roles: ["VIEWER"] }, {});
    const { key, secret } = data!.createApiKey;
    expect(await asked(second, bearer(secret))).toBe("OK");
    const listener = new GraphListener(
      second,
      "subscription { jobEvents { cursor } }",
      {},
      { token: secret },
    );
    await until(async () => (await metric(second, "graphql_subscriptions_open")) > 0);
    await revokeKey(first, key.id, {});
    const revokedAt = performance.now();
    await until(async () => (await asked(second, bearer(secret))) === "UNAUTHENTICATED", 60_000);
    expect(await listener.end()).toMatchObject({ code: 4403 });
    expect(performance.now() - revokedAt).toBeLessThan(60_000);
    await listener.close();
  });
});
