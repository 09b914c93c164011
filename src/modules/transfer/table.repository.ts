import type { Transaction } from "../../ports/database.js";

export interface Column {
  name: string;
  /** Values come from a sequence. */
  identity: boolean;
  /** Part of the primary key, in whose order rows are read; 0: not. */
  keyPosition: number;
  /** Its order depends on the collation, unless one is named. */
  text: boolean;
}

const PAGE_CHARACTERS = 1_000_000;
const PAGE_ROWS = { first: 16, most: 1_000 };

/** A table as rows of JSON, whatever its columns. */
export class TableRepository {
  constructor(
    private readonly tx: Transaction,
    private readonly table: string,
  ) {}

  /** Those that hold data of their own, as they stand in the table. */
  columns(): Promise<Column[]> {
    return this.tx.query(
      `SELECT a.attname AS name, a.attidentity <> '' AS identity, t.typcategory = 'S' AS text,
         coalesce(array_position(i.indkey::int2[], a.attnum), -1) + 1 AS "keyPosition"
       FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
       WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       ORDER BY a.attname`,
      [this.name],
    );
  }

  async count(): Promise<number> {
    const [row] = await this.tx.query<{ count: string }[]>(`SELECT count(*) AS count FROM ${this.name}`);
    return Number(row!.count);
  }

  async isEmpty(): Promise<boolean> {
    return (await this.tx.query<unknown[]>(`SELECT FROM ${this.name} LIMIT 1`)).length === 0;
  }

  /**
   * Every row in the order of the primary key, in pages of about a megabyte; the transaction sees one state of all
   * tables.
   * @param columns of the table
   * @param values SQL in the place of columns
   */
  async *rows(
    columns: readonly Column[],
    values: Readonly<Record<string, string>> = {},
  ): AsyncGenerator<string[]> {
    const selected = columns.map(({ name }) =>
      name in values ? `${values[name]} AS ${quoted(name)}` : quoted(name),
    );
    const key = columns.filter(({ keyPosition }) => keyPosition > 0);
    const order = key
      .sort((a, b) => a.keyPosition - b.keyPosition)
      .map(({ name, text }) => `"row".${quoted(name)}${text ? ' COLLATE "C"' : ""}`);
    // A `json` value is kept as it was written; line feeds between its parts mean nothing.
    await this.tx.query(
      `DECLARE exported NO SCROLL CURSOR FOR
       SELECT replace(row_to_json(line)::text, E'\\n', ' ') AS line FROM
         (SELECT ${selected.join(", ")} FROM ${this.name} AS "row" ORDER BY ${order.join(", ")}) AS line`,
    );
    let size = PAGE_ROWS.first;
    for (;;) {
      const rows = await this.tx.query<{ line: string }[]>(`FETCH ${size} FROM exported`);
      if (rows.length > 0) yield rows.map(({ line }) => line);
      if (rows.length < size) break;
      const characters = rows.reduce((sum, { line }) => sum + line.length, 0);
      const fitting = Math.floor((PAGE_CHARACTERS * rows.length) / characters);
      size = Math.max(1, Math.min(PAGE_ROWS.most, fitting));
    }
    await this.tx.query("CLOSE exported");
  }

  /** Adds rows as `rows` gives them. */
  async insert(columns: readonly string[], lines: readonly string[]): Promise<void> {
    const names = columns.map(quoted).join(", ");
    await this.tx.query(
      `INSERT INTO ${this.name} (${names}) OVERRIDING SYSTEM VALUE
       SELECT ${names} FROM json_populate_recordset(NULL::${this.name}, $1::json)`,
      [`[${lines.join(",")}]`],
    );
  }

  /** Lets rows that `work` adds refer to others of the table that are yet to come. */
  async referringAhead(work: () => Promise<void>): Promise<void> {
    const own = await this.tx.query<{ name: string }[]>(
      `SELECT conname AS name FROM pg_constraint
       WHERE contype = 'f' AND conrelid = $1::regclass AND confrelid = conrelid`,
      [this.name],
    );
    const alter = async (when: string) => {
      for (const { name } of own) {
        await this.tx.query(`ALTER TABLE ${this.name} ALTER CONSTRAINT ${quoted(name)} ${when}`);
      }
    };
    await alter("DEFERRABLE INITIALLY DEFERRED");
    await work();
    await this.tx.query("SET CONSTRAINTS ALL IMMEDIATE");
    await alter("NOT DEFERRABLE");
  }

  /** What the identity column has given out last. */
  async lastIdentity(column: string): Promise<string | null> {
    const [found] = await this.tx.query<{ sequence: string }[]>(
      "SELECT pg_get_serial_sequence($1, $2) AS sequence",
      [this.name, column],
    );
    const [row] = await this.tx.query<{ last: string; called: boolean }[]>(
      `SELECT last_value AS last, is_called AS called FROM ${found!.sequence}`,
    );
    return row!.called ? row!.last : null;
  }

  async continueIdentity(column: string, last: string): Promise<void> {
    await this.tx.query("SELECT setval(pg_get_serial_sequence($1, $2), $3::bigint)", [
      this.name,
      column,
      last,
    ]);
  }

  private get name(): string {
    return `public.${quoted(this.table)}`;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
