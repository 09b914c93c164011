import { snapshotPartitions } from "../../src/modules/curves/index.js";
import { outboxPartitions, PartitionService } from "../../src/modules/operations/index.js";
import { predictionPartitions } from "../../src/modules/predictions/index.js";
import type { Database } from "../../src/ports/database.js";
import { createLogger } from "../../src/telemetry/logger.js";

export interface PartitionsUnderTest {
  /** Migrated. */
  database: Database;
  /** Further connections to the same tables, as other processes have them. */
  others: Database[];
  drop(): Promise<void>;
}

const DAY_MS = 86_400_000;
const KEEP_DAYS = 30;
const TABLES = [snapshotPartitions, predictionPartitions(KEEP_DAYS), outboxPartitions(KEEP_DAYS)];

/** Partitions are made, filled and dropped alike on both tiers. */
export function describePartitions(name: string, open: () => Promise<PartitionsUnderTest>): void {
  describe(name, () => {
    let subject: PartitionsUnderTest;
    beforeAll(async () => {
      subject = await open();
      await query("INSERT INTO curves VALUES (gen_random_uuid(), 'c', 'YIELD', '%', '{1Y}', 'tester')");
    });
    afterAll(() => subject.drop());

    const query = <T extends object>(sql: string, values: unknown[] = []) =>
      subject.database.dataSource.query<T[]>(sql, values);
    const serviceOver = (database: Database) =>
      new PartitionService(database, TABLES, createLogger("silent"));
    const record = async (at: Date) => {
      await query(
        `INSERT INTO inference_records VALUES (gen_random_uuid(), 'PREDICTION', gen_random_uuid(), 't', $1, 1)`,
        [at],
      );
      await query(
        "INSERT INTO outbox_events (transaction_id, topic, subject, payload, at) VALUES (1, 'job', '{}', '{}', $1)",
        [at],
      );
      await query("INSERT INTO curve_snapshots SELECT id, $1::timestamptz, 1, '{1.5}', now() FROM curves", [
        at,
      ]);
    };
    /** Rows by where they lie: `default`, or a period. */
    const placesOf = async (table: string) => {
      const rows = await query<{ place: string }>(
        `SELECT replace(tableoid::regclass::text, 'partitions.${table}_', '') AS place FROM ${table}`,
      );
      return rows.map(({ place }) => place);
    };
    const everywhere = (table: string) =>
      query<{ name: string }>(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1",
        [table],
      );
    const tables = TABLES.map(({ table }) => table);

    test("takes rows of a time for which nobody has made partitions, and gives them one later", async () => {
      const future = new Date("2071-05-06T12:00:00Z");
      await record(future);
      for (const table of tables) expect(await placesOf(table)).toEqual(["default"]);
      await serviceOver(subject.database).maintain(new Date("2071-05-07T00:00:00Z"));
      expect(await placesOf("curve_snapshots")).toEqual(["20700101_20800101"]);
      expect(await placesOf("inference_records")).toEqual(["20710501_20710601"]);
      // The week begins on a Monday.
      expect(await placesOf("outbox_events")).toEqual(["20710504_20710511"]);
    });

    test("makes partitions ahead, so that rows of later lie in their own", async () => {
      await record(new Date("2071-05-19T00:00:00Z"));
      for (const table of tables) expect(await placesOf(table)).not.toContain("default");
      const names = (await everywhere("inference_records")).map(({ name }) => name);
      expect(names).toContain("partitions.inference_records_20710701_20710801");
      expect(names).not.toContain("partitions.inference_records_20710801_20710901");
    });

    test("keeps snapshots unchangeable in partitions of every origin", async () => {
      const own = "partitions.curve_snapshots_20700101_20800101";
      for (const table of ["curve_snapshots", own]) {
        await expect(query(`DELETE FROM ${table}`)).rejects.toThrow("append-only");
        await expect(query(`UPDATE ${table} SET revision = 2`)).rejects.toThrow("append-only");
        await expect(query(`TRUNCATE ${table}`)).rejects.toThrow("append-only");
      }
      await query("INSERT INTO curve_snapshots SELECT id, '1850-01-01', 1, '{1}', now() FROM curves");
      await expect(query("DELETE FROM partitions.curve_snapshots_default")).rejects.toThrow("append-only");
    });

    test("drops what has had its time as a whole, and nothing else", async () => {
      const now = new Date("2071-07-02T00:00:00Z");
      await record(new Date(now.getTime() - 10 * DAY_MS));
      await serviceOver(subject.database).maintain(now);
      // The record of 19 May is older than the limit, but not its whole month.
      expect(await placesOf("inference_records")).toEqual(["20710601_20710701"]);
      expect(await placesOf("outbox_events")).toEqual(["20710622_20710629"]);
      expect(await placesOf("curve_snapshots")).toHaveLength(4);
      for (const table of ["inference_records", "outbox_events"]) {
        const names = (await everywhere(table)).map(({ name }) => name);
        expect(names.filter((name) => /_20(2|7105)/.test(name))).toEqual([]);
      }
    });

    test("may be done by several at once", async () => {
      const now = new Date("2071-09-15T00:00:00Z");
      await record(now);
      const databases = [subject.database, ...subject.others];
      await Promise.all(databases.map((database) => serviceOver(database).maintain(now)));
      await serviceOver(subject.database).maintain(now);
      for (const table of tables) expect(await placesOf(table)).not.toContain(undefined);
      expect(await placesOf("inference_records")).toEqual(["20710901_20711001"]);
      expect(await placesOf("outbox_events")).toEqual(["20710914_20710921"]);
      const once = (await everywhere("inference_records")).map(({ name }) => name);
      expect(new Set(once).size).toBe(once.length);
    });

    test("clears out what is too old for any partition", async () => {
      const now = new Date("2071-09-15T00:00:00Z");
      await record(new Date("1999-12-31T00:00:00Z"));
      await serviceOver(subject.database).maintain(now);
      expect(await placesOf("inference_records")).toEqual(["20710901_20711001"]);
      expect(await placesOf("outbox_events")).toEqual(["20710914_20710921"]);
      // A snapshot gets the partition of its decade instead.
      expect(await placesOf("curve_snapshots")).toContain("19900101_20000101");
    });
  });
}
