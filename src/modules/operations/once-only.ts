import { createHash } from "node:crypto";
import type { Transaction } from "../../ports/database.js";
import { ConflictError, InvalidInputError } from "../../shared/errors.js";

export interface IdempotentRequest {
  caller: string;
  operation: string;
  key: string | null | undefined;
  /** Everything in the request that makes a difference. */
  body: unknown;
}

/**
 * Does `work` once per key and answers repetitions with its outcome. Part of the caller's
 * transaction: a concurrent repetition waits for the first to commit.
 * @throws {ConflictError} when the key was used with another body
 */
export async function onceOnly<T extends object>(
  tx: Transaction,
  request: IdempotentRequest,
  work: () => Promise<T>,
): Promise<T & { repeated: boolean }> {
  if (request.key == null) return { ...(await work()), repeated: false };
  if (request.key.length === 0 || request.key.length > 200) {
    throw InvalidInputError.at("input.idempotencyKey", "must be 1 to 200 characters long");
  }
  const digest = createHash("sha256").update(canonicalJson(request.body)).digest("hex");
  const identity = [request.caller, request.operation, request.key];
  const claimed = await tx.query<unknown[]>(
    `INSERT INTO idempotency_keys (caller, operation, key, body_sha256) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING key`,
    [...identity, digest],
  );
  if (claimed.length === 0) {
    const [known] = await tx.query<{ body_sha256: string; outcome: T }[]>(
      "SELECT body_sha256, outcome FROM idempotency_keys WHERE caller = $1 AND operation = $2 AND key = $3",
      identity,
    );
    if (known?.body_sha256 !== digest) {
      throw new ConflictError("input.idempotencyKey: was used before with another request", {
        field: "input.idempotencyKey",
      });
    }
    return { ...known.outcome, repeated: true };
  }
  const outcome = await work();
  await tx.query(
    "UPDATE idempotency_keys SET outcome = $4 WHERE caller = $1 AND operation = $2 AND key = $3",
    [...identity, JSON.stringify(outcome)],
  );
  return { ...outcome, repeated: false };
}

/** JSON with sorted keys and without absent values, so that equal requests give equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return String(part);
    if (part === null || typeof part !== "object" || Array.isArray(part) || part instanceof Date) return part;
    const entries = Object.entries(part).filter(([, inner]) => inner != null);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
