import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

export interface RetrievalDocument {
  id: string;
  title: string;
  text: string;
}

/** A test collection for ranking: documents, queries and which document answers which query how well. */
export interface RetrievalData {
  documents: RetrievalDocument[];
  queries: { id: string; text: string }[];
  /** By query's id, then document's id: its gain, above 0. */
  gains: Map<string, Map<string, number>>;
}

/**
 * Reads corpus.jsonl, queries.jsonl and qrels.tsv, each gzipped (`.gz`) or not, from a folder.
 * Judgements are codes: 1 is best, 4 least, anything else not relevant. Queries without a relevant document are left out.
 */
export async function readRetrievalData(folder: string): Promise<RetrievalData> {
  const documents = (await jsonLines(folder, "corpus.jsonl")).map(({ _id, title, text }) => ({
    id: String(_id),
    title: String(title ?? ""),
    text: String(text ?? ""),
  }));
  const gains = gainsOf(await content(folder, "qrels.tsv"));
  const queries = (await jsonLines(folder, "queries.jsonl"))
    .map(({ _id, text }) => ({ id: String(_id), text: String(text) }))
    .filter(({ id }) => gains.has(id));
  return { documents, queries, gains };
}

/** Gain of a judgement's code: 4 for code 1 down to 1 for code 4, 0 for what is not relevant. */
export function gainOfCode(code: number): number {
  return code >= 1 && code <= 4 ? 5 - code : 0;
}

function gainsOf(judgements: string): Map<string, Map<string, number>> {
  const gains = new Map<string, Map<string, number>>();
  for (const line of lines(judgements).slice(1)) {
    const [query, document, code] = line.split("\t") as [string, string, string];
    const gain = gainOfCode(Number(code));
    if (gain === 0) continue;
    if (!gains.has(query)) gains.set(query, new Map());
    gains.get(query)!.set(document, gain);
  }
  return gains;
}

async function jsonLines(folder: string, name: string): Promise<Record<string, unknown>[]> {
  return lines(await content(folder, name)).map((line) => JSON.parse(line) as Record<string, unknown>);
}

function lines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== "");
}

async function content(folder: string, name: string): Promise<string> {
  const present = (await readdir(folder)).find((file) => file === name || file === `${name}.gz`);
  if (present === undefined) throw new Error(`${folder} has neither ${name} nor ${name}.gz`);
  const bytes = await readFile(join(folder, present));
  return (present.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}
