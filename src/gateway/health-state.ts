import { PlatformError } from "../shared/errors.js";

type Phase = "starting" | "ready" | "draining";

export interface HealthReport {
  phase: Phase;
  /** `ok`, or what is wrong, by what was checked. */
  checks: Record<string, string>;
  /** For people, e.g. how far the samples are. */
  facts: Record<string, unknown>;
}

/** What a probe is told in the worst case comes well before its own time-out. */
const LIMIT_MS = 1_500;
/** Probes come from many sides; each engine is asked once in this time. */
const FRESH_MS = 1_000;

/** Whether this process may be sent requests, and why not. */
export class HealthState {
  private phase: Phase = "starting";
  private readonly checks = new Map<string, BoundedCheck>();
  private readonly facts = new Map<string, () => unknown>();

  /** @param check throws when requests cannot succeed; the words of a `PlatformError` are shown to everybody */
  addCheck(name: string, check: () => Promise<void>): void {
    this.checks.set(name, new BoundedCheck(check));
  }

  addFact(name: string, read: () => unknown): void {
    this.facts.set(name, read);
  }

  get draining(): boolean {
    return this.phase === "draining";
  }

  /** Draining is for good. */
  enter(phase: "ready" | "draining"): void {
    if (!this.draining) this.phase = phase;
  }

  async report(): Promise<HealthReport> {
    const outcomes = [...this.checks].map(async ([name, check]) => [name, await check.outcome()] as const);
    const facts = [...this.facts].map(([name, read]) => [name, read()] as const);
    return {
      phase: this.phase,
      checks: Object.fromEntries(await Promise.all(outcomes)),
      facts: Object.fromEntries(facts),
    };
  }
}

/** One check: never two at once, and never waited for without end. */
class BoundedCheck {
  private last?: { at: number; outcome: string };
  private pending?: { since: number; outcome: Promise<string> };

  constructor(private readonly check: () => Promise<void>) {}

  async outcome(): Promise<string> {
    if (this.last && performance.now() - this.last.at < FRESH_MS) return this.last.outcome;
    this.pending ??= { since: performance.now(), outcome: this.run() };
    const { since, outcome } = this.pending;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      const leftMs = Math.max(0, since + LIMIT_MS - performance.now());
      timer = setTimeout(resolve, leftMs, `late: no answer within ${LIMIT_MS} ms`);
    });
    return Promise.race([outcome, late]).finally(() => clearTimeout(timer));
  }

  private async run(): Promise<string> {
    const outcome = await this.check().then(
      () => "ok",
      (error: unknown) => (error instanceof PlatformError ? `failing: ${error.message}` : "failing"),
    );
    this.last = { at: performance.now(), outcome };
    this.pending = undefined;
    return outcome;
  }
}
