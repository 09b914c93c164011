import type pg from "pg";
import type { TlsFiles } from "../../config/config.js";
import type { DatabaseRestorer, RunQuery } from "../../ports/database-dumper.js";
import { PreconditionFailedError, UnavailableError } from "../../shared/errors.js";
import { textNow } from "../../shared/live-text.js";
import { connectedAs } from "./connected-as.js";
import { postgresConnection } from "./postgres-connection.js";
import { assertRecentProgram, runPostgresProgram } from "./postgres-programs.js";

/** Tables, views and sequences of ours; what an extension brought does not count. */
const OURS = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('public', 'vectors', 'partitions', 'bullmq') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1`;

/** Undoes a restore that is complete but not right: the database was empty before. */
const EMPTY_AGAIN = `
  DROP SCHEMA IF EXISTS vectors, partitions CASCADE;
  DO $$ DECLARE item record; BEGIN
    FOR item IN SELECT c.oid::regclass AS name FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP EXECUTE 'DROP TABLE IF EXISTS ' || item.name || ' CASCADE'; END LOOP;
    FOR item IN SELECT p.oid::regprocedure AS name FROM pg_proc p
      WHERE p.pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP EXECUTE 'DROP FUNCTION IF EXISTS ' || item.name || ' CASCADE'; END LOOP;
  END $$`;

export interface PostgresRestorerOptions {
  dsn: string;
  /** That has the DSN. */
  variable: string;
  tls: TlsFiles;
  bin?: string;
}

/** Fills an empty database of a PostgreSQL server by pg_restore, in one transaction. */
export class PostgresRestorer implements DatabaseRestorer {
  readonly kind = "pg_dump";

  constructor(private readonly options: PostgresRestorerOptions) {}

  async assertEmpty(): Promise<void> {
    const found = await this.connected((query) => query<{ name: string }>(OURS));
    if (found.length === 0) return;
    const names = found.slice(0, 5).map(({ name }) => name);
    throw new PreconditionFailedError(
      `the database of ${this.options.variable} holds ${found.length} tables or the like (${names.join(", ")} ...); ` +
        "a restore overwrites nothing: create an empty database",
    );
  }

  async restore(
    file: string,
    serverVersion: string,
    finish: (query: RunQuery) => Promise<void>,
  ): Promise<void> {
    await this.assertEmpty();
    await assertRecentProgram(this.options, "pg_restore", serverVersion);
    const flags = [
      "--single-transaction",
      "--exit-on-error",
      "--no-owner",
      "--no-privileges",
      "--no-comments",
    ];
    await runPostgresProgram(this.options, "pg_restore", [...flags, `--dbname=${this.database}`, file]);
    await this.connected(async (query) => {
      try {
        await finish(query);
        await query("ANALYZE");
      } catch (error) {
        await query(EMPTY_AGAIN);
        throw error;
      }
    });
  }

  private get database(): string {
    return decodeURIComponent(new URL(textNow(this.options.dsn)).pathname.slice(1));
  }

  private connected<T>(work: (query: RunQuery) => Promise<T>): Promise<T> {
    return connectedTo(this.options, work);
  }
}

/**
 * Runs statements on one connection, which is closed behind them.
 * @throws {UnavailableError} naming the variable when nobody answers
 */
export async function connectedTo<T>(
  { dsn, variable, tls }: PostgresRestorerOptions,
  work: (query: RunQuery) => Promise<T>,
): Promise<T> {
  const refused = (error: Error) =>
    new UnavailableError(`the database of ${variable} does not answer: ${error.message}`);
  const ask = (client: pg.Client) => work(async (sql) => (await client.query(sql)).rows as never);
  return connectedAs(await postgresConnection(dsn, tls), ask, refused);
}
