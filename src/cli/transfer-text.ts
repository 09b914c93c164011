import type { Terminal } from "./terminal.js";

/** What an export or import had to do with. */
export interface Transfer {
  platform: string;
  exportedAt: string;
  predictions: boolean;
  tables: { name: string; rows: number; sha256: string }[];
  artifacts: { sha256: string; bytes: number }[];
}

const DIGITS = 16;

export function transferTable(terminal: Terminal, { tables, artifacts }: Transfer): string {
  const rows = tables.map(({ name, rows, sha256 }) => [name, rows, sha256.slice(0, DIGITS)]);
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0);
  return terminal.table(
    ["what", "count", "SHA-256"],
    [...rows, ["artifacts", artifacts.length, `${bytes} bytes`]],
    [1],
  );
}
