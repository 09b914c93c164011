import { randomBytes } from "node:crypto";
import { chmod, chown, copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { parseAllDocuments } from "yaml";
import { migrations } from "../../migrations/index.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { entities } from "../../src/app.js";
import { TimeoutError } from "../../src/shared/errors.js";
import { makeAuthority } from "../support/certificates.js";
import type { Certificate, CertificateAuthority } from "../support/certificates.js";
import { startPgbouncer } from "../support/pgbouncer-server.js";
import type { PgbouncerServer } from "../support/pgbouncer-server.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";

/** Of the cluster's objects, what a PostgreSQL and a PgBouncer of our own can do as well. */
interface ClusterSpec {
  bootstrap: { initdb: { postInitSQL: string[]; postInitApplicationSQL: string[] } };
  postgresql: { pg_hba: string[] };
}
interface PoolerSpec {
  pgbouncer: { authQuery: string; pg_hba: string[]; parameters: Record<string, string> };
}

const password = randomBytes(12).toString("hex");

let folder: TemporaryFolder;
let server: PostgresServer;
let pooler: PgbouncerServer;
let authority: CertificateAuthority;
let client: Certificate;
let itself: Certificate;

beforeAll(async () => {
  const { spec: cluster } = await objectOf<ClusterSpec>("cluster.yaml", "Cluster");
  const { spec: pooling } = await objectOf<PoolerSpec>("pooler.yaml", "Pooler");
  folder = await temporaryFolder();
  [server, authority] = await Promise.all([startPostgres(), makeAuthority(folder.path, "authority")]);
  client = await authority.issue("client", "ml-platform");
  itself = await authority.issue("pooler", "pooler", "DNS:localhost");
  await initialise(cluster);
  await serveWithTls(cluster);
  pooler = await startPgbouncer({
    server: `host=127.0.0.1 port=${server.port}`,
    // The operator adds the last ones to the object's own.
    hba: [...pooling.pgbouncer.pg_hba, "host all all 0.0.0.0/0 md5", "host all all ::/0 md5"].join("\n"),
    settings: {
      ...{ auth_user: "pooler", auth_query: pooling.pgbouncer.authQuery, auth_dbname: "postgres" },
      ignore_startup_parameters: "extra_float_digits,options",
      ...pooling.pgbouncer.parameters,
    },
    files: {
      ...{ server_tls_ca_file: authority.ca, client_tls_ca_file: authority.ca },
      ...{ server_tls_cert_file: itself.cert, server_tls_key_file: itself.key },
      ...{ client_tls_cert_file: itself.cert, client_tls_key_file: itself.key },
    },
  });
});
afterAll(async () => {
  await pooler.remove();
  await server.remove();
  await folder.remove();
});

async function objectOf<Spec>(file: string, kind: string): Promise<{ kind: string; spec: Spec }> {
  const path = join(import.meta.dirname, "../../../deploy/kubernetes/postgres", file);
  const objects = parseAllDocuments(await readFile(path, "utf8")).map(
    (document) => document.toJS() as { kind: string; spec: Spec },
  );
  return objects.find((object) => object.kind === kind)!;
}

/** Roles and the database, as the operator makes them. */
async function initialise({ bootstrap: { initdb } }: ClusterSpec): Promise<void> {
  for (const statement of initdb.postInitSQL) await server.query(statement);
  for (const role of ["ml", "ml_owner"])
    await server.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  await server.query("CREATE DATABASE platform OWNER ml_owner");
  for (const statement of initdb.postInitApplicationSQL) await server.query(statement, [], "platform");
}

async function serveWithTls({ postgresql }: ClusterSpec): Promise<void> {
  const { uid, gid } = await stat(server.dataDir);
  const ours = await authority.issue("server", "postgres", "DNS:localhost,IP:127.0.0.1");
  const files = { [ours.cert]: "server.crt", [ours.key]: "server.key", [authority.ca]: "root.crt" };
  for (const [from, name] of Object.entries(files)) {
    const file = join(server.dataDir, name);
    await copyFile(from, file);
    await chmod(file, 0o600);
    await chown(file, uid, gid);
  }
  const hba = join(server.dataDir, "pg_hba.conf");
  // Ours for the test itself, as the operator has its own.
  const rules = ["host all postgres 127.0.0.1/32 scram-sha-256", ...postgresql.pg_hba];
  await writeFile(hba, rules.map((rule) => `${rule}\n`).join(""));
  await server.stop();
  await server.restart({ ssl: "on", ssl_ca_file: "root.crt", ssl_min_protocol_version: "TLSv1.3" });
}

const dsnOf = (role: string) => `postgresql://${role}:${password}@localhost:${server.port}/platform`;

function open() {
  return openPostgresDatabase({
    dsn: dsnOf("ml"),
    settings: {
      migrationsDsn: dsnOf("ml_owner"),
      tls: { ca: authority.ca, ...client },
      pooler: `localhost:${pooler.port}`,
    },
    ...{ entities, migrations },
  });
}

/** One question by a client of the pooler's. */
async function ask(login: pg.ClientConfig, certificate?: Certificate): Promise<unknown> {
  const ca = await readFile(authority.ca);
  const own = certificate && {
    cert: await readFile(certificate.cert),
    key: await readFile(certificate.key),
  };
  const asking = new pg.Client({
    ...{ host: "localhost", port: pooler.port, user: "ml", password, database: "platform" },
    ssl: { ca, ...own },
    ...login,
  });
  asking.on("error", () => undefined);
  await asking.connect();
  try {
    return (await asking.query<{ role: string }>("SELECT current_user AS role")).rows[0]!.role;
  } finally {
    await asking.end();
  }
}

test("the cluster's objects let the platform through the pooler, encrypted on both sides", async () => {
  const database = await open();
  try {
    const rows = await database.dataSource.query<object[]>(
      `SELECT ssl, version, client_dn, usename FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE pid = pg_backend_pid()`,
    );
    expect(rows).toEqual([{ ssl: true, version: "TLSv1.3", client_dn: "/CN=pooler", usename: "ml" }]);
  } finally {
    await database.close();
  }
});

test("a statement that is given up ends on the server, through a pooler that talks to nobody without a certificate", async () => {
  const database = await open();
  try {
    const request = {};
    const asked = database.serve(request, () => database.dataSource.query("SELECT pg_sleep(600)"));
    const failure = asked.catch((error: unknown) => error);
    const sleeping = () =>
      server.query("SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND usename = 'ml'");
    await until(async () => (await sleeping()).length === 1);
    database.abandon(request);
    expect(await failure).toBeInstanceOf(TimeoutError);
    await until(
      async () =>
        (await server.query("SELECT FROM pg_stat_activity WHERE state = 'active' AND usename = 'ml'"))
          .length === 0,
    );
  } finally {
    await database.close();
  }
});

test("nobody else comes through: no other role or database, and nobody without a certificate", async () => {
  expect(await ask({}, client)).toBe("ml");
  await expect(ask({})).rejects.toThrow();
  await expect(ask({ user: "ml_owner" }, client)).rejects.toThrow(/reject|auth|no such user/i);
  await expect(ask({ database: "postgres" }, client)).rejects.toThrow(/reject|auth|no such user/i);
  await expect(ask({ password: "another" }, client)).rejects.toThrow(/auth/i);
  await expect(ask({ ssl: false })).rejects.toThrow();
});

test("who starts without the certificate is told what is missing, at once", async () => {
  const dsn = dsnOf("ml").replace(`:${server.port}/`, `:${pooler.port}/`);
  const settings = { tls: { ca: authority.ca } };
  const started = performance.now();
  await expect(
    openPostgresDatabase({ dsn, settings, startTimeoutMs: 60_000, entities, migrations }),
  ).rejects.toThrow(/^ML_VECTOR_DB_DSN: .*certificate required/);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("the pooler's role learns how the platform's proves itself, and nobody else's", async () => {
  const [ca, cert, key] = await Promise.all(
    [authority.ca, itself.cert, itself.key].map((file) => readFile(file, "utf8")),
  );
  const asking = new pg.Client({
    ...{ host: "localhost", port: server.port, user: "pooler", database: "postgres" },
    ssl: { ca, cert, key },
  });
  await asking.connect();
  const secretsOf = async (role: string) =>
    (await asking.query<object>("SELECT * FROM public.password_for_pooler($1)", [role])).rows;
  expect(await secretsOf("ml")).toEqual([
    { usename: "ml", passwd: expect.stringMatching(/^SCRAM-SHA-256\$/) },
  ]);
  for (const role of ["ml_owner", "postgres", "pooler"]) expect(await secretsOf(role)).toEqual([]);
  await server.query("ALTER ROLE ml VALID UNTIL '2020-01-01'");
  expect(await secretsOf("ml")).toEqual([{ usename: "ml", passwd: null }]);
  await asking.end();
});
