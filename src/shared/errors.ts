/** The codes that clients see in `errors[].extensions.code`. */
export type ErrorCode =
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "INVALID_INPUT"
  | "CONFLICT"
  | "PRECONDITION_FAILED"
  | "TOO_LARGE"
  | "RATE_LIMITED"
  | "OVERLOADED"
  | "UNAVAILABLE"
  | "TIMEOUT";

/** A failure that its caller can understand; anything else is INTERNAL. Translated once per door. */
export abstract class PlatformError extends Error {
  abstract readonly code: ErrorCode;
  /** Path of the offending input, e.g. `input.inputs.0.shape`. */
  readonly field?: string;

  constructor(message: string, options: { field?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.field = options.field;
  }
}

export class UnauthenticatedError extends PlatformError {
  readonly code = "UNAUTHENTICATED";
}

export class ForbiddenError extends PlatformError {
  readonly code = "FORBIDDEN";
}

/** A name or id that does not exist. */
export class NotFoundError extends PlatformError {
  readonly code = "NOT_FOUND";
}

/** Parse, validation, coercion, ranges and page sizes. */
export class InvalidInputError extends PlatformError {
  readonly code = "INVALID_INPUT";

  /** @param field path of the input, e.g. `input.horizons.2` */
  static at(field: string, rule: string): InvalidInputError {
    return new InvalidInputError(`${field}: ${rule}`, { field });
  }
}

/** A name taken, a stale expectation, an idempotency key used with another body. */
export class ConflictError extends PlatformError {
  readonly code = "CONFLICT";
}

/** The thing exists, but is in the wrong state for this. */
export class PreconditionFailedError extends PlatformError {
  readonly code = "PRECONDITION_FAILED";
}

export class TooLargeError extends PlatformError {
  readonly code = "TOO_LARGE";
}

export class RateLimitedError extends PlatformError {
  readonly code = "RATE_LIMITED";

  /** @param retryAfterSeconds when the same may be tried again, where that is known */
  constructor(
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** The queue in front of a bounded resource is full; try again later. */
export class OverloadedError extends PlatformError {
  readonly code = "OVERLOADED";
}

/** An engine that this needs does not answer. */
export class UnavailableError extends PlatformError {
  readonly code = "UNAVAILABLE";
}

export class TimeoutError extends PlatformError {
  readonly code = "TIMEOUT";
}

/** Whether the same may succeed a little later, with nothing changed but the load or an engine that is back. */
export function isTransient(error: unknown): boolean {
  return [RateLimitedError, OverloadedError, UnavailableError, TimeoutError].some(
    (kind) => error instanceof kind,
  );
}
