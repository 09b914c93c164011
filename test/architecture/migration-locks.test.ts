import type { MigrationInterface } from "typeorm";
import { migrations } from "../../migrations/index.js";
import type { LockingMigration } from "../../migrations/locking-migration.js";
import { openTestDatabase } from "../support/embedded-test-database.js";

/** From before the rule; merged migrations are not edited. */
const EXEMPT = [
  "Foundation1795000000000",
  "Search1796000000000",
  "Upkeep1797100000000",
  "JobFamilies1797200000000",
];

const STRONG = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"];

test("a migration that locks tables says so in its name, says which and why, and does not wait for ever", async () => {
  const { database, drop } = await openTestDatabase();
  try {
    for (const Migration of migrations) {
      const migration: MigrationInterface & Partial<LockingMigration> = new Migration();
      const runner = database.dataSource.createQueryRunner();
      await runner.startTransaction();
      const before: { name: string; oid: number }[] = await runner.query(
        `SELECT relname AS name, oid FROM pg_class
         WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace`,
      );
      await migration.up(runner);
      const held: { oid: number }[] = await runner.query(
        "SELECT DISTINCT relation AS oid FROM pg_locks WHERE pid = pg_backend_pid() AND mode = ANY($1)",
        [STRONG],
      );
      const [{ patience }] = await runner.query("SELECT current_setting('lock_timeout') AS patience");
      await runner.commitTransaction();
      await runner.release();
      if (EXEMPT.includes(migration.name!)) continue;
      const locked = before
        .filter(({ oid }) => held.some((lock) => lock.oid === oid))
        .map(({ name }) => name);
      const { tables = [], reason } = migration.locks ?? {};
      const said = {
        tables: [...tables].sort(),
        named: /Locks/.test(migration.name!),
        impatient: patience !== "0",
      };
      const locks = locked.length > 0;
      expect({ migration: migration.name, ...said }).toEqual({
        migration: migration.name,
        tables: locked.sort(),
        named: locks,
        impatient: locks,
      });
      expect(reason?.length ?? 0).toBeGreaterThan(locks ? 20 : -1);
    }
  } finally {
    await drop();
  }
});
