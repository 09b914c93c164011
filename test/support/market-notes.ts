import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DocumentInput } from "./documents.js";

/** The notes that the first start loads, as a client would send them. */
export function marketNotes(): DocumentInput[] {
  const file = join(import.meta.dirname, "../../../samples/market-notes.jsonl");
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as DocumentInput);
}
