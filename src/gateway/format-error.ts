import { randomUUID } from "node:crypto";
import { unwrapResolverError } from "@apollo/server/errors";
import { GraphQLError } from "graphql";
import type { GraphQLFormattedError } from "graphql";
import { reportOperationError } from "../telemetry/events.js";
import { PlatformError, RateLimitedError } from "../shared/errors.js";
import { fieldOfNode } from "./input-path.js";

/**
 * Translates a failure for clients, once, whichever door it leaves by.
 * @param requestId for the log, where a failure of our own is told in full
 */
export function formatError(
  formatted: GraphQLFormattedError,
  error: unknown,
  requestId?: string,
): GraphQLFormattedError {
  const cause = causeOf(error);
  const { locations, path } = formatted;
  const place = { ...(locations ? { locations } : {}), ...(path ? { path } : {}) };
  if (cause instanceof PlatformError) {
    reportOperationError({ code: cause.code });
    return {
      message: cause.message,
      ...place,
      extensions: { code: cause.code, ...fieldExtension(cause.field), ...retryExtension(cause) },
    };
  }
  if (cause instanceof GraphQLError && isClientFault(formatted, cause)) {
    reportOperationError({ code: "INVALID_INPUT" });
    const field = (cause.extensions.field as string | undefined) ?? fieldOfNode(cause);
    return {
      message: cause.message,
      ...place,
      extensions: { code: "INVALID_INPUT", ...fieldExtension(field) },
    };
  }
  const errorId = randomUUID();
  reportOperationError({ code: "INTERNAL", errorId, requestId, err: cause });
  return { message: `internal error ${errorId}`, ...place, extensions: { code: "INTERNAL", errorId } };
}

/** Codes of errors as clients are told them. */
export function codesOf(errors: readonly GraphQLFormattedError[] = []): string[] {
  return errors.map(({ extensions }) => String(extensions?.code ?? "INTERNAL"));
}

/** What a resolver threw, or what was thrown around all of them: that one has neither path nor nodes. */
function causeOf(error: unknown): unknown {
  const cause = unwrapResolverError(error);
  if (!(cause instanceof GraphQLError) || !cause.originalError) return cause;
  return cause.originalError instanceof PlatformError || !cause.nodes ? cause.originalError : cause;
}

/**
 * The engine's own errors concern what the client sent when they come before execution, or point into its
 * document; a value of ours that does not fit the schema does neither.
 */
function isClientFault(formatted: GraphQLFormattedError, error: GraphQLError): boolean {
  return formatted.path === undefined || (error.nodes?.length ?? 0) > 0;
}

function fieldExtension(field: string | undefined): { field?: string } {
  return field === undefined ? {} : { field };
}

function retryExtension(error: PlatformError): { retryAfterSeconds?: number } {
  const seconds = error instanceof RateLimitedError ? error.retryAfterSeconds : undefined;
  return seconds === undefined ? {} : { retryAfterSeconds: seconds };
}
