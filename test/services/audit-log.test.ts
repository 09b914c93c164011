import { join } from "node:path";
import { text } from "node:stream/consumers";
import pg from "pg";
import { migrations } from "../../migrations/index.js";
import { FolderArchive } from "../../src/adapters/embedded/folder-archive.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { entities } from "../../src/app.js";
import { AuditBuffer } from "../../src/modules/audit/audit-buffer.js";
import { AuditEntryRepository } from "../../src/modules/audit/audit-entry.repository.js";
import { AuditSealer } from "../../src/modules/audit/audit-sealer.js";
import { auditPartitions, AuditVerifier, openHeadArchive } from "../../src/modules/audit/index.js";
import { NO_SEAL, sealEntries } from "../../src/modules/audit/seal.rules.js";
import { SealRepository } from "../../src/modules/audit/seal.repository.js";
import { PartitionService } from "../../src/modules/operations/index.js";
import type { Archive } from "../../src/ports/archive.js";
import type { Database } from "../../src/ports/database.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { removeServicePlace, serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";

const KEEP_DAYS = 400;
const DAY_MS = 86_400_000;
const logger = createLogger("silent");

let folder: TemporaryFolder;
let database: Database;
let archive: Archive;
let client: pg.Client;

beforeEach(async () => {
  folder = await temporaryFolder();
  const { ML_VECTOR_DB_DSN: dsn } = await serviceEnvironment(folder.path);
  database = await openPostgresDatabase({ dsn: dsn!, entities, migrations });
  archive = await FolderArchive.open(join(folder.path, "archive"));
  client = new pg.Client({ connectionString: dsn });
  await client.connect();
});

afterEach(async () => {
  await client.end();
  await database.close();
  await removeServicePlace(folder.path);
  await folder.remove();
});

const headsOver = (headMs: number) =>
  openHeadArchive({ archive, headMs, secrets: () => Promise.resolve([Buffer.alloc(32, 7)]) });

function sealer(): AuditSealer {
  return new AuditSealer({ database, heads: headsOver(1_000), headMs: 1_000, logger });
}

async function enter(actor: string): Promise<void> {
  const entry = { actor, action: "test", target: null, outcome: "OK", requestId: "1", detail: {} };
  await new AuditEntryRepository(database.dataSource.manager).append([entry]);
}

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of archive.list("audit/heads/")) found.push(name);
  return found;
}

async function rows<T extends pg.QueryResultRow>(sql: string): Promise<T[]> {
  return (await client.query<T>(sql)).rows;
}

test("a seal that was not committed is never signed", async () => {
  await client.query(`
    CREATE SEQUENCE attempts;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
      AS 'BEGIN PERFORM nextval(''attempts''); RAISE EXCEPTION ''no room''; END';
    CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON audit_seals DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION fail()`);
  await enter("somebody");
  const failing = sealer();
  failing.start();
  await until(async () => (await rows("SELECT FROM attempts WHERE is_called")).length > 0);
  // Another process seals meanwhile, for as long as it takes this one to give up.
  await client.query("SELECT pg_advisory_lock(hashtextextended('audit_seals', 0))");
  await failing.close();
  await client.query("SELECT pg_advisory_unlock_all(); DROP TRIGGER fail ON audit_seals");
  expect(await names()).toEqual([]);
});

test("no head takes the place of one of a later seal", async () => {
  const heads = headsOver(300_000);
  const now = new Date("2071-05-06T12:00:00Z");
  await heads.write({ number: 12n, digest: "later" }, now);
  await heads.write({ number: 11n, digest: "earlier" }, now);
  const [name, ...others] = await names();
  expect(others).toEqual([]);
  expect(JSON.parse(await text(await archive.read(name!)))).toMatchObject({ number: "12" });
  await heads.write({ number: 13n, digest: "last" }, now);
  expect(JSON.parse(await text(await archive.read(name!)))).toMatchObject({ number: "13" });
});

