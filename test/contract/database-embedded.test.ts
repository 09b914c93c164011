import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Worker } from "node:worker_threads";
import pg from "pg";
import type { MigrationInterface, QueryRunner } from "typeorm";
import { engineVersion } from "../../src/adapters/embedded/data-folder.js";
import { openEmbeddedDatabase } from "../../src/adapters/embedded/embedded-database.js";
import { FolderLock } from "../../src/adapters/embedded/folder-lock.js";
import { openTestDatabase } from "../support/embedded-test-database.js";
import { UNOPTIMIZED } from "../support/platform.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";

const nothing = { entities: [], migrations: [] };
const INSERTING_PROCESS = join(import.meta.dirname, "../support/inserting-process.js");

interface Inserting {
  process: ChildProcess;
  /** Ids whose commit it has reported. */
  acknowledged: string[];
  ready: Promise<void>;
  kill(): Promise<void>;
}

function startInserting(...args: string[]): Inserting {
  const child = spawn(process.execPath, [...UNOPTIMIZED, INSERTING_PROCESS, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const acknowledged: string[] = [];
  const lines = createInterface(child.stdout!);
  const closed = once(lines, "close");
  const exited = once(child, "exit");
  const ready = new Promise<void>((resolve, reject) => {
    lines.on("line", (line) => (line === "ready" ? resolve() : acknowledged.push(line)));
    child.on("exit", () => reject(new Error("the process ended by itself")));
  });
  ready.catch(() => undefined);
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
    await closed;
  };
  return { process: child, acknowledged, ready, kill };
}

describe("embedded database", () => {
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  test("loses nothing acknowledged to kill -9, again and again", async () => {
    const acknowledged: string[] = [];
    for (const rows of [1, 40, 120]) {
      const child = startInserting(folder.path);
      await child.ready;
      await until(() => child.acknowledged.length >= rows, 30_000);
      await child.kill();
      acknowledged.push(...child.acknowledged);
    }
    const database = await openEmbeddedDatabase({ ...nothing, dataDir: folder.path });
    const rows: { id: string }[] = await database.dataSource.query("SELECT id FROM acknowledged");
    await database.close();
    const kept = new Set(rows.map(({ id }) => id));
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
  });

  test("starts over when it was killed during its first start", async () => {
    const draft = join(folder.path, "cluster.draft");
    for (const files of [1, 300, 600]) {
      const child = startInserting(folder.path);
      await until(
        async () => (await readdir(draft, { recursive: true }).catch(() => [])).length >= files,
        30_000,
      );
      await child.kill();
    }
    const database = await openEmbeddedDatabase({ ...nothing, dataDir: folder.path });
    await database.check();
    await database.close();
    await expect(readdir(draft)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("makes another prepared database when the cached one is broken", async () => {
    const cacheDir = join(folder.path, "cache");
    const broken = join(cacheDir, await engineVersion());
    await mkdir(broken, { recursive: true });
    await writeFile(join(broken, "PG_VERSION"), "18");
    const warnings: string[] = [];
    const log = {
      info: () => undefined,
      error: () => undefined,
      warn: (_: object, text: string) => warnings.push(text),
    };
    const database = await openEmbeddedDatabase({
      ...nothing,
      dataDir: join(folder.path, "data"),
      cacheDir,
      log,
    });
    await database.check();
    await database.close();
    expect(warnings).toEqual(["a prepared database did not start; making another"]);
    expect(await readdir(broken)).toContain("global");
  });

  test("does without a cache that cannot be written", async () => {
    const cacheDir = join(folder.path, "a-file");
    await writeFile(cacheDir, "");
    const database = await openEmbeddedDatabase({ ...nothing, dataDir: join(folder.path, "data"), cacheDir });
    await database.check();
    await database.close();
  });

  test("refuses a folder that a living process has open, and names both", async () => {
    const child = startInserting(folder.path);
    await child.ready;
    const open = () => openEmbeddedDatabase({ ...nothing, dataDir: folder.path });
    await expect(open()).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringMatching(new RegExp(`${folder.path} is in use by process ${child.process.pid}`)),
    });
    await child.kill();
    const database = await open();
    await expect(open()).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    await database.close();
  });

  test("applies migrations once, and can be opened again after one has failed", async () => {
    class CreateThing1700000000000 implements MigrationInterface {
      async up(runner: QueryRunner): Promise<void> {
        await runner.query("CREATE TABLE thing (id int)");
      }
      async down(runner: QueryRunner): Promise<void> {
        await runner.query("DROP TABLE thing");
      }
    }
    class Fail1700000000001 implements MigrationInterface {
      async up(runner: QueryRunner): Promise<void> {
        await runner.query("CREATE TABLE half (id int)");
        throw new Error("a migration that fails");
      }
      async down(): Promise<void> {
        throw new Error("never applied");
      }
    }
    const open = (...migrations: (new () => MigrationInterface)[]) =>
      openEmbeddedDatabase({ entities: [], migrations, dataDir: folder.path });
    await expect(open(CreateThing1700000000000, Fail1700000000001)).rejects.toThrow("a migration that fails");
    const database = await open(CreateThing1700000000000);
    const [found] = await database.dataSource.query(
      "SELECT to_regclass('thing') AS thing, to_regclass('half') AS half",
    );
    expect(found).toEqual({ thing: "thing", half: null });
    await database.close();
  });

  test("keeps nobody waiting for ever behind another transaction", async () => {
    const { database, drop } = await openTestDatabase({
      acquireTimeoutMs: 200,
      idleInTransactionTimeoutMs: 600,
    });
    const waiting = database.transaction(async (tx) => {
      await tx.query("SELECT 1");
      // The mistake: another connection inside a transaction, which no single backend can serve.
      await database.dataSource.query("SELECT 2");
    });
    await expect(waiting).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("busy"),
    });
    await database.check();

    const idle = new pg.Client(database.connection);
    const errors: Error[] = [];
    idle.on("error", (error) => errors.push(error));
    await idle.connect();
    await idle.query("BEGIN; CREATE TABLE left_open (id int)");
    await until(() => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: "25P03" });
    expect(await database.dataSource.query("SELECT to_regclass('left_open') AS found")).toEqual([
      { found: null },
    ]);
    await drop();
  });

  test("comes back after a crash of the engine with all that was committed", async () => {
    const errors: string[] = [];
    const log = {
      info: () => undefined,
      warn: () => undefined,
      error: (_: object, text: string) => errors.push(text),
    };
    const { database, drop } = await openTestDatabase({ log });
    await database.dataSource.query("CREATE TABLE survives (id int); INSERT INTO survives VALUES (1)");
    const woken: string[] = [];
    await database.listen("after", (payload) => woken.push(payload));
    const { server } = database as unknown as { server: { worker: Worker } };
    await server.worker.terminate();
    await until(() => woken.length > 0);
    expect(await database.dataSource.query("SELECT id FROM survives")).toEqual([{ id: 1 }]);
    expect(errors).toEqual(["the embedded database crashed and is started again"]);
    await drop();
  });

  test("answers a COPY from the client with an error and goes on", async () => {
    const { database, drop } = await openTestDatabase();
    await database.dataSource.query("CREATE TABLE copied (id int)");
    await expect(database.dataSource.query("COPY copied FROM STDIN")).rejects.toThrow(/COPY/i);
    await database.check();
    await drop();
  });
});

