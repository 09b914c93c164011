import { readFileSync, readdirSync } from "node:fs";
import { offsetModel } from "../faults/offset-model.js";
import { startCluster } from "../support/cluster.js";
import type { Cluster, ClusterProcess } from "../support/cluster.js";
import { eventually, refusedStart } from "../support/platform.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { promote, uploadVersion } from "../support/registry.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

let postgres: PostgresServer;
let cluster: Cluster;
let folder: TemporaryFolder;
let gateway: ClusterProcess;
let worker: ClusterProcess;

beforeAll(async () => {
  // What it has acknowledged it must still have after a crash.
  postgres = await startPostgres({ durable: true });
  folder = await temporaryFolder();
  cluster = await startCluster({
    gateways: 1,
    workers: [["--queues", "validation"]],
    environment: { ML_VECTOR_DB_DSN: await postgres.createDatabase("platform") },
  });
  gateway = cluster.gateways[0]!;
  worker = cluster.workers[0]!;
}, 120_000);

afterAll(async () => {
  postgres.signal("SIGCONT");
  await cluster.remove();
  await postgres.remove();
  await folder.remove();
});

interface Readiness {
  code: number;
  ms: number;
  phase: string;
  checks: Record<string, string>;
}

async function readiness({ url }: ClusterProcess): Promise<Readiness> {
  const asked = performance.now();
  const answer = await fetch(`${url}/health/ready`);
  const body = (await answer.json()) as Omit<Readiness, "code" | "ms">;
  return { code: answer.status, ms: performance.now() - asked, ...body };
}

function until(process: ClusterProcess, satisfies: (now: Readiness) => boolean): Promise<Readiness> {
  return eventually(() => readiness(process), satisfies, 30_000);
}

const ALL_OK = { database: "ok", migrations: "ok", queue: "ok", objects: "ok" };

test("readiness names what was checked; a worker's its queues", async () => {
  expect(await readiness(gateway)).toMatchObject({ code: 200, phase: "ready", checks: ALL_OK });
  expect(await readiness(worker)).toMatchObject({ code: 200, checks: { ...ALL_OK, workers: "ok" } });
  const health = (await (await fetch(`${worker.url}/health`)).json()) as object;
  expect(health).toMatchObject({ status: "ok", role: "worker", queues: ["validation"] });
});

test("a database that stalls makes all processes unready, without keeping a probe waiting", async () => {
  postgres.signal("SIGSTOP");
  // The main process takes no new connections; what it has forked goes on unless it is stopped, too.
  const backends = stopBackends();
  try {
    for (const each of [gateway, worker]) {
      const stalled = await until(each, ({ code }) => code === 503);
      expect(stalled.checks.database).toMatch(/late/);
      const again = await readiness(each);
      expect(again).toMatchObject({ code: 503 });
      expect(again.ms).toBeLessThan(2_500);
      expect((await fetch(`${each.url}/health/live`)).status).toBe(200);
    }
  } finally {
    for (const pid of backends) process.kill(pid, "SIGCONT");
    postgres.signal("SIGCONT");
  }
  for (const each of [gateway, worker]) await until(each, ({ code }) => code === 200);
});

test("a database without some migrations makes them unready; newer ones refuse a start", async () => {
  const [last] = await cluster.query<{ name: string; timestamp: string }>(
    "SELECT name, timestamp FROM migrations ORDER BY id DESC LIMIT 1",
  );
  await cluster.query(`DELETE FROM migrations WHERE name = '${last!.name}'`);
  const behind = await until(gateway, ({ code }) => code === 503);
  expect(behind.checks.migrations).toContain(last!.name);
  await cluster.query(
    `INSERT INTO migrations (timestamp, name) VALUES (${last!.timestamp}, '${last!.name}'), (9999999999999, 'Later9999999999999')`,
  );
  // What runs goes on until its successors have come.
  await until(gateway, ({ code }) => code === 200);
  const refused = await refusedStart(folder.path, { ...cluster.environment, ML_PORT: "0" }, ["gateway"]);
  expect(refused.code).toBe(1);
  expect(refused.output).toContain("a newer version of the platform (Later9999999999999)");
  await cluster.query("DELETE FROM migrations WHERE name = 'Later9999999999999'");
});

test("a process with an engine for itself is refused beside the others, also after the server has restarted", async () => {
  const refusal = async () => {
    const noStore = {
      ML_S3_ENDPOINT: "",
      ML_S3_BUCKET: "",
      ML_S3_ACCESS_KEY_ID: "",
      ML_S3_SECRET_ACCESS_KEY: "",
    };
    const own = { ...cluster.environment, ...noStore, ML_PORT: "0" };
    const refused = await refusedStart(folder.path, own);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain("another process works on the database of ML_VECTOR_DB_DSN");
    expect(refused.output).toContain("this one needs ML_S3_BUCKET, too");
  };
  await refusal();
  await postgres.stop("immediate");
  await until(gateway, ({ code }) => code === 503);
  await postgres.restart();
  for (const each of [gateway, worker]) await until(each, ({ code }) => code === 200);
  await eventually(
    () =>
      cluster.query<{ pid: number }>(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted",
      ),
    (held) => held.length === 2,
  );
  await refusal();
});

test("it ends when the database is gone, and has lost nothing that it had acknowledged", async () => {
  const { number } = await uploadVersion(gateway, "kept", offsetModel(1));
  expect((await promote(gateway, { model: "kept", number })).errors).toBeUndefined();
  await postgres.stop("immediate");
  const codes = await Promise.all([gateway.stop(), worker.stop()]);
  for (const code of codes) expect(code).not.toBeNull();
  await postgres.restart();
  await Promise.all([gateway.restart(), worker.restart()]);
  const { model } = await gateway.query<{ model: { production: { number: number } } }>(
    `{ model(name: "kept") { production { number } } }`,
  );
  expect(model.production.number).toBe(number);
});

/** SIGSTOP of every process that serves a connection. @returns their ids */
function stopBackends(): number[] {
  const main = Number(readFileSync(`${postgres.dataDir}/postmaster.pid`, "utf8").split("\n")[0]);
  const children = readdirSync(`/proc/${main}/task`).flatMap((task) =>
    readFileSync(`/proc/${main}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number),
  );
  for (const pid of children) process.kill(pid, "SIGSTOP");
  return children;
}
