import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { PreconditionFailedError, TimeoutError } from "../../shared/errors.js";
import type { AdapterLog } from "../adapter-log.js";
import { connectDataSource } from "../postgres/typeorm-database.js";
import type { Schema } from "../postgres/typeorm-database.js";
import { unlimited } from "./postgres-connection.js";

/** Processes that start together apply migrations one after the other: the bytes of "254c". */
const MIGRATION_LOCK = 0x32353463;

/** A migration that found a table in use lets the others by, and comes again. */
const MOST_ATTEMPTS = 20;
const RETRY_MS = 1_000;

const INSUFFICIENT_PRIVILEGE = "42501";

/**
 * Applies what is missing, in one process at a time, however long it takes.
 * @throws {PreconditionFailedError} when something is, and the role may not
 */
export async function applyMigrations(
  { migrations }: Pick<Schema, "migrations">,
  connection: pg.ClientConfig,
  log: AdapterLog | undefined,
): Promise<void> {
  const client = new pg.Client({ ...unlimited(connection), application_name: "254carbon migrations" });
  // The session's end frees the lock, and its error reaches the statement under way.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
    const dataSource = await connectDataSource({
      ...{ connection: unlimited(connection), migrations, log },
      entities: [],
      poolSize: 2,
    });
    try {
      await untilUnlocked(() => dataSource.runMigrations(), log);
    } finally {
      await dataSource.destroy();
    }
  } finally {
    await client.end();
  }
}

async function untilUnlocked(migrate: () => Promise<unknown>, log: AdapterLog | undefined): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await migrate();
      return;
    } catch (error) {
      if ((error as { code?: string }).code === INSUFFICIENT_PRIVILEGE) throw refusal(error as Error);
      if (!(error instanceof TimeoutError) || attempt === MOST_ATTEMPTS) throw error;
      log?.warn({ event: "database.migration_waits", err: error }, "a migration waits for a table in use");
      await delay(RETRY_MS);
    }
  }
}

function refusal(cause: Error): PreconditionFailedError {
  return new PreconditionFailedError(
    "the database lacks migrations, and the role of ML_VECTOR_DB_DSN may not apply them: " +
      `let \`migrate\` do it first, with ML_MIGRATIONS_DSN (${cause.message})`,
  );
}
