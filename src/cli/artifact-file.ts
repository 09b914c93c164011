import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";

/** A file to upload, with what the platform verifies it by. */
export interface ArtifactFile {
  path: string;
  name: string;
  sha256: string;
  bytes: number;
}

/** Reads a file once, in chunks. */
export async function describeFile(path: string): Promise<ArtifactFile> {
  const digest = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    digest.update(chunk);
    bytes += chunk.length;
  }
  return { path, name: basename(path), sha256: digest.digest("hex"), bytes };
}
