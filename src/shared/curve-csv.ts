import { readCsv } from "./csv-reader.js";
import type { CsvRecord } from "./csv-reader.js";
import { InvalidInputError } from "./errors.js";

export interface CurveCsv {
  kind: "YIELD" | "FORWARD";
  /** ISO 8601 durations (YIELD) or contract positions M1, M2, ... (FORWARD), in the order of the columns. */
  tenors: string[];
  /** Ascending by date; one point for each tenor, null where the cell is blank. */
  snapshots: { date: string; points: { tenor: string; value: number | null }[] }[];
}

const SHOWN_PROBLEMS = 20;

/**
 * Reads the history of a curve, one date a row and one tenor a column. The layout is recognised by its header:
 * the US Treasury's (`Date,1 Mo,...,30 Yr`, dates MM/DD/YYYY or M/D/YY), settlements by contract position
 * (`date,CL01,...,CL36`, ISO dates), or our own (`date,P1M,P10Y` or `date,M1,M2`).
 * @throws {InvalidInputError} naming line and column of the first 20 bad headers, dates and cells
 */
export function parseCurveCsv(text: string): CurveCsv {
  const [header, ...rows] = readCsv(text);
  if (!header) throw InvalidInputError.at("line 1", "the file is empty");
  const problems = new Problems();
  const { kind, tenors } = parseHeader(header, problems);
  problems.throwIfAny();
  if (rows.length === 0) throw InvalidInputError.at("line 2", "no row follows the header");

  const lineOfDate = new Map<string, number>();
  const snapshots: CurveCsv["snapshots"] = [];
  for (const row of rows) {
    const [dateCell = "", ...cells] = row.cells;
    const date = parseDate(dateCell);
    if (date === null) {
      problems.add(row.line, header.cells[0]!, `"${dateCell}" is no date (YYYY-MM-DD, MM/DD/YYYY or M/D/YY)`);
    } else if (lineOfDate.has(date)) {
      problems.add(row.line, header.cells[0]!, `${date} is already on line ${lineOfDate.get(date)}`);
    } else {
      lineOfDate.set(date, row.line);
    }
    if (row.cells.length !== header.cells.length) {
      problems.add(
        row.line,
        undefined,
        `${row.cells.length} cells, but the header has ${header.cells.length}`,
      );
      continue;
    }
    const points = tenors.map((tenor, i) => {
      const value = parseValue(cells[i]!);
      if (value === undefined) problems.add(row.line, header.cells[i + 1]!, `"${cells[i]}" is no number`);
      return { tenor, value: value ?? null };
    });
    snapshots.push({ date: date ?? "", points });
  }
  problems.throwIfAny();
  return { kind, tenors, snapshots: snapshots.sort((a, b) => (a.date < b.date ? -1 : 1)) };
}

class Problems {
  private readonly shown: { place: string; message: string }[] = [];
  private count = 0;

  add(line: number, column: string | undefined, message: string): void {
    this.count += 1;
    if (this.shown.length === SHOWN_PROBLEMS) return;
    this.shown.push({ place: `line ${line}${column === undefined ? "" : `, column ${column}`}`, message });
  }

  throwIfAny(): void {
    if (this.count === 0) return;
    const lines = this.shown.map(({ place, message }) => `${place}: ${message}`);
    if (this.count > SHOWN_PROBLEMS) lines.push(`and ${this.count - SHOWN_PROBLEMS} more`);
    throw new InvalidInputError(lines.join("\n"), { field: this.shown[0]!.place });
  }
}

function parseHeader({ line, cells }: CsvRecord, problems: Problems): Pick<CurveCsv, "kind" | "tenors"> {
  const [first, ...columns] = cells;
  if (first?.toLowerCase() !== "date") problems.add(line, first ?? "", "the first column must be Date");
  if (columns.length === 0) problems.add(line, undefined, "no column follows the date");

  const contracts = columns.length > 0 && columns.every((column) => CONTRACT.test(column));
  const root = contracts ? CONTRACT.exec(columns[0]!)![1] : undefined;
  const seen = new Set<string>();
  const tenors = columns.map((column) => {
    const tenor = contracts ? contractPosition(column) : duration(column);
    if (tenor === undefined) {
      problems.add(line, column, "no tenor (like 3 Mo, 10 Yr, P3M, P10Y, or CL01, CL02, ... throughout)");
      return "";
    }
    if (contracts && CONTRACT.exec(column)![1] !== root) {
      problems.add(line, column, `another contract than ${columns[0]}; one file holds one curve`);
    } else if (seen.has(tenor)) {
      problems.add(line, column, `the tenor ${tenor} occurs twice`);
    }
    seen.add(tenor);
    return tenor;
  });
  return { kind: contracts ? "FORWARD" : "YIELD", tenors };
}

const CONTRACT = /^([A-Za-z]{1,6})0*([1-9]\d{0,2})$/;

function contractPosition(column: string): string {
  return `M${CONTRACT.exec(column)![2]}`;
}

/** The Treasury derives its 1.5-month rate from the six-week bill, and ISO 8601 has no half month. */
const SIX_WEEKS = /^1\.5 mo(nth)?$/i;

function duration(column: string): string | undefined {
  if (SIX_WEEKS.test(column)) return "P6W";
  const treasury = /^([1-9]\d{0,2}) ?(mo|month|yr|year)s?$/i.exec(column);
  if (treasury) return `P${treasury[1]}${treasury[2]!.toLowerCase().startsWith("m") ? "M" : "Y"}`;
  return /^P(?:\d{1,3}W|(?=\d)(?:\d{1,3}Y)?(?:\d{1,3}M)?(?:\d{1,3}D)?)$/.test(column) ? column : undefined;
}

/** @returns the ISO date, or null where the text is no day of the calendar; years 70 to 99 are 19xx, 00 to 69 20xx */
function parseDate(text: string): string | null {
  const iso = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  const us = /^(\d{1,2})\/(\d{1,2})\/(\d{4}|\d\d)$/.exec(text);
  const [year, month, day] = iso ? [iso[1]!, iso[2]!, iso[3]!] : us ? [us[3]!, us[1]!, us[2]!] : [];
  if (!year || !month || !day) return null;
  const century = year.length === 4 ? 0 : Number(year) >= 70 ? 1900 : 2000;
  const date = `${Number(year) + century}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date) ? date : null;
}

/** @returns undefined where the cell is neither blank nor a finite decimal number */
function parseValue(cell: string): number | null | undefined {
  if (cell.trim() === "") return null;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell.trim())) return undefined;
  const value = Number(cell);
  return Number.isFinite(value) ? value : undefined;
}
