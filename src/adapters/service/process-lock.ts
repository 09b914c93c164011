import { setTimeout as delay } from "node:timers/promises";
import type { Duplex } from "node:stream";
import pg from "pg";
import { PreconditionFailedError } from "../../shared/errors.js";
import type { AdapterLog } from "../adapter-log.js";
import { assertAnswers } from "../assert-answers.js";
import { awaitServer } from "../await-server.js";
import { isFinalRefusal } from "./postgres-start.js";

export interface ProcessLockOptions {
  connection: pg.ClientConfig;
  /** Processes that share all engines work side by side; one that has an engine for itself works alone. */
  mode: "shared" | "alone";
  /** What a process that works alone has for itself: variables that are not set. */
  lacks: readonly string[];
  startTimeoutMs: number;
  log: AdapterLog;
  /** Another process has the database, which this one lost while its connection was broken. */
  onLost: (error: Error) => void;
}

/** The bytes of "254p". */
const KEY = 0x32353470;
/** A process that was killed leaves its session until the server has noticed. */
const PREDECESSOR_MS = 5_000;
/** After a broken connection the old session may be our own: a server that was cut off takes so long to notice. */
const OWN_SESSION_MS = 60_000;
const RETRY_MS = 200;
const RECONNECT_MS = 1_000;
const HEARTBEAT_MS = 5_000;

/**
 * Keeps processes from one database that would not know of each other: an advisory lock held by a session of its
 * own, taken anew when its connection breaks.
 */
export class ProcessLock {
  private client?: pg.Client;
  private closed = false;

  private constructor(private readonly options: ProcessLockOptions) {}

  /**
   * @throws {UnavailableError} when the server does not answer, or refuses the credentials or its certificate does not hold
   * @throws {PreconditionFailedError} when another process holds the database
   */
  static async take(options: ProcessLockOptions): Promise<ProcessLock> {
    const lock = new ProcessLock(options);
    const { startTimeoutMs: timeoutMs, log } = options;
    const client = await awaitServer("ML_VECTOR_DB_DSN", () => lock.connect(), {
      ...{ timeoutMs, log },
      isFinal: isFinalRefusal,
    });
    await lock.hold(client, PREDECESSOR_MS);
    return lock;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.client?.end();
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.options.connection, application_name: "254carbon process" });
    client.on("error", (err) => {
      if (!this.closed) this.options.log.warn({ err }, "the connection of the process lock broke");
    });
    await client.connect();
    return client;
  }

  private async hold(client: pg.Client, patienceMs: number): Promise<void> {
    try {
      // The server notices within 25 s that the machine of a session is gone.
      await client.query(
        "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3",
      );
      await this.lock(client, performance.now() + patienceMs);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    this.client = client;
    const heartbeat = setInterval(() => void assertAlive(client), HEARTBEAT_MS).unref();
    client.once("end", () => {
      clearInterval(heartbeat);
      if (!this.closed) void this.retake();
    });
  }

  private async lock(client: pg.Client, deadline: number): Promise<void> {
    const attempt = this.options.mode === "alone" ? "pg_try_advisory_lock" : "pg_try_advisory_lock_shared";
    for (;;) {
      const { rows } = await client.query<{ taken: boolean }>(`SELECT ${attempt}($1) AS taken`, [KEY]);
      if (rows[0]!.taken) return;
      if (performance.now() > deadline || this.closed) throw this.refusal();
      await delay(RETRY_MS);
    }
  }

  /** Until it holds again, another may have come: then this process has to go. */
  private async retake(): Promise<void> {
    while (!this.closed) {
      try {
        await this.hold(await this.connect(), OWN_SESSION_MS);
        return;
      } catch (error) {
        if (this.closed) return;
        if (error instanceof PreconditionFailedError) return this.options.onLost(error);
        await delay(RECONNECT_MS);
      }
    }
  }

  private refusal(): PreconditionFailedError {
    const { mode, lacks } = this.options;
    return new PreconditionFailedError(
      mode === "alone"
        ? `another process works on the database of ML_VECTOR_DB_DSN; to work beside others, this one needs ${lacks.join(" and ")}, too`
        : "a process that has engines for itself works alone on the database of ML_VECTOR_DB_DSN; " +
            "end it, or give it ML_REDIS_URL and ML_S3_BUCKET, too",
    );
  }
}

async function assertAlive(client: pg.Client): Promise<void> {
  await assertAnswers("the database", client.query("SELECT 1")).catch(() => {
    // Not among the driver's types: the socket below its protocol. Its end makes another connection.
    (client as unknown as { connection: { stream: Duplex } }).connection.stream.destroy();
  });
}
