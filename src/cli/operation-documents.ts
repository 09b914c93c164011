import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../shared/package-root.js";

const documents = new Map<string, string>();

/** Text of `schema/operations/<name>.graphql`. */
export function operationDocument(name: string): string {
  let document = documents.get(name);
  if (document === undefined) {
    document = readFileSync(join(PACKAGE_ROOT, "schema/operations", `${name}.graphql`), "utf8");
    documents.set(name, document);
  }
  return document;
}
