const YEAR_MONTH_DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Whether the text is a day of the calendar from 0001-01-01 on, e.g. 2024-02-29. */
export function isCalendarDate(text: string): boolean {
  if (!YEAR_MONTH_DAY.test(text) || text.startsWith("0000")) return false;
  const parsed = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(text);
}
