import { setTimeout as delay } from "node:timers/promises";
import { NotAcknowledged } from "./graph-client.js";
import type { GraphClient } from "./graph-client.js";
import type { Verdict, Writer } from "./writer.js";

const PAUSE_AFTER_FAILURE_MS = 100;

export interface WorkloadReport {
  acknowledged: number;
  /** Attempts that were not acknowledged, by reason. */
  failures: Record<string, number>;
  /** Refusals that no repetition cures: there should be none. */
  refusals: string[];
  verdicts: Record<string, Verdict>;
}

interface Acknowledgement {
  writer: string;
  key: string;
  /** When the attempt that was acknowledged had begun. */
  sentAt: number;
  at: number;
}

/** Writers that go on through a fault, each operation sent to the next gateway until one acknowledges it. */
export class Workload {
  private readonly acknowledged = new Map<string, Set<string>>();
  private readonly acknowledgements: Acknowledgement[] = [];
  /** Attempts that were not acknowledged, by reason. */
  readonly failures: Record<string, number> = {};
  private readonly refusals: string[] = [];
  private readonly loops: Promise<void>[] = [];
  private readonly stopped = new AbortController();
  private turn = 0;

  constructor(
    private readonly writers: readonly Writer[],
    /** Asked at each attempt: gateways come and go. */
    private gateways: () => readonly GraphClient[],
  ) {}

  /** Sends what follows to these gateways only. */
  sendTo(gateways: () => readonly GraphClient[]): void {
    this.gateways = gateways;
  }

  async prepare(): Promise<void> {
    for (const writer of this.writers) await writer.prepare(this.gateways()[0]!);
  }

  start(): void {
    for (const writer of this.writers) {
      this.acknowledged.set(writer.name, new Set());
      this.loops.push(this.keepGoing(writer));
    }
  }

  /** Resolves once every writer has had as many acknowledgements. */
  async until(count: number, timeoutMs = 60_000): Promise<void> {
    await this.reached(() => [...this.acknowledged.values()].every(({ size }) => size >= count), timeoutMs);
  }

  /**
   * Waits until every writer has been acknowledged an operation that it sent after the moment.
   * @returns milliseconds from the moment to the last of these acknowledgements
   */
  async recoveredFrom(moment: number, timeoutMs = 120_000): Promise<number> {
    const first = ({ name }: Writer) =>
      this.acknowledgements.find(({ writer, sentAt }) => writer === name && sentAt >= moment);
    await this.reached(() => this.writers.every((writer) => first(writer)), timeoutMs);
    return Math.max(...this.writers.map((writer) => first(writer)!.at - moment));
  }

  /** Ends the writers; what is not acknowledged by then may or may not have happened. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.loops);
  }

  async report(client: GraphClient): Promise<WorkloadReport> {
    const verdicts: Record<string, Verdict> = {};
    for (const writer of this.writers) {
      verdicts[writer.name] = await writer.verify(client, this.acknowledged.get(writer.name)!);
    }
    const acknowledged = this.acknowledgements.length;
    return { acknowledged, failures: this.failures, refusals: this.refusals, verdicts };
  }

  /** How many of a writer's operations have been acknowledged. */
  count(writer: string): number {
    return this.acknowledged.get(writer)!.size;
  }

  /** When the first operation was acknowledged, by `performance.now`, that the report says is not there any more. */
  async firstLost(client: GraphClient, { verdicts }: WorkloadReport): Promise<number | undefined> {
    const affected = this.acknowledgements.filter(({ writer }) => verdicts[writer]!.lost.length > 0);
    for (const { writer, key, at } of affected) {
      const { lost } = await this.writers.find(({ name }) => name === writer)!.verify(client, new Set([key]));
      if (lost.length > 0) return at;
    }
    return undefined;
  }

  private async keepGoing(writer: Writer): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const operation = writer.next();
      while (!this.stopped.signal.aborted) {
        if (await this.attempt(writer, operation)) break;
        await delay(PAUSE_AFTER_FAILURE_MS);
      }
      await delay(writer.everyMs);
    }
  }

  /** @returns whether there is nothing left to do about it */
  private async attempt(writer: Writer, operation: ReturnType<Writer["next"]>): Promise<boolean> {
    const gateways = this.gateways();
    const sentAt = performance.now();
    try {
      await operation.send(gateways[this.turn++ % gateways.length]!);
    } catch (error) {
      if (error instanceof NotAcknowledged) {
        this.failures[error.reason] = (this.failures[error.reason] ?? 0) + 1;
        return false;
      }
      this.refusals.push(`${writer.name} ${operation.key}: ${(error as Error).message}`);
      return true;
    }
    this.acknowledged.get(writer.name)!.add(operation.key);
    this.acknowledgements.push({ writer: writer.name, key: operation.key, sentAt, at: performance.now() });
    return true;
  }

  private async reached(condition: () => boolean, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      if (performance.now() > deadline) {
        const counts = [...this.acknowledged].map(([name, { size }]) => `${name} ${size}`).join(", ");
        const why = JSON.stringify({ failures: this.failures, refusals: this.refusals.slice(0, 3) });
        throw new Error(`not reached in ${timeoutMs} ms: ${counts}; ${why}`);
      }
      await delay(20);
    }
  }
}
