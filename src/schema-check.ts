import type { Database } from "./ports/database.js";
import { PreconditionFailedError } from "./shared/errors.js";

/**
 * Old code does not know what newer migrations have changed. A process that runs already goes on while its successors
 * migrate, since it is about to be replaced; one that starts is refused.
 * @throws {PreconditionFailedError} when the database has migrations that this process does not know
 */
export async function assertSchemaIsKnown(database: Database): Promise<void> {
  const { unknown } = await compare(database);
  if (unknown.length === 0) return;
  throw new PreconditionFailedError(
    `the database has been migrated by a newer version of the platform (${unknown.join(", ")}); start that version`,
  );
}

/** @throws {PreconditionFailedError} when the database lacks migrations, as one put back from a backup may */
export async function assertMigrated(database: Database): Promise<void> {
  const { pending } = await compare(database);
  if (pending.length === 0) return;
  throw new PreconditionFailedError(
    `the database lacks migrations (${pending.join(", ")}); a process that starts applies them`,
  );
}

async function compare({ dataSource }: Database): Promise<{ pending: string[]; unknown: string[] }> {
  const rows = await dataSource.query<{ name: string }[]>("SELECT name FROM migrations");
  const applied = new Set(rows.map(({ name }) => name));
  const known = new Set(dataSource.migrations.map(({ name, constructor }) => name ?? constructor.name));
  return {
    pending: [...known].filter((name) => !applied.has(name)),
    unknown: [...applied].filter((name) => !known.has(name)),
  };
}
