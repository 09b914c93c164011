import type { Database, Transaction } from "../../ports/database.js";
import type { FoundHead, HeadArchive } from "./head-archive.js";
import { SealRepository } from "./seal.repository.js";
import { EntriesDigest, NO_SEAL, digestOfSeal, isAfterPosition, monthOf } from "./seal.rules.js";
import type { AuditPosition, Seal, SealedEntry } from "./seal.rules.js";

export type AuditFindingKind =
  /** Entries are not those that were sealed: one was changed, removed, or put between them. */
  | "ENTRIES_CHANGED"
  | "SEAL_CHANGED"
  | "SEAL_MISSING"
  /** A signed head tells of seals that are not there, or of others. */
  | "TRUNCATED"
  | "REWRITTEN"
  | "HEAD_FORGED";

export interface AuditFinding {
  kind: AuditFindingKind;
  /** Seal, and time or name. */
  where: string;
  message: string;
}

export interface AuditVerification {
  ok: boolean;
  /** Verified ones. */
  entries: number;
  seals: number;
  heads: number;
  /** Span of the seals that were verified, ISO. */
  from: string | null;
  to: string | null;
  findings: AuditFinding[];
  /** What cannot be known. */
  limits: string[];
}

const SEALS_AT_ONCE = 500;
const ENTRIES_AT_ONCE = 1_000;
/** One hand may have made thousands of them. */
const MOST_FINDINGS = 100;
const DAY_MS = 86_400_000;

/** Compares entries, seals and signed heads with each other; one reading at a time, which reads all that there is. */
export class AuditVerifier {
  private running?: { from?: number; reading: Promise<AuditVerification> };

  constructor(
    private readonly database: Database,
    private readonly heads: HeadArchive,
    private readonly keepDays: number,
  ) {}

  /**
   * Who asks for the same as a reading under way gets its answer.
   * @param from only seals since then, and the one before; absent: all that there is
   */
  async verify(from?: Date): Promise<AuditVerification> {
    while (this.running) {
      const { from: other, reading } = this.running;
      // Whoever began it may have left, which ends it.
      const answer = await reading.catch(() => undefined);
      if (answer && other === from?.getTime()) return answer;
    }
    const reading = this.read(from).finally(() => (this.running = undefined));
    this.running = { from: from?.getTime(), reading };
    return reading;
  }

  private async read(from: Date | undefined): Promise<AuditVerification> {
    // Before the chain is read: what is signed meanwhile may be of seals that this reading does not see.
    const heads: FoundHead[] = [];
    for await (const head of this.heads.read()) heads.push(head);
    // Page by page, in no transaction: nothing that is read ever changes, and nobody waits for a long one.
    return new Reading(this.database.dataSource.manager, heads, this.keepDays).run(from);
  }
}

/** One walk along the chain. */
class Reading {
  private readonly repository: SealRepository;
  private readonly findings: AuditFinding[] = [];
  private readonly digests = new Map<string, string>();
  private entries = 0;
  private seals = 0;
  private isWhole = true;
  private first: Seal | undefined;
  private last: Seal | undefined;

  constructor(
    tx: Transaction,
    private readonly heads: readonly FoundHead[],
    private readonly keepDays: number,
  ) {
    this.repository = new SealRepository(tx);
    for (const { head } of heads) if (head) this.digests.set(head.number, "");
  }

  async run(from: Date | undefined): Promise<AuditVerification> {
    const start = from && (await this.repository.lastBefore(from));
    this.isWhole = start === undefined;
    const cursor = new EntryCursor(this.repository);
    for (let number = (start?.number ?? 1n) - 1n; ;) {
      const page = await this.repository.sealsAfter(number, SEALS_AT_ONCE);
      for (const seal of page) await this.read(seal, cursor);
      if (page.length < SEALS_AT_ONCE) break;
      number = page.at(-1)!.number;
    }
    await this.lookBefore();
    const { unsigned, newest } = this.compareHeads();
    const unsealed = await cursor.countRest(this.last?.last ?? NO_SEAL.last);
    return {
      ok: this.findings.length === 0,
      ...{ entries: this.entries, seals: this.seals, heads: this.heads.length },
      ...{ from: this.first?.at ?? null, to: this.last?.at ?? null },
      findings: this.findings.slice(0, MOST_FINDINGS),
      limits: limitsOf({ unsealed, unsigned, newest }),
    };
  }

  private async read(seal: Seal, cursor: EntryCursor): Promise<void> {
    const where = `seal ${seal.number} of ${seal.at}`;
    const { digest, ...said } = seal;
    if (digestOfSeal(said) !== digest) this.find("SEAL_CHANGED", where, "it does not have its own digest");
    if (this.last) this.compareWithLast(this.last, seal, where);
    this.first ??= seal;
    // Entries of a month leave together, when all of it has had its time; the seal of a straggler may stay.
    const isKept = this.first.number === 1n || seal.month >= monthOf(this.first.at);
    if (isKept) await this.compareEntries(seal, cursor, where);
    if (this.digests.has(String(seal.number))) this.digests.set(String(seal.number), digest);
    this.seals++;
    this.last = seal;
  }

