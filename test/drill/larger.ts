import type { DrillOutcome } from "./drill.js";

const GIBIBYTE = 2 ** 30;

/** The sizes that the platform is planned for, and what is assumed of them. */
export const PLANNED = {
  databaseBytes: 100 * GIBIBYTE,
  /** Written since the daily base backup. */
  logBytes: 10 * GIBIBYTE,
  /** Of 4 x 200 GiB raw, what is left for objects when half of it is parity. */
  artifactBytes: 400 * GIBIBYTE,
};

/** The same loss at those sizes, if every byte takes as long as it took here. */
export interface Larger {
  /** The database copied and its log replayed; the artifacts are served from where they are. */
  rtoSeconds: number;
  /** Until all artifacts are in two places again; the platform serves meanwhile. */
  twiceSeconds: number;
}

export function enlarge({ rtoSeconds, database, artifacts }: DrillOutcome): Larger {
  const { copiedBytes, copySeconds, logBytes, replaySeconds } = database;
  const fixed = Math.max(0, rtoSeconds - copySeconds - replaySeconds);
  const copy = (PLANNED.databaseBytes / copiedBytes) * copySeconds;
  const replay = (PLANNED.logBytes / logBytes) * replaySeconds;
  const rto = fixed + copy + replay;
  return {
    rtoSeconds: rto,
    twiceSeconds: rto + (PLANNED.artifactBytes / artifacts.bytes) * artifacts.copySeconds,
  };
}
