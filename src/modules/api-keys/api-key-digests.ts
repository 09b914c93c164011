import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { UnavailableError } from "../../shared/errors.js";
import type { SecretSource } from "../identity/index.js";

const PEPPER_BYTES = 32;
const MOST_PEPPERS = 8;

/**
 * What is kept of keys instead of them: HMACs under a pepper that comes from the secrets of the process, so that the
 * database alone neither tells keys nor lets anybody in who writes into it.
 */
export class ApiKeyDigests {
  private readonly derived = new LRUCache<string, Uint8Array>({ max: MOST_PEPPERS });

  constructor(
    private readonly secrets: SecretSource,
    /** For a platform without any secret. */
    private readonly fallback: Uint8Array | undefined,
  ) {}

  digestOf(key: string): string {
    return hmac(this.peppers()[0]!, key).toString("hex");
  }

  /** Undefined when it does not fit; `renewed` where it fits under a pepper that is being replaced. */
  compare(key: string, digest: string): { renewed?: string } | undefined {
    const known = Buffer.from(digest, "hex");
    const fitting = this.peppers().findIndex((pepper) => {
      const given = hmac(pepper, key);
      return given.length === known.length && timingSafeEqual(given, known);
    });
    if (fitting < 0) return undefined;
    return fitting === 0 ? {} : { renewed: this.digestOf(key) };
  }

  /** The one that counts first, then those that it replaces: a secret of its own replaces the one of tokens. */
  private peppers(): Uint8Array[] {
    const { apiKey, apiKeyPrevious, jwt, jwtPrevious } = this.secrets();
    const peppers = [apiKey, apiKeyPrevious, jwt, jwtPrevious]
      .filter((secret) => secret !== undefined)
      .map((secret) => this.derive(secret));
    if (this.fallback) peppers.push(this.fallback);
    if (peppers.length === 0) throw new UnavailableError("this process has no secret for API keys");
    return peppers;
  }

  private derive(secret: string): Uint8Array {
    const known = this.derived.get(secret);
    if (known) return known;
    const pepper = new Uint8Array(hkdfSync("sha256", secret, "", "254carbon API keys", PEPPER_BYTES));
    this.derived.set(secret, pepper);
    return pepper;
  }
}

function hmac(pepper: Uint8Array, key: string): Buffer {
  return createHmac("sha256", pepper).update(key).digest();
}
