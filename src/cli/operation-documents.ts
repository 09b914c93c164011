import { readFileSync } from "node:fs";

const documents = new Map<string, string>();

/** Text of `schema/operations/<name>.graphql`, seen from where this file is compiled to. */
export function operationDocument(name: string): string {
  let document = documents.get(name);
  if (document === undefined) {
    document = readFileSync(new URL(`../../../schema/operations/${name}.graphql`, import.meta.url), "utf8");
    documents.set(name, document);
  }
  return document;
}
