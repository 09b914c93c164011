import { chown, copyFile, chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import type { TlsFiles } from "../../src/config/config.js";
import { makeAuthority } from "../support/certificates.js";
import type { Certificate, CertificateAuthority } from "../support/certificates.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;
let server: PostgresServer;
let authority: CertificateAuthority;
let stranger: CertificateAuthority;
let client: Certificate;

beforeAll(async () => {
  folder = await temporaryFolder();
  [server, authority, stranger] = await Promise.all([
    startPostgres(),
    makeAuthority(folder.path, "ours"),
    makeAuthority(folder.path, "theirs"),
  ]);
  client = await authority.issue("client", "postgres");
  await serve(await authority.issue("server", "localhost"));
});
afterAll(async () => {
  await server.remove();
  await folder.remove();
});

/** Puts files into the data folder as the server's own, and demands certificates of its clients. */
async function serve({ cert, key }: Certificate): Promise<void> {
  await server.stop();
  const { uid, gid } = await stat(server.dataDir);
  const install = async (from: string, name: string) => {
    const file = join(server.dataDir, name);
    await copyFile(from, file);
    await chmod(file, 0o600);
    await chown(file, uid, gid);
  };
  await Promise.all([
    install(cert, "server.crt"),
    install(key, "server.key"),
    install(authority.ca, "root.crt"),
  ]);
  await server.restart({ ssl: "on", ssl_ca_file: "root.crt" });
}

/** Whether the platform's own connections are encrypted, and what the server knows of the client. */
async function connect(tls: TlsFiles, host = "localhost", query = "") {
  const dsn = `${server.dsn().replace("127.0.0.1", host)}${query}`;
  const database = await openPostgresDatabase({ dsn, settings: { tls }, entities: [], migrations: [] });
  try {
    const [row] = await database.dataSource.query<{ ssl: boolean; client_dn: string | null }[]>(
      "SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    return row;
  } finally {
    await database.close();
  }
}

test("encrypts with the CA alone, whatever the DSN says of TLS", async () => {
  const encrypted = { ssl: true, client_dn: null };
  expect(await connect({ ca: authority.ca })).toEqual(encrypted);
  expect(await connect({ ca: authority.ca }, "localhost", "?sslmode=disable")).toEqual(encrypted);
});

test("proves itself with a client certificate where the server demands one", async () => {
  const rules = join(server.dataDir, "pg_hba.conf");
  const before = await readFile(rules, "utf8");
  // The test's own connections are plain.
  const demanding = "hostssl all all all scram-sha-256 clientcert=verify-full";
  await writeFile(rules, `hostnossl all all all scram-sha-256\n${demanding}\n`);
  await server.query("SELECT pg_reload_conf()");
  try {
    expect(await connect({ ca: authority.ca, ...client })).toEqual({ ssl: true, client_dn: "/CN=postgres" });
    await expect(connect({ ca: authority.ca })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const foreign = await stranger.issue("foreign", "postgres");
    await expect(connect({ ca: authority.ca, ...foreign })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  } finally {
    await writeFile(rules, before);
    await server.query("SELECT pg_reload_conf()");
  }
});

test("refuses a server of another CA, and one that answers to another name", async () => {
  await expect(connect({ ca: stranger.ca })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("ML_VECTOR_DB_DSN"),
  });
  // The certificate names localhost, not the address.
  await expect(connect({ ca: authority.ca }, "127.0.0.1")).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("127.0.0.1"),
  });
});

test("names the file that is missing", async () => {
  await expect(connect({ ca: join(folder.path, "none.crt") })).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
    message: expect.stringContaining("ML_VECTOR_DB_CA"),
  });
});

test("never goes on in plain text", async () => {
  await server.stop();
  await server.restart({ ssl: "off" });
  await expect(connect({ ca: authority.ca })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("ML_VECTOR_DB_DSN"),
  });
});
