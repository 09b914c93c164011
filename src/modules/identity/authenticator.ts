import { LRUCache } from "lru-cache";
import { UnauthenticatedError } from "../../shared/errors.js";
import type { Identity } from "./caller.js";
import type { IdentitySecrets, SecretSource } from "./identity-secrets.js";
import type { KeyCredentials } from "./key-credentials.js";
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

/** As a caller sends them; what is empty is as good as absent. */
export interface Credentials {
  /** Value of the Authorization header, or of `authorization` in connection_init. */
  authorization?: string;
  /** Value of the x-api-key header, or of `apiKey` in connection_init. */
  apiKey?: string;
}

/** No token begins like this: its header would be no JSON. */
const KEY_MARK = "254c_";
const DEVELOPER: Identity = { caller: { subject: "developer", roles: ["ADMIN"] } };
/** As many as a process has sockets, which present theirs every few seconds. */
const TOKENS_REMEMBERED = 5_000;
const REMEMBERED_MS = 60_000;

/** Turns credentials into an identity. */
export class Authenticator {
  private readonly tokens: TokenVerifier;
  private readonly verified = new LRUCache<string, Identity>({ max: TOKENS_REMEMBERED });
  private lastSecrets: IdentitySecrets = {};

  constructor(
    private readonly options: AuthenticatorOptions,
    private readonly secrets: SecretSource,
    private readonly keys: KeyCredentials,
  ) {
    const { issuer, audience, provider } = options;
    this.tokens = new TokenVerifier(
      { issuer, audience, rolesClaim: provider?.rolesClaim ?? "roles" },
      provider && new ProviderKeys(provider),
    );
  }

  /**
   * @param direct false when a proxy stands between us and the caller: no developer comes that way
   * @throws {UnauthenticatedError}
   * @throws {UnavailableError} when it cannot be told whether the credentials are valid
   */
  async authenticate({ authorization, apiKey }: Credentials, direct: boolean): Promise<Identity> {
    if (authorization && apiKey) {
      throw new UnauthenticatedError("either Authorization or an API key, not both");
    }
    if (apiKey) return this.keys.authenticate(apiKey);
    if (!authorization) {
      if (this.options.developerAccess && direct) return DEVELOPER;
      throw new UnauthenticatedError("a token is needed: Authorization: Bearer <token>");
    }
    const [, bearer] = /^Bearer ([\w.-]+)$/i.exec(authorization) ?? [];
    if (bearer?.startsWith(KEY_MARK)) return this.keys.authenticate(bearer);
    if (bearer === undefined || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(bearer)) {
      throw new UnauthenticatedError("Authorization must be: Bearer <token>");
    }
    return this.verifyToken(bearer);
  }

  private async verifyToken(token: string): Promise<Identity> {
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
