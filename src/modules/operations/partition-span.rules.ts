export type PartitionSpan = "decade" | "month" | "week";

/** Dates in UTC as YYYY-MM-DD; `to` is the first one that is no longer part of it. */
export interface Period {
  from: string;
  to: string;
}

const DAY_MS = 86_400_000;
/** 1970-01-05, a Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** The period of that span in which an instant lies, or the one that many later. */
export function periodOf(span: PartitionSpan, instant: Date, later = 0): Period {
  return { from: toDate(startOf(span, instant, later)), to: toDate(startOf(span, instant, later + 1)) };
}

/** Whether the period has ended by that instant. */
export function isOver(period: Period, instant: Date): boolean {
  return Date.parse(period.to) <= instant.getTime();
}

function startOf(span: PartitionSpan, instant: Date, later: number): Date {
  const year = instant.getUTCFullYear();
  switch (span) {
    case "decade":
      return new Date(Date.UTC(Math.floor(year / 10) * 10 + 10 * later, 0));
    case "month":
      return new Date(Date.UTC(year, instant.getUTCMonth() + later));
    case "week": {
      const weeks = Math.floor((instant.getTime() - FIRST_MONDAY_MS) / (7 * DAY_MS));
      return new Date(FIRST_MONDAY_MS + (weeks + later) * 7 * DAY_MS);
    }
  }
}

function toDate(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}
