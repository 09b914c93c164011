import { LRUCache } from "lru-cache";
import { UnauthenticatedError } from "../../shared/errors.js";
import type { Identity } from "./caller.js";
import type { IdentitySecrets, SecretSource } from "./identity-secrets.js";
import { ProviderKeys } from "./provider-keys.js";
import type { ProviderOptions } from "./provider-keys.js";
import { TokenVerifier } from "./token-verifier.js";

export interface AuthenticatorOptions {
  issuer: string;
  audience: string;
  /** Absent: only tokens of our own are accepted. */
  provider?: ProviderOptions & { rolesClaim: string };
  developerAccess: boolean;
}

const DEVELOPER: Identity = { caller: { subject: "developer", roles: ["ADMIN"] } };
const TOKENS_REMEMBERED = 1000;
const REMEMBERED_MS = 60_000;

/** Turns credentials into an identity. */
export class Authenticator {
  private readonly tokens: TokenVerifier;
  private readonly verified = new LRUCache<string, Identity>({ max: TOKENS_REMEMBERED });
  private lastSecrets: IdentitySecrets = {};

  constructor(
    private readonly options: AuthenticatorOptions,
    private readonly secrets: SecretSource,
  ) {
    const { issuer, audience, provider } = options;
    this.tokens = new TokenVerifier(
      { issuer, audience, rolesClaim: provider?.rolesClaim ?? "roles" },
      provider && new ProviderKeys(provider),
    );
  }

  /**
   * @param authorization value of the Authorization header, or of `authorization` in connection_init
   * @param direct false when a proxy stands between us and the caller: no developer comes that way
   * @throws {UnauthenticatedError}
   * @throws {UnavailableError} when it cannot be told whether the credentials are valid
   */
  async authenticate(authorization: string | undefined, direct: boolean): Promise<Identity> {
    if (authorization === undefined || authorization === "") {
      if (this.options.developerAccess && direct) return DEVELOPER;
      throw new UnauthenticatedError("a token is needed: Authorization: Bearer <token>");
    }
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw new UnauthenticatedError("Authorization must be: Bearer <token>");
    const secrets = this.currentSecrets();
    const known = this.verified.get(token);
    if (known) return known;
    const identity = await this.tokens.verify(token, secrets);
    const ttl = Math.min(REMEMBERED_MS, (identity.expiresAt?.getTime() ?? 0) - Date.now());
    // What was verified with secrets that have been replaced meanwhile is not remembered.
    if (ttl > 0 && secrets === this.lastSecrets) this.verified.set(token, identity, { ttl });
    return identity;
  }

  /** Nothing that was verified with other secrets is remembered. */
  private currentSecrets(): IdentitySecrets {
    const { jwt, jwtPrevious } = this.secrets();
    if (jwt !== this.lastSecrets.jwt || jwtPrevious !== this.lastSecrets.jwtPrevious) {
      this.verified.clear();
      this.lastSecrets = { jwt, jwtPrevious };
    }
    return this.lastSecrets;
  }
}
