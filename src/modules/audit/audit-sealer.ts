import { setTimeout as delay } from "node:timers/promises";
import type { Database, Transaction } from "../../ports/database.js";
import { Bell } from "../../shared/bell.js";
import type { Logger } from "../../telemetry/logger.js";
import { auditLastSeal } from "../../telemetry/metrics.js";
import type { HeadArchive } from "./head-archive.js";
import { SealRepository } from "./seal.repository.js";
import { NO_SEAL, sealEntries } from "./seal.rules.js";
import type { Seal } from "./seal.rules.js";

export interface AuditSealerOptions {
  database: Database;
  heads: HeadArchive;
  /** Between two heads, at least. */
  headMs: number;
  logger: Logger;
}

/** What comes together is sealed together. */
const GATHER_MS = 250;
/** Entries of a process that has ended are found by this look. */
const IDLE_MS = 60_000;
/** For transactions that are still open, or another process that seals. */
const SETTLE_MS = 250;
const RETRY_MS = 5_000;
const BATCH = 2_000;

/** Chains what has been committed, behind it: no mutation waits for a seal. One process at a time does. */
export class AuditSealer {
  private readonly bell = new Bell();
  private running: Promise<void> | undefined;
  private signedAt = 0;
  private signed = "";
  /** The last one that is known to be committed. */
  private newest: Seal | undefined;
  private failing = false;

  constructor(private readonly options: AuditSealerOptions) {}

  start(): void {
    this.bell.ring();
    this.running = this.run();
  }

  /** There are new entries. */
  readonly wake = (): void => this.bell.ring();

  /** Seconds for which the oldest entry has waited for its seal, whoever makes it. */
  lag(): Promise<number> {
    return new SealRepository(this.options.database.dataSource.manager).lag();
  }

  /** Seals what is there, and signs it. */
  async close(): Promise<void> {
    if (!this.running) return;
    this.bell.retire();
    await this.running;
    await this.attempt(async () => {
      const settled = await this.sealAll();
      await this.signNewest();
      return settled;
    });
  }

  private async run(): Promise<void> {
    for (;;) {
      const headDue = this.hasUnsigned ? this.signedAt + this.options.headMs - Date.now() : IDLE_MS;
      await this.bell.wait(Math.max(0, Math.min(IDLE_MS, headDue)));
      if (this.bell.retired) return;
      await delay(GATHER_MS);
      const settled = await this.attempt(() => this.sealAndSign());
      if (settled || this.bell.retired) continue;
      await delay(this.failing ? RETRY_MS : SETTLE_MS, undefined, { ref: false });
      this.bell.ring();
    }
  }

  /** @returns whether nothing is left to be sealed */
  private async sealAndSign(): Promise<boolean> {
    const settled = await this.sealAll();
    if (this.hasUnsigned && Date.now() >= this.signedAt + this.options.headMs) await this.signNewest();
    return settled;
  }

  private async sealAll(): Promise<boolean> {
    for (;;) {
      const { sealed, more, last } = await this.options.database.transaction((tx) => this.sealSome(tx));
      // Until it was committed, it might have been undone.
      this.newest = last ?? this.newest;
      if (sealed > 0) auditLastSeal.set(Date.now() / 1000);
      if (!more) return true;
      if (sealed === 0) return false;
    }
  }

  private async sealSome(tx: Transaction): Promise<{ sealed: number; more: boolean; last?: Seal }> {
    const seals = new SealRepository(tx);
    if (!(await seals.tryLock())) return { sealed: 0, more: true };
    const before = await seals.last();
    const { settled, more, now } = await seals.unsealed((before ?? this.newest ?? NO_SEAL).last, BATCH);
    if (settled.length === 0) return { sealed: 0, more, last: before };
    const made = sealEntries(before ?? this.newest ?? NO_SEAL, settled, now);
    await seals.append(made);
    return { sealed: settled.length, more, last: made.at(-1) };
  }

  /** Whoever signs keeps others from it: no head takes the place of a later one. */
  private async signNewest(): Promise<void> {
    if (!this.hasUnsigned) return;
    await this.options.database.transaction(async (tx) => {
      const seals = new SealRepository(tx);
      await seals.lock();
      const last = await seals.last();
      if (!last) return;
      await this.options.heads.write(last);
      this.signed = last.digest;
      this.newest = last;
    });
    this.signedAt = Date.now();
  }

  private get hasUnsigned(): boolean {
    return this.newest !== undefined && this.newest.digest !== this.signed;
  }

  private async attempt(work: () => Promise<boolean>): Promise<boolean> {
    try {
      const settled = await work();
      this.failing = false;
      return settled;
    } catch (err) {
      if (!this.failing) {
        this.options.logger.error({ event: "audit.not_sealed", err }, "audit entries are not sealed yet");
      }
      this.failing = true;
      return false;
    }
  }
}
