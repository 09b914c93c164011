import {
  encryptionRefused,
  errorResponse,
  FrontendReader,
  simpleQuery,
  welcome,
  withStatementPrefix,
} from "./protocol-messages.js";
import type { BackendAnswer } from "./protocol-messages.js";

/** Messages that the backend gets in one go; a client waits for the answer after each. */
export interface Batch {
  bytes: Buffer;
  /** Texts of the statements in it. */
  texts: string[];
  /** The client expects ReadyForQuery at its end. */
  expectsReady: boolean;
}

export interface SessionEvents {
  batch(batch: Batch): void;
  reply(bytes: Buffer): void;
  /** The client took its leave. */
  end(): void;
}

/** What real servers report at start-up and clients rely on. */
const SERVER_PARAMETERS = {
  server_version: "18.0",
  server_encoding: "UTF8",
  client_encoding: "UTF8",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  integer_datetimes: "on",
  standard_conforming_strings: "on",
};

/** Start-up parameters that are not settings, or that mean nothing with a single backend. */
const NOT_SETTINGS = new Set([
  "user",
  "database",
  "options",
  "replication",
  "client_encoding",
  "application_name",
]);

const ENDS_BATCH = new Set(["Q", "S", "H", "c", "f"]);
const SETS_SESSION = /\bSET\s+(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b)|\bRESET\b|\bset_config\s*\(/i;
const COPIES_IN = /\bCOPY\b[^;]*\bFROM\s+STDIN\b/i;
const COPY_REFUSAL =
  "DO $$ BEGIN RAISE feature_not_supported USING MESSAGE = 'the embedded database has no COPY FROM STDIN'; END $$";
const COMMENTS = /--[^\n]*|\/\*[^]*?\*\//g;
const LISTENS = /(?:^|;)\s*(UN)?LISTEN\s+(?:(\*)|"((?:[^"]|"")+)"|([^\s";]+))/gi;

/**
 * One client of the embedded backend: answers the start-up of the connection, cuts messages into
 * batches, and remembers what a backend of its own would remember: settings, channels and prepared
 * statements. Temporary tables, session-level advisory locks and DISCARD are not kept apart. COPY FROM
 * STDIN is refused: the engine, which cannot wait for more messages, would end.
 */
export class ClientSession {
  /** Settings that differ from the server's, as set_config() takes them. */
  settings = new Map<string, string>();
  readonly channels = new Set<string>();
  /** Names of prepared statements as the backend knows them. */
  readonly statements = new Set<string>();
  closed = false;

  private readonly reader = new FrontendReader();
  private pending: Buffer[] = [];
  private texts: string[] = [];
  private uncommittedListens: [channel: string, listens: boolean][] = [];
  private settingsTouched = false;

  constructor(
    private readonly id: number,
    private readonly events: SessionEvents,
  ) {}

  receive(chunk: Buffer): void {
    for (const message of this.reader.read(chunk)) {
      if (message.kind === "encryption") this.reply(encryptionRefused);
      else if (message.kind === "cancel") this.events.end();
      else if (message.kind === "startup") this.start(message.parameters);
      else if (message.type === "X") this.events.end();
      else this.collect(message.type, message.bytes);
    }
  }

  reply(bytes: Buffer): void {
    if (!this.closed && bytes.length > 0) this.events.reply(bytes);
  }

  terminate(code: string, text: string): void {
    this.reply(errorResponse("FATAL", code, text));
    this.events.end();
  }

  /**
   * Remembers what the batch did to the session.
   * @returns whether settings may have changed, once the transaction has ended
   */
  completed(batch: Batch, answer: BackendAnswer): boolean {
    if (batch.texts.some((text) => SETS_SESSION.test(text))) this.settingsTouched = true;
    if (answer.tags.some((tag) => tag === "LISTEN" || tag === "UNLISTEN")) {
      for (const text of batch.texts) this.uncommittedListens.push(...listensOf(text));
    }
    if (answer.status !== "I") return false;
    const rolledBack = answer.tags.at(-1) === "ROLLBACK";
    for (const [channel, listens] of this.uncommittedListens.splice(0)) {
      if (rolledBack) continue;
      if (listens) this.channels.add(channel);
      else if (channel === "*") this.channels.clear();
      else this.channels.delete(channel);
    }
    const touched = this.settingsTouched;
    this.settingsTouched = false;
    return touched;
  }

  private start(parameters: Map<string, string>): void {
    for (const [name, value] of parameters) {
      if (!NOT_SETTINGS.has(name) && !name.startsWith("_pq_.")) this.settings.set(name.toLowerCase(), value);
    }
    for (const [name, value] of commandLineSettings(parameters.get("options") ?? ""))
      this.settings.set(name, value);
    this.reply(welcome(this.id, SERVER_PARAMETERS));
  }

  private collect(type: string, bytes: Buffer): void {
    const use = withStatementPrefix(type, bytes, `s${this.id}_`);
    if (use.text !== undefined) this.texts.push(use.text);
    if (use.prepares !== undefined) this.statements.add(use.prepares);
    this.pending.push(use.bytes);
    if (!ENDS_BATCH.has(type)) return;
    const refused = this.texts.some((text) => COPIES_IN.test(text.replace(COMMENTS, "")));
    const batch = {
      bytes: refused ? simpleQuery(COPY_REFUSAL) : Buffer.concat(this.pending),
      texts: this.texts,
      expectsReady: type !== "H",
    };
    this.pending = [];
    this.texts = [];
    this.events.batch(batch);
  }
}

/** `-c name=value` pairs of the start-up parameter `options`; a backslash escapes the next character. */
function* commandLineSettings(options: string): Generator<[name: string, value: string]> {
  for (const [, name, value] of options.matchAll(/(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)/g)) {
    yield [name!.replaceAll("-", "_").toLowerCase(), value!.replace(/\\(.)/g, "$1")];
  }
}

function* listensOf(text: string): Generator<[channel: string, listens: boolean]> {
  for (const [, un, all, quoted, plain] of text.replace(COMMENTS, "").matchAll(LISTENS)) {
    const channel = all ?? quoted?.replaceAll('""', '"') ?? plain!.toLowerCase();
    yield [channel, un === undefined];
  }
}