  private compareWithLast(last: Seal, seal: Seal, where: string): void {
    if (seal.number !== last.number + 1n) {
      const missing = `${last.number + 1n} to ${seal.number - 1n}`;
      this.find("SEAL_MISSING", `before ${where}`, `the seals ${missing} are not there`);
    } else if (seal.previous !== last.digest || !isSame(seal.after, last.last)) {
      this.find("SEAL_CHANGED", where, "it does not follow the one before it");
    }
  }

  private async compareEntries(seal: Seal, cursor: EntryCursor, where: string): Promise<void> {
    const digest = new EntriesDigest();
    const ids: bigint[] = [];
    for await (const entry of cursor.between(seal.after, seal.last)) {
      digest.add(entry);
      if (ids.length < 2) ids.push(entry.id);
      else ids[1] = entry.id;
    }
    this.entries += digest.count;
    if (digest.end() === seal.entriesSha256 && digest.count === seal.entries) return;
    const place = ids.length === 0 ? where : `${where}, entries ${ids[0]} to ${ids.at(-1)}`;
    const message =
      digest.count === seal.entries
        ? `at least one of its ${seal.entries} entries has been changed`
        : `${seal.entries} entries were sealed, ${digest.count} are there`;
    this.find("ENTRIES_CHANGED", place, message);
  }

  /** Before the first seal nothing can be that is as young as it. */
  private async lookBefore(): Promise<void> {
    const { first } = this;
    if (!first || !this.isWhole) return;
    const count = await this.repository.countUpTo(first.after, monthOf(first.at));
    if (count > 0) {
      this.find(
        "ENTRIES_CHANGED",
        `before seal ${first.number}`,
        `${count} entries lie before the chain begins`,
      );
    }
  }

  private compareHeads(): { unsigned: boolean; newest: string | undefined } {
    let newest: string | undefined;
    for (const { name, head } of this.heads) {
      if (!head) {
        this.find("HEAD_FORGED", name, "none of this platform's keys has signed it");
        continue;
      }
      newest = head.at;
      const number = BigInt(head.number);
      const there = this.digests.get(head.number);
      if (there) {
        if (there !== head.digest) this.find("REWRITTEN", `seal ${number}`, `${name} was signed for another`);
      } else if (!this.last || number > this.last.number) {
        this.find("TRUNCATED", name, `it was signed for seal ${number}, which is not there`);
      } else if (this.first && number < this.first.number && this.isGoneEarly(head.at)) {
        this.find("SEAL_MISSING", name, `seal ${number} of ${head.at} is gone before its time`);
      }
    }
    const signed = this.heads.findLast(({ head }) => head)?.head?.number;
    return { unsigned: this.last !== undefined && signed !== String(this.last.number), newest };
  }

  private isGoneEarly(at: string): boolean {
    if (!this.isWhole) return false;
    return monthOf(at) >= monthOf(new Date(Date.now() - this.keepDays * DAY_MS).toISOString());
  }

  private find(kind: AuditFindingKind, where: string, message: string): void {
    this.findings.push({ kind, where, message });
  }
}

/** Goes through the entries once, in their order. */
class EntryCursor {
  private page: SealedEntry[] = [];
  private at = 0;
  private position: AuditPosition | undefined;

  constructor(private readonly repository: SealRepository) {}

  async *between(after: AuditPosition, last: AuditPosition): AsyncGenerator<SealedEntry> {
    if (!this.position || isAfterPosition(after, this.position)) this.jump(after);
    for (;;) {
      const entry = this.page[this.at] ?? (await this.nextPage());
      if (!entry || isAfterPosition(entry, last)) return;
      this.at++;
      this.position = entry;
      yield entry;
    }
  }

  async countRest(after: AuditPosition): Promise<number> {
    this.jump(after);
    let count = 0;
    while (this.page[this.at] ?? (await this.nextPage())) {
      this.position = this.page[this.at++];
      count++;
    }
    return count;
  }

  private jump(after: AuditPosition): void {
    [this.page, this.at, this.position] = [[], 0, after];
  }

  private async nextPage(): Promise<SealedEntry | undefined> {
    this.page = await this.repository.entriesAfter(this.position!, ENTRIES_AT_ONCE);
    this.at = 0;
    return this.page[0];
  }
}

function isSame(one: AuditPosition, other: AuditPosition): boolean {
  return one.transactionId === other.transactionId && one.id === other.id;
}

function limitsOf({ unsealed, unsigned, newest }: LimitsOfKnowledge): string[] {
  return [
    ...(unsealed > 0
      ? [`${unsealed} entries are not sealed yet: nothing is known of others beside them`]
      : []),
    ...(newest === undefined
      ? ["no signed head was found: that the end was cut off would not be noticed"]
      : []),
    ...(newest !== undefined && unsigned
      ? [`the last signed head is of ${newest}: that later entries were cut off would not be noticed`]
      : []),
  ];
}

interface LimitsOfKnowledge {
  unsealed: number;
  /** The last seal has no head yet. */
  unsigned: boolean;
  newest: string | undefined;
}
