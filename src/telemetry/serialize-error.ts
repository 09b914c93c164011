import { maskedText } from "../shared/masked-text.js";

/**
 * Classes of SQLSTATE whose messages name tables, constraints and conditions; those of the others, of data that does
 * not fit above all, repeat values.
 */
const HARMLESS_STATES = new Set([
  "08",
  "0A",
  "23",
  "25",
  "28",
  "3D",
  "40",
  "42",
  "53",
  "55",
  "57",
  "58",
  "P0",
]);
/** What an error of PostgreSQL may say beside it: its `detail`, `where` and `hint` carry values of rows. */
const SERVER_FIELDS = ["severity", "schema", "table", "column", "constraint", "routine"] as const;
const NAME = /^[\w$.-]{1,128}$/;

type Fields = Record<string, unknown>;

/**
 * An error as it may be logged: its class and code, its message with everything masked that might be somebody's, and
 * where it was thrown. Engines hang queries, parameters and addresses with passwords on their errors.
 */
export function serializeError(error: unknown): Fields {
  if (!(error instanceof Error)) return { message: maskedText(textOf(error)) };
  const { driverError } = error as { driverError?: unknown };
  const cause = (driverError instanceof Error ? driverError : error) as Error & Fields;
  const code = nameOf(cause.code);
  return {
    name: nameOf(error.name) ?? "Error",
    message: messageOf(cause, code),
    stack: framesOf(error),
    ...(code === undefined ? {} : { code }),
    ...(isServerError(cause, code) ? serverFields(cause) : {}),
  };
}

/** Some engines throw objects that are no errors, but say what is wrong. */
function textOf(thrown: unknown): string {
  const { message } = (typeof thrown === "object" ? (thrown ?? {}) : {}) as { message?: unknown };
  return typeof message === "string" ? message : String(thrown);
}

/** An error of the process itself, for standard error. */
export function describeError(error: unknown): string {
  const { name, message, stack } = serializeError(error);
  return [`${name === undefined ? "" : `${name as string}: `}${message as string}`, stack]
    .join("\n")
    .trimEnd();
}

function messageOf(cause: Error, code: string | undefined): string {
  if (!isServerError(cause as Error & Fields, code)) return maskedText(cause.message);
  return HARMLESS_STATES.has(code!.slice(0, 2)) ? cause.message : `PostgreSQL reports ${code}`;
}

function isServerError(cause: Error & Fields, code: string | undefined): boolean {
  return typeof cause.severity === "string" && /^[0-9A-Z]{5}$/.test(code ?? "");
}

function serverFields(cause: Fields): Fields {
  const named = SERVER_FIELDS.map((field) => [field, nameOf(cause[field])] as const);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined));
}

function nameOf(value: unknown): string | undefined {
  return typeof value === "string" && NAME.test(value) ? value : undefined;
}

/** Without the message, which stands before them. */
function framesOf({ stack = "" }: Error): string {
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}
