import pg from "pg";
import type { Database } from "../../src/ports/database.js";

export interface DatabaseUnderTest {
  database: Database;
  /** How `pg` reaches the same database. */
  connection: pg.ClientConfig;
  drop(): Promise<void>;
}

interface Deferred {
  promise: Promise<void>;
  resolve: () => void;
}

function deferred(): Deferred {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** What the platform expects of PostgreSQL, whichever tier provides it. */
export function describeDatabase(name: string, open: () => Promise<DatabaseUnderTest>): void {
  describe(name, () => {
    let subject: DatabaseUnderTest;
    let pool: pg.Pool;

    beforeAll(async () => {
      subject = await open();
      pool = new pg.Pool({ ...subject.connection, max: 10 });
      pool.on("error", () => undefined);
    });
    afterAll(async () => {
      await pool.end();
      await subject.drop();
    });

    async function withClients<T>(work: (a: pg.PoolClient, b: pg.PoolClient) => Promise<T>): Promise<T> {
      const [a, b] = [await pool.connect(), await pool.connect()];
      try {
        return await work(a, b);
      } finally {
        a.release();
        b.release();
      }
    }

    async function column<T>(sql: string, values: unknown[] = []): Promise<T[]> {
      const { rows } = await pool.query({ text: sql, values, rowMode: "array" });
      return rows.map((row: T[]) => row[0]!);
    }

    test("answers typed parameters and results", async () => {
      const { rows } = await pool.query("SELECT 1 + 1 AS x, $1::int8 AS b, $2::jsonb AS j, now() AS t", [
        5,
        { a: 1 },
      ]);
      expect(rows[0]).toMatchObject({ x: 2, b: "5", j: { a: 1 } });
      expect(rows[0].t).toBeInstanceOf(Date);
    });

    test("keeps 200 parallel queries over 10 connections apart", async () => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          i % 2 === 0 ? column("SELECT $1::int", [i]) : column("SELECT $1::text || $2::int", ["t", i]),
        ),
      );
      expect(answers.map(([value]) => value)).toEqual(
        Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? i : `t${i}`)),
      );
    });

    test("isolates interleaved transactions", async () => {
      await pool.query("CREATE TABLE interleaved (id int PRIMARY KEY)");
      await withClients(async (a, b) => {
        await a.query("BEGIN");
        await a.query("INSERT INTO interleaved VALUES (1)");
        const seenByB = b
          .query("BEGIN")
          .then(() => b.query("INSERT INTO interleaved VALUES (2)"))
          .then(() => b.query("SELECT id FROM interleaved ORDER BY id"));
        await a.query("INSERT INTO interleaved VALUES (3)");
        await a.query("ROLLBACK");
        expect((await seenByB).rows).toEqual([{ id: 2 }]);
        await b.query("COMMIT");
      });
      expect(await column("SELECT id FROM interleaved")).toEqual([2]);
    });

    test("loses no update made under FOR UPDATE", async () => {
      await pool.query("CREATE TABLE counter (n int NOT NULL); INSERT INTO counter VALUES (0)");
      await Promise.all(
        Array.from({ length: 20 }, () =>
          subject.database.transaction(async (tx) => {
            const [{ n }] = await tx.query("SELECT n FROM counter FOR UPDATE");
            await new Promise(setImmediate);
            await tx.query("UPDATE counter SET n = $1", [n + 1]);
          }),
        ),
      );
      expect(await column("SELECT n FROM counter")).toEqual([20]);
    });

    test("commits what resolves, rolls back what throws, and passes the error on", async () => {
      await pool.query("CREATE TABLE kept (id int PRIMARY KEY)");
      const failure = new Error("the caller's own");
      const failed = subject.database.transaction(async (tx) => {
        await tx.query("INSERT INTO kept VALUES (1)");
        throw failure;
      });
      await expect(failed).rejects.toBe(failure);
      const result = await subject.database.transaction(async (tx) => {
        await tx.query("INSERT INTO kept VALUES (2)");
        return "done";
      });
      expect(result).toBe("done");
      expect(await column("SELECT id FROM kept")).toEqual([2]);
    });

    test("keeps prepared statements of the same name apart", async () => {
      await withClients(async (a, b) => {
        const one = { name: "same", text: "SELECT $1::int AS v" };
        const other = { name: "same", text: "SELECT $1::text || '!' AS v" };
        expect((await a.query({ ...one, values: [1] })).rows).toEqual([{ v: 1 }]);
        expect((await b.query({ ...other, values: ["x"] })).rows).toEqual([{ v: "x!" }]);
        expect((await a.query({ ...one, values: [7] })).rows).toEqual([{ v: 7 }]);
      });
    });

    test("keeps the settings of sessions apart, however they are made", async () => {
      await withClients(async (a, b) => {
        const show = async (client: pg.PoolClient, setting: string) =>
          (await client.query(`SELECT current_setting('${setting}') AS value`)).rows[0].value;
        await a.query("SET statement_timeout = '123s'");
        await a.query("SELECT set_config('work_mem', '9MB', false)");
        await a.query("SET TIME ZONE 'America/New_York'");
        await a.query("BEGIN; SET search_path = pg_catalog, public; COMMIT");
        await a.query("BEGIN; SET lock_timeout = '7s'; ROLLBACK");
        expect(await show(b, "statement_timeout")).toBe("0");
        expect(await show(b, "work_mem")).not.toBe("9MB");
        expect(await show(b, "TimeZone")).not.toBe("America/New_York");
        expect(await show(a, "statement_timeout")).toBe("123s");
        expect(await show(a, "work_mem")).toBe("9MB");
        expect(await show(a, "TimeZone")).toBe("America/New_York");
        expect(await show(a, "search_path")).toBe("pg_catalog, public");
        expect(await show(a, "lock_timeout")).toBe("0");
        await a.query("RESET ALL");
        expect(await show(a, "work_mem")).not.toBe("9MB");
      });
    });

    test("honours settings of the start-up message", async () => {
      const options = '-c search_path="jobs",public -c work_mem=5MB';
      const client = new pg.Client({ ...subject.connection, options, statement_timeout: 4321 });
      await client.connect();
      expect((await client.query("SHOW search_path")).rows).toEqual([{ search_path: '"jobs",public' }]);
      expect((await client.query("SHOW work_mem")).rows).toEqual([{ work_mem: "5MB" }]);
      expect((await client.query("SHOW statement_timeout")).rows).toEqual([{ statement_timeout: "4321ms" }]);
      await client.end();
    });

    test("tells listeners only, after the commit only", async () => {
      const heard: string[] = [];
      const overheard: string[] = [];
      const both = deferred();
      const stop = await subject.database.listen("news", (payload) => {
        heard.push(payload);
        if (payload === "last") both.resolve();
      });
      const stopOther = await subject.database.listen("other", (payload) => overheard.push(payload));
      const bystander = await pool.connect();
      bystander.on("notification", ({ payload }) => overheard.push(payload ?? ""));
      await pool.query("SELECT pg_notify('news', 'first')");
      await withClients(async (a) => {
        await a.query("BEGIN; NOTIFY news, 'rolled back'; ROLLBACK");
        await a.query("BEGIN; NOTIFY news, 'last'; COMMIT");
      });
      await both.promise;
      bystander.release();
      expect(heard).toEqual(["first", "last"]);
      expect(overheard).toEqual([]);
      await stop();
      await stopOther();
    });

    test("lets one listener of a channel stop without deafening another", async () => {
      const a = new pg.Client(subject.connection);
      const b = new pg.Client(subject.connection);
      await Promise.all([a.connect(), b.connect()]);
      const heard: (string | undefined)[] = [];
      const arrived = deferred();
      b.on("notification", ({ payload }) => {
        heard.push(payload);
        arrived.resolve();
      });
      await a.query('-- whoever shares; and shares alike\nLISTEN "Shared"; -- a comment');
      await b.query('BEGIN; LISTEN "Shared"; COMMIT');
      await a.query('UNLISTEN "Shared"');
      await a.end();
      await pool.query(`NOTIFY "Shared", 'still there'`);
      await arrived.promise;
      await b.end();
      expect(heard).toEqual(["still there"]);
    });

    test("rolls back what a dropped client left open", async () => {
      await pool.query("CREATE TABLE dropped (id int)");
      const client = await pool.connect();
      await client.query("BEGIN");
      await client.query("INSERT INTO dropped VALUES (1)");
      client.release(true);
      expect(await column("SELECT id FROM dropped")).toEqual([]);
    });

    test("keeps a connection usable after an error", async () => {
      const client = await pool.connect();
      const code = (query: Promise<unknown>) =>
        query.then(
          () => undefined,
          (error: pg.DatabaseError) => error.code,
        );
      expect(await code(client.query("SELECT $1::int / 0", [1]))).toBe("22012");
      expect(await code(client.query("SELEC 1"))).toBe("42601");
      expect(await code(client.query("SELECT 1; SELECT 1/0; SELECT 2"))).toBe("22012");
      await client.query("BEGIN");
      expect(await code(client.query("SELECT 1/0"))).toBe("22012");
      expect(await code(client.query("SELECT 1"))).toBe("25P02");
      await client.query("ROLLBACK");
      expect((await client.query("SELECT $1::int AS v", [3])).rows).toEqual([{ v: 3 }]);
      client.release();
    });

    test("claims rows with SKIP LOCKED once each", async () => {
      await pool.query("CREATE TABLE task (id int PRIMARY KEY, done boolean NOT NULL DEFAULT false)");
      await pool.query("INSERT INTO task SELECT generate_series(1, 50)");
      const claim =
        "UPDATE task SET done = true WHERE id = " +
        "(SELECT id FROM task WHERE NOT done ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id";
      const claimed: number[] = [];
      const worker = async () => {
        for (let ids = await column<number>(claim); ids.length > 0; ids = await column<number>(claim)) {
          claimed.push(...ids);
        }
      };
      await Promise.all(Array.from({ length: 8 }, worker));
      expect(claimed.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    });

    test("carries a megabyte of bytes both ways", async () => {
      const bytes = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 7) % 256));
      const [returned] = await column<Buffer>("SELECT $1::bytea", [bytes]);
      expect(returned!.equals(bytes)).toBe(true);
    });

    test("has vectors, half vectors and their index", async () => {
      await pool.query("CREATE EXTENSION IF NOT EXISTS vector");
      await pool.query("CREATE TABLE point (id int PRIMARY KEY, e vector(3), h halfvec(3))");
      await pool.query("CREATE INDEX ON point USING hnsw (e vector_cosine_ops)");
      await pool.query(
        "INSERT INTO point VALUES (1, '[1,0,0]', '[1,0,0]'), (2, '[0,1,0]', '[0,1,0]'), (3, '[0.9,0.1,0]', '[0.9,0.1,0]')",
      );
      expect(await column("SELECT id FROM point ORDER BY e <=> $1 LIMIT 2", ["[1,0,0]"])).toEqual([1, 3]);
      expect(await column("SELECT id FROM point ORDER BY h <-> $1 LIMIT 2", ["[0,1,0]"])).toEqual([2, 3]);
      const tuned = await subject.database.transaction(async (tx) => {
        await tx.query("SET LOCAL hnsw.iterative_scan = 'strict_order'");
        return tx.query("SELECT id FROM point WHERE id > 1 ORDER BY e <=> '[1,0,0]' LIMIT 1");
      });
      expect(tuned).toEqual([{ id: 3 }]);
    });

    test("has full text and trigrams", async () => {
      await pool.query("CREATE EXTENSION IF NOT EXISTS pg_trgm");
      await pool.query(
        "CREATE TABLE note (id int, body text, words tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED)",
      );
      await pool.query(
        "CREATE INDEX ON note USING gin (words); CREATE INDEX ON note USING gin (body gin_trgm_ops)",
      );
      await pool.query(
        "INSERT INTO note VALUES (1, 'Carbon prices are rising'), (2, 'Power curves for winter')",
      );
      const search = "SELECT id FROM note WHERE words @@ websearch_to_tsquery('english', $1)";
      expect(await column(search, ["rise price -winter"])).toEqual([1]);
      expect((await column<number>("SELECT similarity('carbon', 'carbn')"))[0]).toBeGreaterThan(0.4);
    });

    test("answers check and takes maintenance while it serves", async () => {
      await subject.database.check();
      await Promise.all([subject.database.maintain(), subject.database.check()]);
    });
  });
}
