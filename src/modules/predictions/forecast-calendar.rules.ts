import { PreconditionFailedError } from "../../shared/errors.js";

const DAY_MS = 86_400_000;

type Frequency = { kind: "weekdays" } | { kind: "months" } | { kind: "days"; days: number };

/** How a curve's dates follow each other: daily (weekdays), monthly, or by their median gap. */
export function curveFrequency(dates: readonly string[]): Frequency {
  const gaps = dates
    .slice(1)
    .map((date, i) => (Date.parse(date) - Date.parse(dates[i]!)) / DAY_MS)
    .sort((a, b) => a - b);
  if (gaps.length === 0) return { kind: "weekdays" };
  const median = gaps[Math.floor(gaps.length / 2)]!;
  if (median === 1) return { kind: "weekdays" };
  if (median >= 28 && median <= 31) return { kind: "months" };
  return { kind: "days", days: median };
}

const LAST_DAY = Date.UTC(9999, 11, 31);

/**
 * The date that lies `steps` ahead of an origin.
 * @param origin ISO date
 * @returns ISO date
 * @throws {PreconditionFailedError} beyond the year 9999, where dates have no four digits any more
 */
export function stepAhead(origin: string, steps: number, frequency: Frequency): string {
  const date = new Date(`${origin}T00:00:00Z`);
  switch (frequency.kind) {
    case "weekdays":
      for (let left = steps; left > 0;) {
        date.setUTCDate(date.getUTCDate() + 1);
        if (date.getUTCDay() !== 0 && date.getUTCDay() !== 6) left--;
      }
      break;
    case "months":
      return toIsoDate(monthsAhead(date, steps));
    case "days":
      date.setTime(date.getTime() + steps * frequency.days * DAY_MS);
      break;
  }
  return toIsoDate(date);
}

function toIsoDate(date: Date): string {
  if (date.getTime() <= LAST_DAY) return date.toISOString().slice(0, 10);
  throw new PreconditionFailedError("the forecast lies beyond the year 9999");
}

/** Month ends stay month ends; other days are kept, or cut to the length of the month. */
function monthsAhead(date: Date, months: number): Date {
  const lastDayOf = (year: number, month: number) => new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const day = date.getUTCDate();
  const isMonthEnd = day === lastDayOf(date.getUTCFullYear(), date.getUTCMonth());
  const first = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1));
  const last = lastDayOf(first.getUTCFullYear(), first.getUTCMonth());
  first.setUTCDate(isMonthEnd ? last : Math.min(day, last));
  return first;
}
