import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import type { PostgresDatabaseOptions } from "../../src/adapters/service/postgres-database.js";
import { refusedStart } from "../support/platform.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

function open(options: Partial<PostgresDatabaseOptions> = {}) {
  return openPostgresDatabase({ dsn: server.dsn(), entities: [], migrations: [], ...options });
}

test("waits for a server that starts later", async () => {
  await server.stop();
  let waited = 0;
  const opening = open({ startTimeoutMs: 60_000, log: { ...silent, warn: () => (waited += 1) } });
  await until(() => waited > 1);
  await server.restart();
  const database = await opening;
  await database.check();
  await database.close();
});

test("says which server is missing when the time is over", async () => {
  await server.stop();
  try {
    await expect(open({ startTimeoutMs: 200 })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/ML_VECTOR_DB_DSN.*ECONNREFUSED/),
    });
  } finally {
    await server.restart();
  }
});

test.each([
  ["a wrong password", () => server.dsn().replace(/:[^:@/]+@/, ":wrong@")],
  ["an unknown database", () => server.dsn("elsewhere")],
])("does not wait for %s to become right", async (_, dsn) => {
  await expect(open({ dsn: dsn(), startTimeoutMs: 600_000 })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("ML_VECTOR_DB_DSN: "),
  });
});

test("a process ends at once when its password is wrong", async () => {
  const folder = await temporaryFolder();
  const dsn = server.dsn().replace(/:[^:@/]+@/, ":wrong@");
  const environment = { ML_VECTOR_DB_DSN: dsn, ML_START_TIMEOUT_MS: "600000" };
  const { code, output } = await refusedStart(folder.path, environment);
  await folder.remove();
  expect(code).toBe(1);
  expect(output).toMatch(/^ML_VECTOR_DB_DSN: password authentication failed/m);
});

test("warns of an old pgvector, and starts", async () => {
  const [found] = await server.query<{ version: string }>(
    "SELECT default_version AS version FROM pg_available_extensions WHERE name = 'vector'",
  );
  const warnings: object[] = [];
  const database = await open({ log: { ...silent, warn: (fields) => warnings.push(fields) } });
  await database.close();
  const [major, minor, patch] = found!.version.split(".").map(Number) as [number, number, number];
  const old = major === 0 && (minor < 8 || (minor === 8 && patch < 7));
  expect(warnings).toEqual(old ? [{ event: "database.old_pgvector", version: found!.version }] : []);
});

test("does not take a standby for the server that takes writes", async () => {
  const standby = await server.startStandby();
  try {
    const failing = open({ dsn: standby.dsn(), startTimeoutMs: 200 });
    await expect(failing).rejects.toMatchObject({ message: expect.stringContaining("standby") });
    let waited = 0;
    const opening = open({
      dsn: standby.dsn(),
      startTimeoutMs: 60_000,
      log: { ...silent, warn: () => (waited += 1) },
    });
    await until(() => waited > 0);
    await standby.promote();
    await (await opening).close();
  } finally {
    await standby.remove();
  }
});
