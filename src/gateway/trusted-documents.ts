import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ForbiddenError, PreconditionFailedError } from "../shared/errors.js";
import { PACKAGE_ROOT } from "../shared/package-root.js";

/** The operations of this package, printed by `npm run schema`. */
const OWN_MANIFEST = join(PACKAGE_ROOT, "schema/operations.json");

const manifestShape = z.record(z.string().regex(/^[0-9a-f]{64}$/), z.string());

/** What clients send instead of a text: its SHA-256, as persisted queries or as a document's id. */
const referenceShape = z.object({
  documentId: z.string().optional(),
  extensions: z.object({ persistedQuery: z.object({ sha256Hash: z.string() }).optional() }).nullish(),
});

/** The only documents that may be run: SHA-256 of each, in hexadecimal, and its text. */
export class TrustedDocuments {
  private readonly byHash = new Map<string, string>();
  private readonly texts = new Set<string>();

  /**
   * @param file a manifest beside our own
   * @throws {PreconditionFailedError} for a file that is not there, or is no manifest
   */
  static read(file: string | undefined): TrustedDocuments {
    const documents = new TrustedDocuments();
    documents.add(OWN_MANIFEST);
    if (file !== undefined) documents.add(file);
    return documents;
  }

  /**
   * The text that a request means.
   * @throws {ForbiddenError} for any other
   */
  textOf(request: { query: string }): string {
    const text = this.find(request);
    if (text !== undefined) return text;
    throw new ForbiddenError("only the documents of its manifest run here (ML_TRUSTED_DOCUMENTS)");
  }

  /** Undefined for any other. */
  find(request: { query: string }): string | undefined {
    const text = this.byHash.get(hashOf(request) ?? "") ?? request.query;
    return this.texts.has(text) ? text : undefined;
  }

  private add(file: string): void {
    for (const [hash, text] of Object.entries(readManifest(file))) {
      if (createHash("sha256").update(text).digest("hex") !== hash) {
        throw new PreconditionFailedError(
          `ML_TRUSTED_DOCUMENTS_FILE: ${hash} is not the SHA-256 of its text`,
        );
      }
      this.byHash.set(hash, text);
      this.texts.add(text);
    }
  }
}

/** Undefined for a request that names no document. */
export function hashOf(request: unknown): string | undefined {
  const { data } = referenceShape.safeParse(request);
  return data?.extensions?.persistedQuery?.sha256Hash ?? data?.documentId?.replace(/^sha256:/, "");
}

function readManifest(file: string): Record<string, string> {
  try {
    return manifestShape.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new PreconditionFailedError(
      `ML_TRUSTED_DOCUMENTS_FILE: ${file} is no file of {"<SHA-256 in hexadecimal>": "<document>"}`,
      { cause },
    );
  }
}
