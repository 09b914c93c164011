import type { GraphClient } from "./graph-client.js";

/** One thing that a client wants done, sent again until it is acknowledged. */
export interface Operation {
  /** What it is called in reports. */
  key: string;
  /** Resolves when the platform has acknowledged it. @throws {NotAcknowledged} when it is to be sent again */
  send(client: GraphClient): Promise<void>;
}

/** What became of the operations of a writer. */
export interface Verdict {
  /** Acknowledged, and not there. */
  lost: string[];
  /** There more often than it was asked for. */
  repeated: string[];
  /** There, but not as it was sent. */
  wrong: string[];
}

/** A client that keeps one kind of operation going, and knows afterwards what must be there. */
export interface Writer {
  readonly name: string;
  /** On a platform that is well. */
  prepare(client: GraphClient): Promise<void>;
  next(): Operation;
  /** Milliseconds between two of its operations. */
  readonly everyMs: number;
  /** What the final state says; waits for jobs that are still to end. */
  verify(client: GraphClient, acknowledged: ReadonlySet<string>): Promise<Verdict>;
}

export function emptyVerdict(): Verdict {
  return { lost: [], repeated: [], wrong: [] };
}
