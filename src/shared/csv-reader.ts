import { InvalidInputError } from "./errors.js";

/** One record of a CSV file; `line` is the line it starts on, from 1. */
export interface CsvRecord {
  line: number;
  cells: string[];
}

/**
 * Splits CSV text into records after RFC 4180: quoted cells may hold commas, line breaks and doubled quotes.
 * A byte-order mark, CRLF and empty lines are dropped; the blanks around unquoted cells too.
 * @throws {InvalidInputError} for a quote that never closes or is followed by other text, naming the line
 */
export function readCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  const cell = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))[ \t]*(,|\r\n|\n|\r|$)/y;
  let line = 1;
  let record: CsvRecord = { line, cells: [] };
  cell.lastIndex = text.startsWith("\uFEFF") ? 1 : 0;
  while (cell.lastIndex <= text.length) {
    const match = cell.exec(text);
    if (!match)
      throw InvalidInputError.at(`line ${line}`, 'a quoted cell must end with " before the next comma');
    const [, quoted, plain, end] = match;
    record.cells.push(quoted === undefined ? plain!.trim() : quoted.replaceAll('""', '"'));
    line += quoted?.match(/\r\n|\n|\r/g)?.length ?? 0;
    if (end === ",") continue;
    if (record.cells.length > 1 || record.cells[0] !== "") records.push(record);
    if (end === "") break;
    line += 1;
    record = { line, cells: [] };
  }
  return records;
}
