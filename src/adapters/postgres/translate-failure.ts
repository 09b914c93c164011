import { types } from "node:util";
import pg from "pg";
import {
  QueryFailedError,
  QueryRunnerAlreadyReleasedError,
  QueryRunnerProviderAlreadyReleasedError,
  TypeORMError,
} from "typeorm";
import { InvalidInputError, TimeoutError, UnavailableError } from "../../shared/errors.js";

/** The server, or the connection to it, failed; other engines have failures of their own. */
export class DatabaseUnavailableError extends UnavailableError {}

/** A transaction that lost against others: nothing of it has happened, and it may run again. */
export class TransactionConflictError extends DatabaseUnavailableError {}

/**
 * What a failure of PostgreSQL means to a caller, by SQLSTATE; errors of statements that are wrong, or broke a
 * constraint, stay what they are.
 */
export function translateFailure(error: unknown): unknown {
  const failure: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (failure instanceof pg.DatabaseError) return translateState(failure, error);
  return isBrokenConnection(failure)
    ? new DatabaseUnavailableError("the database does not answer", { cause: error })
    : error;
}

/**
 * What a transaction's failure means. A connection that breaks between two statements takes the session away, which
 * the next one reports as a mistake of its own.
 */
export function translateLostSession(error: unknown): unknown {
  const lost =
    error instanceof QueryRunnerAlreadyReleasedError ||
    error instanceof QueryRunnerProviderAlreadyReleasedError;
  return lost
    ? new DatabaseUnavailableError("the connection to the database broke", { cause: error })
    : error;
}

function translateState(failure: pg.DatabaseError, cause: unknown): unknown {
  const state = failure.code ?? "";
  // After a fatal one the server has ended the session, or never let it begin.
  const fatal = failure.severity === "FATAL" ? unavailable : undefined;
  const meaning = MEANINGS[state] ?? CLASSES[state.slice(0, 2)] ?? fatal;
  return meaning ? meaning(failure.message, cause) : cause;
}

type Meaning = (message: string, cause: unknown) => Error;

const timeout: Meaning = (message, cause) => new TimeoutError(`the database: ${message}`, { cause });
const unavailable: Meaning = (message, cause) =>
  new DatabaseUnavailableError(`the database: ${message}`, { cause });
const conflict: Meaning = (message, cause) =>
  new TransactionConflictError(`the database: ${message}`, { cause });
/** PostgreSQL's text holds every character but one. */
const unstorable: Meaning = (_message, cause) =>
  new InvalidInputError("text must not contain the character U+0000", { cause });

const MEANINGS: Record<string, Meaning | undefined> = {
  "22021": unstorable,
  "22P05": unstorable,
  // Of the session's time-outs: for an idle transaction, a whole transaction, a statement, a lock.
  "25P03": timeout,
  "25P04": timeout,
  "57014": timeout,
  "55P03": timeout,
  // A server that follows, or has just been made to.
  "25006": unavailable,
  "57P01": unavailable,
  "57P02": unavailable,
  "57P03": unavailable,
  "57P05": unavailable,
  "40001": conflict,
  "40P01": conflict,
};

/** Connection, resources (no space, no memory, too many connections), system errors. */
const CLASSES: Record<string, Meaning | undefined> = {
  "08": unavailable,
  "53": unavailable,
  "58": unavailable,
};

const MISTAKES = ["TypeError", "RangeError", "SyntaxError", "ReferenceError"];

/**
 * A statement fails without the server's word when its connection does: with the system's error, or a plain one of
 * the driver. Mistakes of ours are of their own classes.
 */
function isBrokenConnection(failure: unknown): boolean {
  return (
    types.isNativeError(failure) && !MISTAKES.includes(failure.name) && !(failure instanceof TypeORMError)
  );
}
