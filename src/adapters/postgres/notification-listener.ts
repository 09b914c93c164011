import type { Duplex } from "node:stream";
import pg from "pg";
import { assertAnswers } from "../assert-answers.js";

/** Waits between attempts to connect again, in milliseconds. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** Nothing is sent on a quiet connection: whether a machine still stands behind it is asked this often. */
const HEARTBEAT_MS = 5_000;

type Wake = (payload: string) => void;

/** LISTEN on one connection of its own, made at the first need and again whenever it breaks. */
export class NotificationListener {
  private readonly wakes = new Map<string, Set<Wake>>();
  private connected: Promise<pg.Client> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly connection: pg.ClientConfig,
    private readonly onError: (error: Error) => void,
  ) {}

  /** @returns stops listening */
  async listen(channel: string, wake: Wake): Promise<() => Promise<void>> {
    this.wakes.set(channel, (this.wakes.get(channel) ?? new Set()).add(wake));
    try {
      const client = await this.client();
      await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      this.forget(channel, wake);
      throw error;
    }
    return async () => {
      if (!this.forget(channel, wake) || this.closed) return;
      const client = await this.client();
      await client.query(`UNLISTEN ${pg.escapeIdentifier(channel)}`);
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    const client = await this.connected?.catch(() => undefined);
    await client?.end();
  }

  /** @returns whether it was the last one of the channel */
  private forget(channel: string, wake: Wake): boolean {
    const wakes = this.wakes.get(channel);
    if (!wakes?.delete(wake) || wakes.size > 0) return false;
    return this.wakes.delete(channel);
  }

  private client(): Promise<pg.Client> {
    if (this.connected) return this.connected;
    const attempt = this.connect();
    this.connected = attempt;
    attempt.catch(() => (this.connected = undefined));
    return attempt;
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.connection);
    client.on("error", this.onError);
    client.on("notification", ({ channel, payload }) => {
      for (const wake of this.wakes.get(channel) ?? []) wake(payload ?? "");
    });
    await client.connect();
    const heartbeat = setInterval(() => void this.assertAlive(client), HEARTBEAT_MS).unref();
    client.once("end", () => {
      clearInterval(heartbeat);
      this.connected = undefined;
      this.reconnectAfter(FIRST_RETRY_MS);
    });
    return client;
  }

  private async assertAlive(client: pg.Client): Promise<void> {
    await assertAnswers("the database", client.query("SELECT 1")).catch(() => {
      // Not among the driver's types: the socket below its protocol. Its end makes another connection.
      (client as unknown as { connection: { stream: Duplex } }).connection.stream.destroy();
    });
  }

  private reconnectAfter(delayMs: number): void {
    if (this.closed) return;
    this.retry = setTimeout(() => {
      this.listenAgain().catch((error: Error) => {
        this.onError(error);
        this.reconnectAfter(Math.min(delayMs * 2, LAST_RETRY_MS));
      });
    }, delayMs);
  }

  private async listenAgain(): Promise<void> {
    const client = await this.client();
    for (const channel of this.wakes.keys()) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    for (const wakes of this.wakes.values()) for (const wake of wakes) wake("");
  }
}
