import { parseArgs } from "node:util";
import { ConfigurationError } from "./config/config.js";

/** What a process is for; `platform` is gateway and worker in one, `migrate` brings the database up to date and ends. */
export type ProcessKind = "platform" | "gateway" | "worker" | "migrate";

export interface ProcessRole {
  kind: ProcessKind;
  /** Queues that a worker was told to take; absent: all. */
  queues?: readonly string[];
}

const KINDS: readonly string[] = ["platform", "gateway", "worker", "migrate"] satisfies ProcessKind[];

/**
 * Reads the command line: `[platform | gateway | worker [--queues a,b] | migrate]`.
 * @throws {ConfigurationError} for anything else, with what is allowed
 */
export function readProcessRole(args: readonly string[]): ProcessRole {
  const { positionals, list } = parse(args);
  const kind = positionals.length === 0 ? "platform" : positionals.join(" ");
  if (!KINDS.includes(kind)) throw refusal(`"${kind}": allowed: ${KINDS.join(", ")}`);
  if (list === undefined) return { kind: kind as ProcessKind };
  if (kind !== "worker") throw refusal("--queues: only a worker is told its queues");
  const queues = list.split(",").map((name) => name.trim());
  return { kind, queues: [...new Set(queues)] };
}

/**
 * The queues that the process works on.
 * @param known every queue there is
 * @throws {ConfigurationError} when it was told one that there is not
 */
export function queuesOf({ kind, queues = [] }: ProcessRole, known: readonly string[]): readonly string[] {
  if (kind === "gateway") return [];
  if (queues.length === 0) return known;
  const unknown = queues.filter((name) => !known.includes(name));
  if (unknown.length === 0) return queues;
  throw refusal(`--queues: no queue "${unknown.join('", "')}"; there are: ${known.join(", ")}`);
}

function parse(args: readonly string[]): { positionals: string[]; list?: string } {
  try {
    const options = { queues: { type: "string" } } as const;
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options });
    return { positionals, list: values.queues };
  } catch (error) {
    throw refusal((error as Error).message);
  }
}

function refusal(complaint: string): ConfigurationError {
  return new ConfigurationError([complaint]);
}

/** @throws {ConfigurationError} for a rate of a queue that does not exist */
export function assertRatesFit(rates: Readonly<Record<string, number>>, known: readonly string[]): void {
  const unknown = Object.keys(rates).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw refusal(`ML_QUEUE_RATES: no queue "${unknown.join('", "')}"; there are: ${known.join(", ")}`);
}
