export interface BenchRow {
  name: string;
  value: string;
  target?: string;
}

export interface BenchTable {
  title: string;
  rows: BenchRow[];
}

/** A table as Markdown. */
export function toMarkdown({ title, rows }: BenchTable): string {
  const lines = rows.map(({ name, value, target }) => `| ${name} | ${value} | ${target ?? ""} |`);
  return [`### ${title}`, "", "| Measured | Value | Target |", "|---|---|---|", ...lines].join("\n");
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
