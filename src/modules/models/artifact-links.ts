import { createHmac, timingSafeEqual } from "node:crypto";
import type { DirectLink, ObjectStore } from "../../ports/object-store.js";
import { ForbiddenError } from "../../shared/errors.js";

export interface ArtifactFile {
  name: string;
  sha256: string;
  bytes: number;
}

/** As they are now: the first one signs, the others have signed what is about. */
export type LinkKeys = () => readonly Uint8Array[];

const UPLOAD_SECONDS = 3600;
const DOWNLOAD_SECONDS = 3600;

/**
 * Links that carry their own permission: one method, one path, until they expire. They lead into the store where
 * clients reach it, else to the gateway.
 */
export class ArtifactLinks {
  constructor(
    private readonly keys: LinkKeys,
    private readonly store: ObjectStore,
  ) {}

  async upload(baseUrl: string, versionId: string, { name, ...file }: ArtifactFile): Promise<DirectLink> {
    const direct = await this.store.uploadLink(versionId, file, UPLOAD_SECONDS);
    if (direct) return direct;
    const { path, expiresAt } = this.sign("PUT", `/artifacts/uploads/${versionId}/${name}`, UPLOAD_SECONDS);
    return { url: baseUrl + path, headers: { "content-type": "application/octet-stream" }, expiresAt };
  }

  async download(baseUrl: string, sha256: string, fileName: string): Promise<string> {
    const direct = await this.store.downloadLink(sha256, fileName, DOWNLOAD_SECONDS);
    return (
      direct?.url ?? baseUrl + this.sign("GET", `/artifacts/${sha256}/${fileName}`, DOWNLOAD_SECONDS).path
    );
  }

  /** @throws {ForbiddenError} when the link is forged or has expired */
  verify(method: "PUT" | "GET", path: string, query: { expires?: string; signature?: string }): void {
    const expires = Number(query.expires);
    const given = Buffer.from(query.signature ?? "", "base64url");
    const valid = this.keys().some((key) => isEqual(given, signatureOf(key, method, path, expires)));
    if (!valid) throw new ForbiddenError("the link's signature is not valid");
    if (expires * 1000 < Date.now()) throw new ForbiddenError("the link has expired; ask for a new one");
  }

  private sign(method: "PUT" | "GET", path: string, seconds: number): { path: string; expiresAt: Date } {
    const expires = Math.floor(Date.now() / 1000) + seconds;
    const signature = signatureOf(this.keys()[0]!, method, path, expires).toString("base64url");
    return { path: `${path}?expires=${expires}&signature=${signature}`, expiresAt: new Date(expires * 1000) };
  }
}

function signatureOf(key: Uint8Array, method: string, path: string, expires: number): Buffer {
  return createHmac("sha256", key).update(`${method}\n${path}\n${expires}`).digest();
}

function isEqual(given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}