test("what is old leaves with its partitions, and the chain over the rest verifies", async () => {
  const partitions = new PartitionService(database, auditPartitions(KEEP_DAYS), logger);
  const heads = headsOver(1_000);
  const old = new Date(Date.now() - (KEEP_DAYS + 100) * DAY_MS);
  await partitions.maintain(old);
  await client.query(
    `INSERT INTO audit_entries (transaction_id, at, actor, action, outcome, request_id, detail)
     SELECT pg_current_xact_id()::text::bigint + (SELECT added FROM event_origin), $1, 'past', 'test', 'OK', '1', '{}'
     FROM generate_series(1, 5)`,
    [old],
  );
  const chain = new SealRepository(database.dataSource.manager);
  const settledAfter = async (seal: typeof NO_SEAL, count: number) => {
    // Transactions of the other databases on this server count as earlier ones while they are open.
    await until(async () => (await chain.unsealed(seal.last, 10)).settled.length === count);
    return (await chain.unsealed(seal.last, 10)).settled;
  };
  const settled = await settledAfter(NO_SEAL, 5);
  const seals = sealEntries(NO_SEAL, settled, old.toISOString());
  await chain.append(seals);
  await heads.write(seals.at(-1)!, old);
  await enter("present");
  await settledAfter(seals.at(-1)!, 1);
  const sealing = sealer();
  sealing.start();
  await sealing.close();

  const verifier = new AuditVerifier(database, heads, KEEP_DAYS);
  expect(await verifier.verify()).toMatchObject({ ok: true, entries: 6, seals: 2, heads: 2 });
  await partitions.maintain();
  expect(await rows("SELECT DISTINCT actor FROM audit_entries")).toEqual([{ actor: "present" }]);
  expect(await verifier.verify()).toMatchObject({ ok: true, entries: 1, seals: 1, findings: [] });
  // One that is gone before its time is not taken for one that has had it.
  await client.query("SET session_replication_role = replica; DELETE FROM audit_seals");
  expect(await verifier.verify()).toMatchObject({ ok: false });
});

describe("what waits in memory", () => {
  const refusal = { action: "authenticate", target: null, outcome: "UNAUTHENTICATED", requestId: "1" };
  const query = { action: "query" as const, target: "me", operation: null, outcome: "OK", requestId: "1" };

  test("any number of unknown addresses hides no known caller's refusal", async () => {
    const buffer = new AuditBuffer(database, logger, () => undefined);
    for (let i = 0; i < 12_000; i++) {
      const remote = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
      buffer.refused({ ...refusal, actor: "anonymous", detail: { remote } }, remote);
    }
    buffer.refused({ ...refusal, actor: "eve", action: "query", outcome: "FORBIDDEN", detail: {} });
    await buffer.close();
    expect(await rows("SELECT FROM audit_entries WHERE actor = 'eve'")).toHaveLength(1);
    const [found] = await rows<{ count: string; others: string }>(
      `SELECT count(*) AS count, sum((detail->>'count')::int) FILTER (WHERE detail->>'remote' = '(others)') AS others
       FROM audit_entries WHERE actor = 'anonymous'`,
    );
    expect(Number(found!.count)).toBeLessThan(1_100);
    // The first has an entry of its own.
    expect(Number(found!.others)).toBe(12_000 - 1_000 - 1);
  });

  test("queries push no refusal out while the log takes nothing", async () => {
    const buffer = new AuditBuffer(database, logger, () => undefined);
    await client.query("BEGIN; LOCK TABLE audit_entries IN EXCLUSIVE MODE");
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 10_000; i++) buffer.operated({ ...query, actor: `caller-${i}`, durationMs: 1 });
      buffer.refused({ ...refusal, actor: `eve-${round}`, detail: {} });
    }
    await client.query("ROLLBACK");
    await buffer.close();
    expect(await rows("SELECT FROM audit_entries WHERE actor LIKE 'eve-%'")).toHaveLength(4);
  });
});
