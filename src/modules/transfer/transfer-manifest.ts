import { z } from "zod";
import { PreconditionFailedError } from "../../shared/errors.js";

/** Grows when an older platform could no longer read what is written. */
export const FORMAT_VERSION = 1;

const FORMAT = "254carbon-export";
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().regex(/^[a-z_][a-z0-9_]*$/);

const table = z.object({
  name,
  columns: z.array(name).nonempty(),
  rows: z.number().int().nonnegative(),
  /** Of the lines, not of the file, which is compressed. */
  sha256: digest,
  /** What identity columns have given out last; null: nothing yet. */
  identities: z.record(name, z.string().regex(/^\d+$/).nullable()),
});

const artifact = z.object({ sha256: digest, bytes: z.number().int().nonnegative() });

const manifest = z.object({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  /** Of the platform that wrote it. */
  platform: z.string(),
  exportedAt: z.string(),
  predictions: z.boolean(),
  /** The end of the events: positions go on after it. */
  eventsUntil: z.string().regex(/^\d+$/),
  tables: z.array(table),
  artifacts: z.array(artifact),
});

export type TransferManifest = z.infer<typeof manifest>;
export type TableContents = z.infer<typeof table>;
export type TransferredArtifact = z.infer<typeof artifact>;

export function createManifest(contents: Omit<TransferManifest, "format" | "formatVersion">): string {
  return `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION, ...contents }, undefined, 2)}\n`;
}

/** @throws {PreconditionFailedError} when it is none, or of a format that this platform does not read */
export function parseManifest(text: string): TransferManifest {
  const read = manifest.safeParse(toJson(text));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const path = issue!.path.join(".");
  throw new PreconditionFailedError(
    path === "formatVersion"
      ? `manifest.json: this platform reads format ${FORMAT_VERSION} only; import with a platform as new as the one that exported`
      : `manifest.json: ${path === "" ? "the file" : path} is not what an export writes (${issue!.message})`,
  );
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
