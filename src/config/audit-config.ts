import { secretCheck } from "./credential-checks.js";
import type { Settings } from "./settings.js";

export interface AuditConfig {
  /** Whether queries have entries, too. */
  queries: boolean;
  /** Secrets that heads of its chain are signed with: the first one signs; empty: derived from another secret. */
  keys: string[];
  /** Between two heads, at least. */
  headMs: number;
}

export function auditConfig(settings: Settings): AuditConfig {
  return {
    queries: settings.ML_AUDIT_QUERIES ?? true,
    keys: settings.ML_AUDIT_KEY,
    headMs: settings.ML_AUDIT_HEAD_SECONDS * 1000,
  };
}

export function auditChecks({ ML_AUDIT_KEY: keys = [] }: Partial<Settings>, exposed: boolean): string[] {
  return [...new Set(keys.flatMap((key) => secretCheck("ML_AUDIT_KEY", key, exposed)))];
}
