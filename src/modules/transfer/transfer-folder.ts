import { join } from "node:path";

export function tableFile(folder: string, table: string): string {
  return join(folder, "tables", `${table}.jsonl.gz`);
}

export function artifactFile(folder: string, sha256: string): string {
  return join(folder, "artifacts", sha256);
}

export function manifestFile(folder: string): string {
  return join(folder, "manifest.json");
}
