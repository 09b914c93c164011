import type { ErrorCode } from "./errors.js";

export type AnyErrorCode = ErrorCode | "INTERNAL";

/**
 * Whose fault an error of that code is: what callers could have avoided spends nothing of the error budget. The
 * alerting rules and the README have the same list, which a test compares.
 */
export const ERROR_FAULTS: Readonly<Record<AnyErrorCode, "caller" | "platform">> = {
  UNAUTHENTICATED: "caller",
  FORBIDDEN: "caller",
  NOT_FOUND: "caller",
  INVALID_INPUT: "caller",
  CONFLICT: "caller",
  PRECONDITION_FAILED: "caller",
  TOO_LARGE: "caller",
  RATE_LIMITED: "caller",
  OVERLOADED: "platform",
  UNAVAILABLE: "platform",
  TIMEOUT: "platform",
  INTERNAL: "platform",
};

/** Codes of errors that are ours. */
export const PLATFORM_CODES = Object.entries(ERROR_FAULTS).flatMap(([code, fault]) =>
  fault === "platform" ? [code] : [],
);

/** The code that an operation with these errors counts by: one of ours, if there is any. */
export function decisiveCode(codes: readonly string[]): string {
  const ours = codes.find((code) => (ERROR_FAULTS as Record<string, string>)[code] !== "caller");
  return ours ?? codes[0] ?? "OK";
}
