import { randomUUID } from "node:crypto";
import pg from "pg";
import { ownerDsn } from "../../src/adapters/service/owner-dsn.js";
import { grantToApplication } from "../../src/adapters/service/postgres-grants.js";
import { linearModel } from "../support/onnx-models.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";
import { serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { upkeep } from "../support/upkeep.js";

const name = randomUUID().replaceAll("-", "").slice(0, 12);
const owner = { user: `owner_${name}`, password: randomUUID() };
const application = { user: `app_${name}`, password: randomUUID() };

let dsn: string;
let superuser: pg.Client;
let asApplication: pg.Client;
let platform: Platform;

function dsnOf(address: string, { user, password }: typeof owner): string {
  return Object.assign(new URL(address), { username: user, password }).href;
}

beforeAll(async () => {
  const folder = await temporaryFolder();
  const environment = await serviceEnvironment(folder.path);
  dsn = environment.ML_VECTOR_DB_DSN!;
  superuser = new pg.Client({ connectionString: dsn });
  await superuser.connect();
  for (const { user, password } of [owner, application]) {
    await superuser.query(`CREATE ROLE ${user} LOGIN PASSWORD '${password}' NOSUPERUSER`);
  }
  const { pathname } = new URL(dsn);
  await superuser.query(`
    CREATE EXTENSION vector;
    ALTER DATABASE ${pathname.slice(1)} OWNER TO ${owner.user};
    ALTER SCHEMA public OWNER TO ${owner.user};
    GRANT CREATE ON SCHEMA public TO PUBLIC;
    GRANT CREATE ON DATABASE ${pathname.slice(1)} TO ${application.user}`);
  // What an application could make that may create schemas: nearer at hand for calls with an integer than the server's own.
  await superuser.query(`
    CREATE SCHEMA ${owner.user} AUTHORIZATION ${application.user};
    CREATE FUNCTION ${owner.user}.hashtextextended(text, integer) RETURNS bigint LANGUAGE plpgsql
      AS 'BEGIN RAISE EXCEPTION ''called as %'', current_user; END'`);
  platform = await startPlatform({
    dataDir: folder.path,
    environment: {
      ...environment,
      ML_VECTOR_DB_DSN: dsnOf(dsn, application),
      ML_MIGRATIONS_DSN: dsnOf(dsn, owner),
      ML_SAMPLES: "true",
    },
  });
  asApplication = new pg.Client({ connectionString: dsnOf(dsn, application) });
  await asApplication.connect();
}, 120_000);

afterAll(async () => {
  await platform.stop();
  await asApplication.end();
  await superuser.end();
  await platform.remove();
});

test("a platform whose role owns no table of its own does all that it does", async () => {
  const health = async () =>
    (await (await fetch(`${platform.url}/health`)).json()) as { status: string; samples: string };
  await eventually(health, ({ samples }) => samples === "loaded", 180_000);
  await uploadVersion(platform, "linear", linearModel());
  await promote(platform, { model: "linear", number: 1 });
  const answers = await platform.query<Record<string, unknown>>(`{
    predict(input: { model: "linear", inputs: [{ name: "x", values: [[1, 2, 3]] }] }) { id }
    audit { totalCount }
  }`);
  expect(answers.predict).toEqual({ id: expect.any(String) });
  await upkeep(platform, "startBackup");
  await upkeep(platform, "startVacuum");
  const verified = await platform.query<{ auditVerification: object }>(
    "{ auditVerification { ok findings { kind } } }",
  );
  expect(verified.auditVerification).toEqual({ ok: true, findings: [] });
  expect(platform.log.filter(({ level }) => level === "error")).toEqual([]);
}, 240_000);

test("partitions are made with the owner's rights", async () => {
  const { rows } = await superuser.query<{ owner: string }>(
    `SELECT DISTINCT c.relowner::regrole::text AS owner FROM pg_class c
     WHERE c.relnamespace IN ('public'::regnamespace, 'partitions'::regnamespace) AND c.relkind IN ('r', 'p')`,
  );
  expect(rows).toEqual([{ owner: owner.user }]);
});

const PARTITION =
  "(SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'audit_entries'::regclass LIMIT 1)";

test.each([
  "UPDATE audit_entries SET actor = 'mallory'",
  "DELETE FROM audit_entries",
  "TRUNCATE audit_entries",
  "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
  "ALTER TABLE audit_entries ADD COLUMN other text",
  "DROP TABLE audit_entries",
  "DROP TRIGGER append_only ON audit_entries",
  "CREATE TRIGGER other BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION refuse_change()",
  "CREATE RULE other AS ON INSERT TO audit_entries DO INSTEAD NOTHING",
  "UPDATE audit_seals SET digest = ''",
  "DELETE FROM audit_seals",
  "TRUNCATE audit_seals",
  "ALTER TABLE audit_seals DISABLE TRIGGER ALL",
  "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
  "SET session_replication_role = replica",
  `CREATE SCHEMA ${owner.user}`,
  "CREATE SCHEMA other",
  "CREATE TABLE public.other ()",
  "CREATE FUNCTION public.hashtextextended(text, integer) RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
  "CREATE TABLE partitions.other ()",
  `SET ROLE ${owner.user}`,
  `DO $$ BEGIN EXECUTE 'DELETE FROM ' || ${PARTITION}; END $$`,
  `DO $$ BEGIN EXECUTE 'ALTER TABLE ' || ${PARTITION} || ' DISABLE TRIGGER ALL'; END $$`,
  `DO $$ BEGIN EXECUTE 'INSERT INTO ' || ${PARTITION} || ' OVERRIDING SYSTEM VALUE SELECT * FROM audit_entries'; END $$`,
])("the server refuses it: %s", async (statement) => {
  // Insufficient privilege, whatever a trigger would have said.
  await expect(asApplication.query(statement)).rejects.toMatchObject({ code: "42501" });
});

test("a role that could become the owner is refused, and what is granted beside the platform taken back", async () => {
  const grant = (connectionString: string) =>
    grantToApplication({ connectionString: ownerDsn(dsnOf(dsn, owner))() }, { connectionString });
  await expect(grant(dsn)).rejects.toThrow(/must be no superuser/);
  await superuser.query(`GRANT ${owner.user} TO ${application.user}`);
  await expect(grant(dsnOf(dsn, application))).rejects.toThrow(/must be no superuser/);
  await superuser.query(`REVOKE ${owner.user} FROM ${application.user}`);
  await superuser.query(`GRANT ALL ON ALL TABLES IN SCHEMA partitions TO ${application.user}, PUBLIC`);
  await grant(dsnOf(dsn, application));
  const { rows } = await superuser.query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'partitions'::regnamespace AND relkind = 'r'
       AND has_table_privilege($1, oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')`,
    [application.user],
  );
  expect(rows).toEqual([]);
  await superuser.query(`CREATE ROLE helper_${name}; GRANT helper_${name} TO ${application.user}`);
  await superuser.query(`GRANT CREATE ON SCHEMA public TO helper_${name}`);
  await expect(grant(dsnOf(dsn, application))).rejects.toThrow(/must not create in the schema public/);
});
