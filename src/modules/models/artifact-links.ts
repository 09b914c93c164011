import { createHmac, timingSafeEqual } from "node:crypto";
import { ForbiddenError } from "../../shared/errors.js";

export interface SignedLink {
  /** Path and query, to be put behind the base URL. */
  path: string;
  expiresAt: Date;
}

const UPLOAD_SECONDS = 3600;
const DOWNLOAD_SECONDS = 3600;

/** Links that carry their own permission: one method, one path, until they expire. */
export class ArtifactLinks {
  constructor(private readonly key: Uint8Array) {}

  upload(versionId: string, file: string): SignedLink {
    return this.sign("PUT", `/artifacts/uploads/${versionId}/${file}`, UPLOAD_SECONDS);
  }

  download(sha256: string, file: string): SignedLink {
    return this.sign("GET", `/artifacts/${sha256}/${file}`, DOWNLOAD_SECONDS);
  }

  /** @throws {ForbiddenError} when the link is forged or has expired */
  verify(method: "PUT" | "GET", path: string, query: { expires?: string; signature?: string }): void {
    const expires = Number(query.expires);
    const given = Buffer.from(query.signature ?? "", "base64url");
    const expected = this.signature(method, path, expires);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new ForbiddenError("the link's signature is not valid");
    }
    if (expires * 1000 < Date.now()) throw new ForbiddenError("the link has expired; ask for a new one");
  }

  private sign(method: "PUT" | "GET", path: string, seconds: number): SignedLink {
    const expires = Math.floor(Date.now() / 1000) + seconds;
    const signature = this.signature(method, path, expires).toString("base64url");
    return { path: `${path}?expires=${expires}&signature=${signature}`, expiresAt: new Date(expires * 1000) };
  }

  private signature(method: string, path: string, expires: number): Buffer {
    return createHmac("sha256", this.key).update(`${method}\n${path}\n${expires}`).digest();
  }
}
