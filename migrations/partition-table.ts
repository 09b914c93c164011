import type { QueryRunner } from "typeorm";

export interface TableToPartition {
  table: string;
  /** Of type `date` or `timestamptz`; part of the primary key. */
  column: string;
  /** Makes the partitioned table under the name that has become free. */
  create: string;
  span: "decade" | "month" | "week";
  /** Partitions begin at the first row, but no earlier than this date; rows before are taken by the default. */
  since: string;
  /** Partitions after the present one. */
  ahead: number;
  /** The columns of the rows that are carried over. */
  columns: string;
}

const LOCK_TIMEOUT = "5s";

/** Partitions lie beside their table's name in a schema of their own: partitions.<table>_<from>_<to>. */
export async function partitionTable(runner: QueryRunner, options: TableToPartition): Promise<void> {
  const { table, column, columns } = options;
  await runner.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
  await runner.query("SET LOCAL TIME ZONE 'UTC'");
  await runner.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  await runner.query("CREATE SCHEMA IF NOT EXISTS partitions");
  // Takes its indexes, constraints and sequence along, so that all names are free.
  await runner.query(`ALTER TABLE ${table} SET SCHEMA partitions`);
  await runner.query(options.create);
  await runner.query(`CREATE TABLE partitions.${table}_default PARTITION OF ${table} DEFAULT`);
  for (const { from, to } of await periods(runner, options)) {
    const name = `partitions.${table}_${from}_${to}`.replaceAll("-", "");
    await runner.query(
      `CREATE TABLE ${name} PARTITION OF ${table} FOR VALUES FROM ('${from} 00:00Z') TO ('${to} 00:00Z')`,
    );
  }
  await runner.query(
    `INSERT INTO ${table} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM partitions.${table}
     ORDER BY ${column}`,
  );
}

/** From the first row's to the last one made ahead. */
function periods(
  runner: QueryRunner,
  { table, column, span, since, ahead }: TableToPartition,
): Promise<{ from: string; to: string }[]> {
  const step = span === "decade" ? "10 years" : `1 ${span}`;
  return runner.query(
    `WITH present AS (SELECT now() AT TIME ZONE 'UTC' AS now),
       first AS (SELECT greatest(least(min(${column}::timestamp), (SELECT now FROM present)),
         '${since}'::timestamp) AS at FROM partitions.${table})
     SELECT to_char(p, 'YYYY-MM-DD') AS "from", to_char(p + '${step}'::interval, 'YYYY-MM-DD') AS "to"
     FROM present, first, generate_series(date_trunc('${span}', first.at),
       date_trunc('${span}', present.now) + ${ahead} * '${step}'::interval, '${step}'::interval) AS p
     ORDER BY p`,
  ) as Promise<{ from: string; to: string }[]>;
}
