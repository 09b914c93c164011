import { createHash } from "node:crypto";

/** Place in the log: transaction first, then the entry within it. */
export interface AuditPosition {
  transactionId: bigint;
  id: bigint;
}

/** An entry as the chain sees it: every value as the text that the database gives. */
export interface SealedEntry extends AuditPosition {
  at: string;
  actor: string;
  action: string;
  target: string | null;
  outcome: string;
  requestId: string;
  detail: string;
}

export interface Seal {
  number: bigint;
  /** ISO, to the millisecond, like those of entries. */
  at: string;
  /** YYYY-MM-01 */
  month: string;
  after: AuditPosition;
  last: AuditPosition;
  entries: number;
  entriesSha256: string;
  previous: string;
  digest: string;
}

/** What the first seal follows. */
export const NO_SEAL = {
  number: 0n,
  at: "",
  last: { transactionId: 0n, id: 0n },
  digest: "0".repeat(64),
};

/** Digests entries in their order. */
export class EntriesDigest {
  count = 0;
  private readonly hash = createHash("sha256");

  add(entry: SealedEntry): void {
    this.count++;
    const { transactionId, id, at, actor, action, target, outcome, requestId, detail } = entry;
    const values = [String(transactionId), String(id), at, actor, action, target, outcome, requestId, detail];
    this.hash.update(JSON.stringify(values)).update("\n");
  }

  /** Hex; call it once, at the end. */
  end(): string {
    return this.hash.digest("hex");
  }
}

export function digestOfSeal(seal: Omit<Seal, "digest">): string {
  const { number, at, month, after, last, entries, entriesSha256, previous } = seal;
  const positions = [after.transactionId, after.id, last.transactionId, last.id];
  const values = [number, at, month, ...positions, entries, entriesSha256, previous].map(String);
  return createHash("sha256").update(JSON.stringify(values)).digest("hex");
}

/** Seals of entries that follow in their order, one for each run of a month. @param now ISO */
export function sealEntries(
  previous: Pick<Seal, "number" | "at" | "last" | "digest">,
  entries: readonly SealedEntry[],
  now: string,
): Seal[] {
  const seals: Seal[] = [];
  for (let start = 0; start < entries.length;) {
    const month = monthOf(entries[start]!.at);
    const digest = new EntriesDigest();
    let at = [now, seals.at(-1)?.at ?? previous.at].sort().at(-1)!;
    let end = start;
    for (; end < entries.length && monthOf(entries[end]!.at) === month; end++) {
      const entry = entries[end]!;
      digest.add(entry);
      if (entry.at > at) at = entry.at;
    }
    const { transactionId, id } = entries[end - 1]!;
    const before = seals.at(-1) ?? previous;
    const seal = {
      ...{ number: before.number + 1n, at, month },
      ...{ after: before.last, last: { transactionId, id } },
      ...{ entries: digest.count, entriesSha256: digest.end(), previous: before.digest },
    };
    seals.push({ ...seal, digest: digestOfSeal(seal) });
    start = end;
  }
  return seals;
}

export function monthOf(at: string): string {
  return `${at.slice(0, 7)}-01`;
}

export function isAfterPosition(one: AuditPosition, other: AuditPosition): boolean {
  if (one.transactionId !== other.transactionId) return one.transactionId > other.transactionId;
  return one.id > other.id;
}
