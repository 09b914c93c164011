import { isSpanContextValid, trace } from "@opentelemetry/api";
import { pino } from "pino";
import type { Logger as PinoLogger } from "pino";
import { maskedText } from "../shared/masked-text.js";
import { ScopedStorage } from "../shared/scoped-storage.js";
import { serializeError } from "./serialize-error.js";

/** Fields that may be logged; whatever else is passed is left out, so that no value leaks by accident. */
const ALLOWED_FIELDS = new Set([
  "event",
  "msg",
  "err",
  "errorId",
  "code",
  "field",
  "requestId",
  "traceId",
  "spanId",
  "operation",
  "operationType",
  "method",
  "path",
  "status",
  "durationMs",
  "caller",
  "model",
  "version",
  "number",
  "stage",
  "curve",
  "collection",
  "index",
  "recall",
  "run",
  "job",
  "kind",
  "queue",
  "schedule",
  "attempt",
  "progress",
  "count",
  "bytes",
  "rows",
  "url",
  "port",
  "tier",
  "pid",
  "signal",
  "reason",
  "folder",
  "placement",
  "provider",
  "warmRunMs",
  "seconds",
  "what",
  "role",
  "apiKey",
  "phase",
  "warm",
  "failed",
  "left",
  "variables",
  "complaints",
  "server",
  "call",
  "bucket",
  "settings",
  "versioning",
  "table",
  "from",
  "backup",
  "artifacts",
  "dryRun",
  "counts",
  "created",
  "updated",
  "unchanged",
  "deleted",
]);

/** What identifies the request or job that is being worked on. */
export interface LogScope {
  requestId?: string;
  job?: string;
}

const scopes = new ScopedStorage<LogScope>();

/** Log lines that `work` causes carry the ids. The many queries go without: what they log names their request itself. */
export function inLogScope<T>(scope: LogScope, work: () => Promise<T>): Promise<T> {
  return scopes.run(scope, work);
}

export type LogFields = Record<string, unknown>;

export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

const STDOUT = 1;
export const STDERR = 2;

/**
 * JSON lines, each with the ids of its request and trace.
 * @param fd where they go; standard output unless that is needed for a result
 */
export function createLogger(level: string, fd = STDOUT): PinoLogger {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) =>
          Object.fromEntries(Object.entries(fields).filter(([name]) => ALLOWED_FIELDS.has(name))),
      },
      serializers: {
        err: serializeError,
        reason: masked,
        complaints: (texts: unknown[]) => texts.map(masked),
      },
      mixin: currentIds,
    },
    pino.destination({ fd, sync: true }),
  );
}

function currentIds(): LogFields {
  const ids: LogFields = { ...scopes.current };
  const span = trace.getActiveSpan()?.spanContext();
  if (span && isSpanContextValid(span)) {
    ids.traceId = span.traceId;
    ids.spanId = span.spanId;
  }
  return ids;
}

function masked(text: unknown): string {
  return maskedText(String(text));
}
