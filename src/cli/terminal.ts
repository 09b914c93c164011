import { createInterface } from "node:readline/promises";
import Table from "cli-table3";
import { startProgress } from "./progress.js";
import type { Progress } from "./progress.js";

/** Results go to stdout, everything else to stderr, so that a pipe sees results only. */
export class Terminal {
  private progressShown: Progress | undefined;

  /** @param colour whether the user allows it; a stream that is no terminal never gets any */
  constructor(
    readonly json: boolean,
    private readonly colour: boolean,
  ) {}

  /** Columns to draw in; 120 where nobody looks. */
  get width(): number {
    return process.stdout.isTTY ? process.stdout.columns : 120;
  }

  print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** Something to read meanwhile. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** A part of the result for people, ahead of its end; with --json only something to read meanwhile. */
  say(text: string): void {
    if (this.json) this.note(text);
    else this.print(text);
  }

  bold(text: string): string {
    return this.colour && process.stdout.isTTY ? `\u001b[1m${text}\u001b[22m` : text;
  }

  /** A progress display; stop it before printing. */
  progress(label: string): Progress {
    this.progressShown = startProgress(process.stderr, label);
    return this.progressShown;
  }

  /** @param numeric columns to align right, by position */
  table(head: string[], rows: (string | number | null)[][], numeric: number[] = []): string {
    const table = new Table({
      head: head.map((cell) => this.bold(cell)),
      colAligns: head.map((_, column) => (numeric.includes(column) ? "right" : "left")),
      style: { head: [], border: [], compact: true, "padding-left": 1, "padding-right": 1 },
    });
    table.push(...rows.map((row) => row.map((cell) => (cell === null ? "-" : String(cell)))));
    return table.toString();
  }

  /** Asks a yes-or-no question; yes is the default, and the answer where nobody sits at the terminal. */
  async confirm(question: string): Promise<boolean> {
    if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
    this.progressShown?.pause();
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    const interrupted = new AbortController();
    prompt.on("SIGINT", () => interrupted.abort());
    try {
      const answer = await prompt.question(`${question} [Y/n] `, { signal: interrupted.signal });
      return !/^n/i.test(answer.trim());
    } catch {
      return true;
    } finally {
      prompt.close();
      this.progressShown?.resume();
    }
  }
}
