import type { Settings } from "./settings.js";

/** What one client may cost; where it is said, 0 is without end. */
export interface LimitsConfig {
  document: { tokens: number; depth: number; aliases: number; directives: number; rootFields: number };
  /** Points of one operation. */
  operationPoints: number;
  /** Points of a caller, a minute; 0 is without end. */
  ratePoints: number;
  /** Refused credentials of an address, a minute; 0 is without end. */
  failedLogins: number;
  /** Addresses and networks whose `X-Forwarded-For` is believed. */
  trustedProxies: string[];
  /** Time that an operation may take. */
  operationMs: number;
  /** Time that a connection may make no progress in. */
  silenceMs: number;
  /** WebSockets in total and of one caller, and the subscriptions of one caller on all of them; 0 is without end. */
  sockets: { total: number; perCaller: number; subscriptionsPerCaller: number };
}

const RATE_LIMIT_POINTS = 6_000;

/** @param exposed whether it serves others than its developers */
export function limitsConfig(settings: Settings, exposed: boolean): LimitsConfig {
  return {
    document: {
      tokens: settings.ML_MAX_TOKENS,
      depth: settings.ML_MAX_DEPTH,
      aliases: settings.ML_MAX_ALIASES,
      directives: settings.ML_MAX_DIRECTIVES,
      rootFields: settings.ML_MAX_ROOT_FIELDS,
    },
    operationPoints: settings.ML_MAX_OPERATION_COST,
    ratePoints: settings.ML_RATE_LIMIT_POINTS ?? (exposed ? RATE_LIMIT_POINTS : 0),
    failedLogins: settings.ML_MAX_FAILED_LOGINS,
    trustedProxies: settings.ML_TRUSTED_PROXIES,
    operationMs: settings.ML_OPERATION_TIMEOUT_MS,
    silenceMs: settings.ML_SILENCE_TIMEOUT_MS,
    sockets: {
      total: settings.ML_MAX_SOCKETS,
      perCaller: settings.ML_MAX_SOCKETS_PER_CALLER,
      subscriptionsPerCaller: settings.ML_MAX_SUBSCRIPTIONS_PER_CALLER,
    },
  };
}
