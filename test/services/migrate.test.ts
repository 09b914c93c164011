import { randomUUID } from "node:crypto";
import { join } from "node:path";
import pg from "pg";
import { migrations } from "../../migrations/index.js";
import { startCluster } from "../support/cluster.js";
import { runProgram } from "../support/run-program.js";
import { serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TEST_SECRET } from "../support/tokens.js";

const MAIN = join(import.meta.dirname, "../../bundle/main.js");
const name = randomUUID().replaceAll("-", "").slice(0, 12);
const role = (user: string) => ({ username: `${user}_${name}`, password: randomUUID() });
const owner = role("owner");
const application = role("app");

test("one process migrates as the owner; gateways start without the owner's credentials, and not before it", async () => {
  const { path } = await temporaryFolder();
  const place = await serviceEnvironment(path);
  const as = (credentials: typeof owner) => Object.assign(new URL(place.ML_VECTOR_DB_DSN!), credentials).href;
  const superuser = new pg.Client({ connectionString: place.ML_VECTOR_DB_DSN! });
  await superuser.connect();
  for (const { username, password } of [owner, application]) {
    await superuser.query(`CREATE ROLE ${username} LOGIN PASSWORD '${password}'`);
  }
  await superuser.query(`
    CREATE EXTENSION vector;
    ALTER DATABASE ${new URL(place.ML_VECTOR_DB_DSN!).pathname.slice(1)} OWNER TO ${owner.username};
    ALTER SCHEMA public OWNER TO ${owner.username}`);
  const environment = {
    ...{ PATH: process.env.PATH!, ML_ENV: "staging", ML_PORT: "0", ML_DATA_DIR: path },
    ...place,
    ML_JWT_SECRET_KEY: TEST_SECRET,
    ML_VECTOR_DB_DSN: as(application),
  };
  const run = (kind: string, more = {}) =>
    runProgram(process.execPath, [MAIN, kind], { env: { ...environment, ...more } });

  await expect(run("gateway")).rejects.toThrow(
    "the database lacks migrations, and the role of ML_VECTOR_DB_DSN may not apply them",
  );
  const log = await run("migrate", { ML_MIGRATIONS_DSN: as(owner) });
  expect(log).toContain("database.migrated");
  const { rows } = await superuser.query(
    "SELECT name, tableowner FROM migrations, pg_tables WHERE tablename = 'curves'",
  );
  expect(rows).toHaveLength(migrations.length);
  expect(rows[0]).toMatchObject({ tableowner: owner.username });
  await superuser.end();

  const cluster = await startCluster({
    servers: {
      dsn: as(application),
      redisUrl: place.ML_REDIS_URL!,
      s3: { endpoint: place.ML_S3_ENDPOINT!, bucket: place.ML_S3_BUCKET! },
    },
    gateways: 1,
    workers: 0,
  });
  try {
    expect(await cluster.gateways[0]!.query("{ me { subject } }")).toEqual({ me: { subject: "tester" } });
  } finally {
    await cluster.remove();
  }
}, 120_000);
