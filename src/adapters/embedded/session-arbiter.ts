import { setImmediate } from "node:timers/promises";
import { errorResponse, readAnswer, readyForQuery, simpleQuery } from "./protocol-messages.js";
import type { BackendAnswer } from "./protocol-messages.js";
import type { Batch, ClientSession } from "./client-session.js";

export interface ArbiterOptions {
  /** How long a session may wait for the backend. */
  acquireTimeoutMs: number;
  /** How long a session may keep the backend in an open transaction without sending anything. */
  idleInTransactionTimeoutMs: number;
}

/** Between a commit and its notifications at other sessions, so that a client that has just seen an
 * empty queue on one connection has begun to wait on the other. */
const NOTIFY_DELAY_MS = 5;

const SESSION_SETTINGS =
  "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name <> 'application_name'";

interface Place {
  session: ClientSession;
  batches: Batch[];
  /** Runs while the session waits for the backend. */
  deadline?: NodeJS.Timeout;
}

/**
 * Lends the one backend to many sessions, a transaction at a time and in order of arrival: a session
 * owns it from its first message until the backend is idle outside any transaction.
 */
export class SessionArbiter {
  private readonly places = new Map<ClientSession, Place>();
  private readonly waiting: Place[] = [];
  private readonly orphanedStatements: string[] = [];
  private owner: Place | undefined;
  private idleTimer: NodeJS.Timeout | undefined;
  /** Settings now in force at the backend. */
  private settings = new Map<string, string>();
  private turning = false;

  /** @param execute sends messages to the backend and resolves to all that it answers */
  constructor(
    private readonly execute: (messages: Buffer) => Promise<Buffer>,
    private readonly options: ArbiterOptions,
  ) {}

  submit(session: ClientSession, batch: Batch): void {
    const place = this.places.get(session) ?? { session, batches: [] };
    this.places.set(session, place);
    place.batches.push(batch);
    if (place !== this.owner && !this.waiting.includes(place)) this.enqueue(place);
    void this.turn();
  }

  /** The client has gone: rolls back what it left open and forgets its statements. */
  leave(session: ClientSession): void {
    session.closed = true;
    this.orphanedStatements.push(...session.statements);
    const place = this.places.get(session);
    if (!place) return;
    this.places.delete(session);
    place.batches = [];
    clearTimeout(place.deadline);
    const index = this.waiting.indexOf(place);
    if (index >= 0) this.waiting.splice(index, 1);
    void this.turn();
  }

  private enqueue(place: Place): void {
    this.waiting.push(place);
    place.deadline = setTimeout(() => this.giveUp(place), this.options.acquireTimeoutMs);
  }

  private giveUp(place: Place): void {
    this.waiting.splice(this.waiting.indexOf(place), 1);
    const text =
      `the embedded database was busy with another transaction for ${this.options.acquireTimeoutMs} ms; ` +
      "does this query wait inside a transaction of another connection?";
    const refused = place.batches.shift();
    place.session.reply(errorResponse("ERROR", "55P03", text));
    if (refused?.expectsReady) place.session.reply(readyForQuery("I"));
    if (place.batches.length > 0) this.enqueue(place);
  }

  /** Serves sessions until nobody has anything to run. */
  private async turn(): Promise<void> {
    if (this.turning) return;
    this.turning = true;
    try {
      for (;;) {
        if (this.owner?.session.closed) await this.rollBackOwner();
        else if (!this.owner) {
          if (!(await this.admitNext())) return;
        } else {
          const batch = this.owner.batches.shift();
          if (!batch) return;
          await this.run(this.owner, batch);
          // Lets messages and timers in: the backend computes on this thread.
          await setImmediate();
        }
      }
    } finally {
      this.turning = false;
    }
  }

  private async admitNext(): Promise<boolean> {
    if (this.orphanedStatements.length > 0) await this.deallocateOrphans();
    const place = this.waiting.shift();
    if (!place) return false;
    clearTimeout(place.deadline);
    this.owner = place;
    await this.applySettings(place.session);
    return true;
  }

  private async run(place: Place, batch: Batch): Promise<void> {
    clearTimeout(this.idleTimer);
    const { session } = place;
    const answer = readAnswer(await this.execute(batch.bytes));
    const settingsTouched = session.completed(batch, answer);
    if (settingsTouched) await this.readSettings(session);
    if (answer.tags.includes("UNLISTEN")) await this.listenAgain();
    this.notify(session, answer);
    session.reply(answer.bytes);
    if (answer.status === "I") this.release(place);
    else this.watchIdleTransaction(place);
  }

  private release(place: Place): void {
    this.owner = undefined;
    if (place.batches.length > 0) this.enqueue(place);
  }

  private watchIdleTransaction(place: Place): void {
    const limit = this.options.idleInTransactionTimeoutMs;
    this.idleTimer = setTimeout(() => {
      place.session.terminate("25P03", `the transaction was idle for ${limit} ms and has been rolled back`);
    }, limit);
  }

  private async rollBackOwner(): Promise<void> {
    clearTimeout(this.idleTimer);
    await this.query("ROLLBACK");
    this.owner = undefined;
  }

  private async deallocateOrphans(): Promise<void> {
    for (const name of this.orphanedStatements.splice(0)) await this.query(`DEALLOCATE ${quoteName(name)}`);
  }

  /** Makes the backend's settings those of the session. */
  private async applySettings(session: ClientSession): Promise<void> {
    const wanted = session.settings;
    const resets = [...this.settings.keys()].filter((name) => !wanted.has(name));
    const changes = [...wanted].filter(([name, value]) => this.settings.get(name) !== value);
    if (resets.length === 0 && changes.length === 0) return;
    const statements = resets.map((name) => `RESET ${name}`);
    for (const [name, value] of changes) {
      statements.push(`SELECT set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`);
    }
    const { error } = await this.query(statements.join("; "));
    if (error === undefined) this.settings = new Map(wanted);
    else session.terminate("22023", error);
  }

  private async readSettings(session: ClientSession): Promise<void> {
    const rows = (await this.query(SESSION_SETTINGS)).rows();
    session.settings = new Map(rows.map(([name, value]) => [name!, value!]));
    this.settings = new Map(session.settings);
  }

  /** One session's UNLISTEN ends the backend's only subscription, which others may still need. */
  private async listenAgain(): Promise<void> {
    const channels = new Set([...this.places.keys()].flatMap((session) => [...session.channels]));
    for (const channel of channels) await this.query(`LISTEN ${quoteName(channel)}`);
  }

  private notify(sender: ClientSession, answer: BackendAnswer): void {
    for (const { channel, bytes } of answer.notifications) {
      for (const session of this.places.keys()) {
        if (!session.channels.has(channel)) continue;
        if (session === sender) session.reply(bytes);
        else setTimeout(() => session.reply(bytes), NOTIFY_DELAY_MS);
      }
    }
  }

  private async query(sql: string): Promise<BackendAnswer> {
    return readAnswer(await this.execute(simpleQuery(sql)));
  }
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteLiteral(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
