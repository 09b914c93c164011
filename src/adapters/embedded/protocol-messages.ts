/**
 * The messages of the PostgreSQL wire protocol 3.0 that a server in front of an embedded backend
 * must read or write by itself. A message is a type byte, its length (Int32, counting itself) and a
 * body; the start-up message alone has no type byte.
 */

const PROTOCOL_SSL_REQUEST = 80877103;
const PROTOCOL_GSS_REQUEST = 80877104;
const PROTOCOL_CANCEL_REQUEST = 80877102;

export type TransactionStatus = "I" | "T" | "E";

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function cString(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function message(type: string, ...body: Buffer[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, 4);
  return Buffer.concat([Buffer.from(type), int32(length), ...body]);
}

export function simpleQuery(sql: string): Buffer {
  return message("Q", cString(sql));
}

export function readyForQuery(status: TransactionStatus): Buffer {
  return message("Z", Buffer.from(status));
}

/** @param code SQLSTATE */
export function errorResponse(severity: "ERROR" | "FATAL", code: string, text: string): Buffer {
  const fields = [`S${severity}`, `V${severity}`, `C${code}`, `M${text}`];
  return message("E", ...fields.map(cString), Buffer.from([0]));
}

/** What a server says to a client that needs no password. */
export function welcome(processId: number, parameters: Record<string, string>): Buffer {
  return Buffer.concat([
    message("R", int32(0)),
    ...Object.entries(parameters).map(([name, value]) => message("S", cString(name), cString(value))),
    message("K", int32(processId), int32(0)),
    readyForQuery("I"),
  ]);
}

/** The answer to a client that asks for TLS or GSS encryption. */
export const encryptionRefused = Buffer.from("N");

export type FrontendMessage =
  | { kind: "encryption" }
  | { kind: "cancel" }
  | { kind: "startup"; parameters: Map<string, string> }
  | { kind: "typed"; type: string; bytes: Buffer };

/** Cuts what a client sends into messages. */
export class FrontendReader {
  private rest: Buffer = Buffer.alloc(0);
  private started = false;

  *read(chunk: Buffer): Generator<FrontendMessage> {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (;;) {
      const offset = this.started ? 1 : 0;
      if (this.rest.length < offset + 4) return;
      const length = offset + this.rest.readInt32BE(offset);
      if (this.rest.length < length) return;
      const bytes = this.rest.subarray(0, length);
      this.rest = this.rest.subarray(length);
      yield this.started
        ? { kind: "typed", type: String.fromCharCode(bytes[0]!), bytes }
        : this.opening(bytes);
    }
  }

  private opening(bytes: Buffer): FrontendMessage {
    const code = bytes.readInt32BE(4);
    if (code === PROTOCOL_SSL_REQUEST || code === PROTOCOL_GSS_REQUEST) return { kind: "encryption" };
    if (code === PROTOCOL_CANCEL_REQUEST) return { kind: "cancel" };
    this.started = true;
    const words = bytes.toString("utf8", 8).split("\0");
    const parameters = new Map<string, string>();
    for (let i = 0; i + 1 < words.length && words[i] !== ""; i += 2) parameters.set(words[i]!, words[i + 1]!);
    return { kind: "startup", parameters };
  }
}

export interface StatementUse {
  /** Text of the statement, in a Query or Parse message. */
  text?: string;
  /** Name given to a prepared statement by a Parse message. */
  prepares?: string;
  bytes: Buffer;
}

/**
 * Puts `prefix` before the name of a prepared statement in Parse, Bind, Describe and Close, so that
 * sessions that share one backend may use the same names. The unnamed statement stays unnamed.
 */
export function withStatementPrefix(type: string, bytes: Buffer, prefix: string): StatementUse {
  if (type === "Q") return { bytes, text: bytes.toString("utf8", 5, bytes.length - 1) };
  if (type === "P") {
    const nameEnd = bytes.indexOf(0, 5);
    const text = bytes.toString("utf8", nameEnd + 1, bytes.indexOf(0, nameEnd + 1));
    if (nameEnd === 5) return { bytes, text };
    const name = prefix + bytes.toString("utf8", 5, nameEnd);
    return { text, prepares: name, bytes: message("P", cString(name), bytes.subarray(nameEnd + 1)) };
  }
  if (type === "B") {
    const portalEnd = bytes.indexOf(0, 5) + 1;
    const nameEnd = bytes.indexOf(0, portalEnd);
    if (nameEnd === portalEnd) return { bytes };
    const name = prefix + bytes.toString("utf8", portalEnd, nameEnd);
    return { bytes: message("B", bytes.subarray(5, portalEnd), cString(name), bytes.subarray(nameEnd + 1)) };
  }
  if ((type === "D" || type === "C") && bytes[5] === "S".charCodeAt(0) && bytes.length > 7) {
    const name = prefix + bytes.toString("utf8", 6, bytes.length - 1);
    return { bytes: message(type, Buffer.from("S"), cString(name)) };
  }
  return { bytes };
}

export interface Notification {
  channel: string;
  bytes: Buffer;
}

/** What the backend answered to one batch of messages. */
export interface BackendAnswer {
  /** Everything but notifications, as it came. */
  bytes: Buffer;
  /** Commands completed, e.g. `SET` or `INSERT 0 1`. */
  tags: string[];
  notifications: Notification[];
  /** Values of the rows, as text; of interest for queries of our own only. */
  rows(): (string | null)[][];
  /** Message of the first error. */
  error?: string;
  /** Status after the batch; undefined when it did not end with ReadyForQuery. */
  status?: TransactionStatus;
}

export function readAnswer(bytes: Buffer): BackendAnswer {
  const kept: Buffer[] = [];
  const dataRows: Buffer[] = [];
  const answer: BackendAnswer = { bytes, tags: [], notifications: [], rows: () => dataRows.map(rowValues) };
  for (let start = 0; start < bytes.length;) {
    const end = start + 1 + bytes.readInt32BE(start + 1);
    const part = bytes.subarray(start, end);
    start = end;
    const type = String.fromCharCode(part[0]!);
    if (type === "A") {
      answer.notifications.push({ channel: part.toString("utf8", 9, part.indexOf(0, 9)), bytes: part });
      continue;
    }
    if (type === "Z") answer.status = String.fromCharCode(part[5]!) as TransactionStatus;
    else if (type === "C") answer.tags.push(part.toString("utf8", 5, part.length - 1));
    else if (type === "E") answer.error ??= errorText(part);
    else if (type === "D") dataRows.push(part);
    kept.push(part);
  }
  if (answer.notifications.length > 0) answer.bytes = Buffer.concat(kept);
  return answer;
}

function rowValues(row: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  let at = 7;
  for (let left = row.readInt16BE(5); left > 0; left--) {
    const length = row.readInt32BE(at);
    values.push(length < 0 ? null : row.toString("utf8", at + 4, at + 4 + length));
    at += 4 + Math.max(length, 0);
  }
  return values;
}

function errorText(error: Buffer): string {
  const fields = error.toString("utf8", 5).split("\0");
  return fields.find((field) => field.startsWith("M"))?.slice(1) ?? "unknown error";
}