describe("lock on a folder", () => {
  let folder: TemporaryFolder;
  const lockFile = (name: string) => join(folder.path, "lock", name);
  beforeEach(async () => {
    folder = await temporaryFolder();
    await mkdir(join(folder.path, "lock"));
  });
  afterEach(() => folder.remove());

  async function refusal(): Promise<string | undefined> {
    try {
      await (await FolderLock.acquire(folder.path)).release();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  test("is taken over from a dead process and from one whose pid lives on in another", async () => {
    const child = spawn(process.execPath, ["--version"]);
    await once(child, "exit");
    await writeFile(lockFile(`pid-${child.pid}@1@aaaaaaaa@${hostname()}`), "");
    await writeFile(lockFile(`pid-${process.pid}@1@bbbbbbbb@${hostname()}`), "");
    expect(await refusal()).toBeUndefined();
    expect(await readdir(join(folder.path, "lock"))).toEqual([]);
  });

  test("is respected on another host until that has been silent for long", async () => {
    const elsewhere = lockFile("pid-1@1@cccccccc@another-host");
    await writeFile(elsewhere, "");
    expect(await refusal()).toMatch(/process 1 on another-host/);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(elsewhere, longAgo, longAgo);
    expect(await refusal()).toBeUndefined();
  });

  test("is never held twice", async () => {
    for (let round = 0; round < 10; round++) {
      const attempts = await Promise.allSettled(
        Array.from({ length: 4 }, () => FolderLock.acquire(folder.path)),
      );
      const held = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
      expect(held.length).toBeLessThanOrEqual(1);
      await Promise.all(held.map((lock) => lock.release()));
    }
  });
});
