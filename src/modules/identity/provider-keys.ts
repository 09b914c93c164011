import { importJWK } from "jose";
import type { CryptoKey, JWK } from "jose";
import { UnauthenticatedError, UnavailableError } from "../../shared/errors.js";
import { reportProviderKeys } from "../../telemetry/events.js";

/** What a provider may sign with: never with a secret that both sides know. */
export type ProviderAlgorithm = "RS256" | "PS256" | "ES256" | "ES384" | "EdDSA";

export interface ProviderOptions {
  url: string;
  /** At most one for each kind of key. */
  algorithms: readonly ProviderAlgorithm[];
}

interface ProviderKey {
  algorithm: ProviderAlgorithm;
  kid?: string;
  key: CryptoKey;
}

export interface ProviderTimes {
  /** Keys are read again after this, behind the answers that the known ones give. */
  freshMs: number;
  /** Keys that could not be confirmed for so long are not trusted any more. */
  trustedMs: number;
  /** Between two questions, whoever asks and whatever comes of them. */
  pauseMs: number;
  answerMs: number;
}

const TIMES: ProviderTimes = {
  freshMs: 5 * 60_000,
  trustedMs: 10 * 60_000,
  pauseMs: 30_000,
  answerMs: 5_000,
};
const MOST_BYTES = 256 * 1024;
const MOST_KEYS = 100;

/** The public keys of an identity provider, as it publishes them (RFC 7517). */
export class ProviderKeys {
  private known: { keys: readonly ProviderKey[]; at: number } = { keys: [], at: Number.NEGATIVE_INFINITY };
  private askedAt = Number.NEGATIVE_INFINITY;
  private asking?: Promise<void>;

  constructor(
    private readonly options: ProviderOptions,
    private readonly times = TIMES,
  ) {}

  has(algorithm: unknown): algorithm is ProviderAlgorithm {
    return this.options.algorithms.some((known) => known === algorithm);
  }

  /**
   * The one key that may have signed; what else a token's header says about keys has no effect.
   * @throws {UnauthenticatedError} when the provider has no such key
   * @throws {UnavailableError} when the provider's keys are not known well enough to tell
   */
  async find(algorithm: ProviderAlgorithm, kid: string | undefined): Promise<CryptoKey> {
    const found = this.trusted(algorithm, kid);
    if (found) {
      if (this.age() > this.times.freshMs) void this.refresh();
      return found;
    }
    await this.refresh();
    const published = this.trusted(algorithm, kid);
    if (published) return published;
    if (this.age() > this.times.trustedMs)
      throw new UnavailableError("the identity provider does not tell its keys");
    throw new UnauthenticatedError("the token is not valid: no key of the identity provider fits");
  }

  private trusted(algorithm: ProviderAlgorithm, kid: string | undefined): CryptoKey | undefined {
    if (this.age() > this.times.trustedMs) return undefined;
    const fitting = this.known.keys.filter(
      (key) => key.algorithm === algorithm && (kid === undefined || key.kid === kid),
    );
    // Where several could have, the token has to say which.
    return fitting.length === 1 ? fitting[0]!.key : undefined;
  }

  private age(): number {
    return performance.now() - this.known.at;
  }

  /** Those who ask meanwhile wait for the same answer. */
  private refresh(): Promise<void> {
    if (!this.asking && performance.now() - this.askedAt >= this.times.pauseMs) {
      this.askedAt = performance.now();
      this.asking = this.read().finally(() => (this.asking = undefined));
    }
    return this.asking ?? Promise.resolve();
  }

  /** Never throws: what was known before stays for as long as it is trusted. */
  private async read(): Promise<void> {
    try {
      const published = parseKeySet(await this.fetch());
      const keys = await Promise.all(published.map((jwk) => this.import(jwk)));
      this.known = { keys: keys.filter((key) => key !== undefined), at: performance.now() };
      reportProviderKeys({ count: this.known.keys.length });
    } catch (err) {
      reportProviderKeys({ err });
    }
  }

  private async fetch(): Promise<unknown> {
    const signal = AbortSignal.timeout(this.times.answerMs);
    const headers = { accept: "application/jwk-set+json, application/json" };
    const response = await fetch(this.options.url, { redirect: "manual", signal, headers });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new UnavailableError(`the identity provider answered with HTTP ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > MOST_BYTES) throw new UnavailableError("the identity provider's answer is too large");
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  }

  /** Undefined for a key that is not for us: of another kind, for another use, or malformed. */
  private async import(jwk: JWK): Promise<ProviderKey | undefined> {
    const algorithm = this.algorithmOf(jwk);
    if (!algorithm) return undefined;
    const { kty, crv, n, e, x, y, kid } = jwk;
    try {
      // The public members alone: whatever else is published is not ours to hold.
      const key = (await importJWK({ kty, crv, n, e, x, y } as JWK, algorithm)) as CryptoKey;
      return { algorithm, key, ...(typeof kid === "string" ? { kid } : {}) };
    } catch {
      return undefined;
    }
  }

  /** The kind of a key decides its algorithm; neither the key nor a token can choose another. */
  private algorithmOf({ kty, crv, alg, use, key_ops: operations }: JWK): ProviderAlgorithm | undefined {
    if (use !== undefined && use !== "sig") return undefined;
    if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
      return undefined;
    const algorithm = this.options.algorithms.find(
      (name) => KINDS[name] === (kty === "RSA" ? kty : `${kty} ${crv}`),
    );
    if (algorithm === undefined || (alg !== undefined && alg !== algorithm)) return undefined;
    return algorithm;
  }
}

const KINDS: Record<ProviderAlgorithm, string> = {
  RS256: "RSA",
  PS256: "RSA",
  ES256: "EC P-256",
  ES384: "EC P-384",
  EdDSA: "OKP Ed25519",
};

function parseKeySet(answer: unknown): JWK[] {
  const keys = (answer as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || keys.length > MOST_KEYS) {
    throw new UnavailableError("the identity provider's answer is no set of keys");
  }
  return keys.filter((key): key is JWK => typeof key === "object" && key !== null);
}
