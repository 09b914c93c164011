import { createHash, createPrivateKey, createPublicKey, hkdfSync, sign, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Seal } from "./seal.rules.js";

/** The end of the chain at some time, signed. */
export interface SignedHead {
  format: 1;
  /** When it was signed, ISO. */
  at: string;
  /** Number of the last seal. */
  number: string;
  /** Its digest. */
  digest: string;
  /** Which key has signed, by the beginning of its digest. */
  key: string;
  /** Ed25519, base64url. */
  signature: string;
}

export interface HeadKey {
  private: KeyObject;
  public: KeyObject;
  name: string;
}

/** What goes before the 32 bytes of a private Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const PURPOSE = "254carbon audit heads";

export function deriveHeadKey(secret: Uint8Array): HeadKey {
  const seed = Buffer.from(hkdfSync("sha256", secret, new Uint8Array(), PURPOSE, 32));
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey);
  const spki = publicKey.export({ format: "der", type: "spki" });
  const name = createHash("sha256").update(spki).digest("hex").slice(0, 16);
  return { private: privateKey, public: publicKey, name };
}

export function signHead(
  { number, digest }: Pick<Seal, "number" | "digest">,
  at: Date,
  key: HeadKey,
): string {
  const head = { format: 1 as const, at: at.toISOString(), number: String(number), digest, key: key.name };
  const signature = sign(null, signedBytes(head), key.private).toString("base64url");
  return `${JSON.stringify({ ...head, signature } satisfies SignedHead)}\n`;
}

/** @returns undefined when it is no head, or none of the keys has signed it */
export function openHead(text: string, keys: readonly HeadKey[]): SignedHead | undefined {
  const head = parse(text);
  const key = keys.find(({ name }) => name === head?.key);
  if (!head || !key) return undefined;
  const signature = Buffer.from(head.signature, "base64url");
  return verify(null, signedBytes(head), key.public, signature) ? head : undefined;
}

function parse(text: string): SignedHead | undefined {
  try {
    const head = JSON.parse(text) as SignedHead;
    const texts = [head.at, head.number, head.digest, head.key, head.signature];
    return head.format === 1 && texts.every((value) => typeof value === "string") && /^\d+$/.test(head.number)
      ? head
      : undefined;
  } catch {
    return undefined;
  }
}

function signedBytes({ format, at, number, digest, key }: Omit<SignedHead, "signature">): Buffer {
  return Buffer.from(JSON.stringify([PURPOSE, format, at, number, digest, key]));
}
