import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ModelSource } from "../../ports/inference-runtime.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { GRAPH_FILE } from "./model-input.rules.js";
import type { ModelVersionRow } from "./model-version.entity.js";

export type VersionFiles = Pick<ModelVersionRow, "sha256" | "bytes" | "files">;

/** Digest, name and size of the graph and of every file beside it, the graph first. */
export function filesOf(version: VersionFiles): { name: string; sha256: string; bytes: number }[] {
  return [{ name: GRAPH_FILE, sha256: version.sha256, bytes: version.bytes }, ...version.files];
}

/** Identity of all the bytes of a version; equal bytes share one loaded model. */
export function filesKey(version: VersionFiles): string {
  const named = filesOf(version).map(({ name, sha256 }) => `${name}:${sha256}`);
  return createHash("sha256").update(named.join("\n")).digest("hex");
}

/** Lays the version's files out on local disk. */
export async function toModelSource(store: ObjectStore, version: VersionFiles): Promise<ModelSource> {
  const files = filesOf(version);
  const digests = new Map(files.map(({ name, sha256 }) => [name, sha256]));
  const ensure = () => store.materialize(digests);
  const folder = await ensure();
  return {
    key: filesKey(version),
    path: join(folder, GRAPH_FILE),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    ensure,
  };
}
