import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TextTokenizer } from "../../src/modules/embeddings/text-tokenizer.rules.js";
import { wordPieceTokenizer } from "../support/tokenizers.js";

// Tokenises every case of a folder as the platform does and compares the ids. The folder holds a vocabulary
// (*-vocab.txt, one token a line) and *-cases.json: { cases: [{ name, text, ids }] }.
// node dist/test/e2e/tokenizer-cases.js --cases DIR

const MOST_TOKENS = 100_000;
const { values } = parseArgs({ options: { cases: { type: "string" } } });
if (values.cases === undefined) throw new Error("--cases DIR is missing");

async function only(folder: string, ending: string): Promise<string> {
  const found = (await readdir(folder)).filter((file) => file.endsWith(ending));
  if (found.length !== 1) throw new Error(`${folder} has ${found.length} files *${ending} instead of one`);
  return readFile(join(folder, found[0]!), "utf8");
}

const vocabulary = (await only(values.cases, "-vocab.txt")).replace(/\r?\n$/, "").split(/\r?\n/);
const { cases } = JSON.parse(await only(values.cases, "-cases.json")) as {
  cases: { name: string; text: string; ids: number[] }[];
};
const tokenizer = new TextTokenizer(new TextDecoder().decode(wordPieceTokenizer(vocabulary)));
let failed = 0;
for (const { name, text, ids } of cases) {
  const actual = [...tokenizer.encode(text, MOST_TOKENS).ids];
  const same = actual.length === ids.length && actual.every((id, i) => id === ids[i]);
  if (!same) failed++;
  console.log(same ? `ok      ${name}` : `FAILED  ${name}: ${actual.join(" ")} instead of ${ids.join(" ")}`);
}
console.log(`${cases.length - failed} of ${cases.length} cases agree`);
process.exitCode = failed > 0 ? 1 : 0;
