interface CronField {
  least: number;
  most: number;
  /** What numbers are called, from the least on. */
  names?: readonly string[];
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/** Minute, hour, day of the month, month, day of the week: Sunday is 0 and 7. */
const FIELDS: readonly CronField[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, names: MONTHS },
  { least: 0, most: 7, names: DAYS },
];

/** Whether it is a cron pattern of five fields, of numbers, names, ranges, steps and lists. */
export function isCronPattern(pattern: string): boolean {
  const parts = pattern.split(" ");
  return parts.length === FIELDS.length && FIELDS.every((field, i) => isField(parts[i]!, field));
}

function isField(text: string, field: CronField): boolean {
  return text.split(",").every((item) => {
    const [, from, to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(item) ?? [];
    if (from === undefined || (step !== undefined && Number(step) < 1)) return false;
    if (from === "*") return to === undefined;
    const first = valueOf(from, field);
    const last = to === undefined ? first : valueOf(to, field);
    return first >= field.least && last <= field.most && first <= last;
  });
}

/** NaN for what is neither a number nor a name. */
function valueOf(text: string, { least, names = [] }: CronField): number {
  const named = names.indexOf(text.toUpperCase());
  return named >= 0 ? least + named : /^\d+$/.test(text) ? Number(text) : Number.NaN;
}
