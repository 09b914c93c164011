import { openAsBlob } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseRestorer, ReadQuery } from "../../ports/database-dumper.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { openEngine } from "./database-engine.js";
import { FolderLock } from "./folder-lock.js";

/** Fills the folder of the embedded engine; what is complete appears there by one rename. */
export class ClusterRestorer implements DatabaseRestorer {
  readonly kind = "pglite";

  /** @param dataDir the folder that will hold `cluster` */
  constructor(private readonly dataDir: string) {}

  async assertEmpty(): Promise<void> {
    const names = await readdir(this.dataDir).catch(() => []);
    const occupied = names.filter((name) => name !== "lock" && !name.includes(".draft"));
    if (occupied.length === 0) return;
    throw new PreconditionFailedError(
      `${this.dataDir} holds a database already; a restore overwrites nothing: move it away, or set another ML_DATA_DIR`,
    );
  }

  async restore(
    file: string,
    serverVersion: string,
    check: (query: ReadQuery) => Promise<void>,
  ): Promise<void> {
    await mkdir(this.dataDir, { recursive: true });
    const lock = await FolderLock.acquire(this.dataDir);
    const draft = join(this.dataDir, "restore.draft");
    try {
      await this.assertEmpty();
      await rm(draft, { recursive: true, force: true });
      const engine = await openEngine(draft, await openAsBlob(file, { type: "application/x-gzip" }));
      try {
        await assertSameMajor(engine, serverVersion);
        await check(async (sql) => (await engine.query(sql)).rows as never);
        await engine.exec("CHECKPOINT");
      } finally {
        await engine.close();
      }
      await rename(draft, join(this.dataDir, "cluster"));
    } finally {
      await rm(draft, { recursive: true, force: true });
      await lock.release();
    }
  }
}

async function assertSameMajor(
  engine: { query<T>(sql: string): Promise<{ rows: T[] }> },
  serverVersion: string,
): Promise<void> {
  const { rows } = await engine.query<{ version: string }>(
    "SELECT current_setting('server_version') AS version",
  );
  if (Number.parseInt(rows[0]!.version, 10) === Number.parseInt(serverVersion, 10)) return;
  throw new PreconditionFailedError(
    `the backup is of PostgreSQL ${serverVersion}, the embedded one is ${rows[0]!.version}; export and import move between versions`,
  );
}
