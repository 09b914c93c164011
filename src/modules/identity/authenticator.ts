import { errors, jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import { LRUCache } from "lru-cache";
import { PlatformError, UnauthenticatedError } from "../../shared/errors.js";
import { parseRoles } from "./roles.rules.js";
import type { Role } from "./roles.rules.js";

/** Who calls. */
export interface Caller {
  subject: string;
  roles: readonly Role[];
}

export interface Identity {
  caller: Caller;
  /** When the credentials end; absent for the developer of a local platform. */
  expiresAt?: Date;
}

export interface AuthenticatorOptions {
  jwtSecret?: string;
  issuer: string;
  audience: string;
  developerAccess: boolean;
}

const DEVELOPER: Identity = { caller: { subject: "developer", roles: ["ADMIN"] } };
const CLOCK_TOLERANCE_SECONDS = 60;
const TOKENS_REMEMBERED = 1000;

/** Turns credentials into an identity. */
export class Authenticator {
  private readonly key?: Uint8Array;
  private readonly verified = new LRUCache<string, Identity>({ max: TOKENS_REMEMBERED });

  constructor(private readonly options: AuthenticatorOptions) {
    if (options.jwtSecret !== undefined) this.key = new TextEncoder().encode(options.jwtSecret);
  }

  /**
   * @param authorization value of the Authorization header, or of `authorization` in connection_init
   * @param direct false when a proxy stands between us and the caller: no developer comes that way
   * @throws {UnauthenticatedError}
   */
  async authenticate(authorization: string | undefined, direct: boolean): Promise<Identity> {
    if (authorization === undefined || authorization === "") {
      if (this.options.developerAccess && direct) return DEVELOPER;
      throw new UnauthenticatedError("a token is needed: Authorization: Bearer <token>");
    }
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw new UnauthenticatedError("Authorization must be: Bearer <token>");
    const known = this.verified.get(token);
    if (known) return known;
    const identity = await this.verify(token);
    const ttl = Math.min(60_000, (identity.expiresAt?.getTime() ?? 0) - Date.now());
    if (ttl > 0) this.verified.set(token, identity, { ttl });
    return identity;
  }

  private async verify(token: string): Promise<Identity> {
    if (!this.key)
      throw new UnauthenticatedError("this platform has no ML_JWT_SECRET_KEY to check tokens with");
    try {
      const { payload } = await jwtVerify(token, this.key, {
        algorithms: ["HS256"],
        issuer: this.options.issuer,
        audience: this.options.audience,
        requiredClaims: ["sub", "exp"],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      const roles = parseRoles(Array.isArray(payload.roles) ? payload.roles : []);
      return { caller: { subject: subjectOf(payload), roles }, expiresAt: new Date(payload.exp! * 1000) };
    } catch (error) {
      if (error instanceof errors.JOSEError) {
        throw new UnauthenticatedError(`the token is not valid: ${error.message}`, { cause: error });
      }
      if (error instanceof PlatformError) throw new UnauthenticatedError(`the token's ${error.message}`);
      throw error;
    }
  }
}

/** A token may carry any JSON as its subject; the history of changes needs a name. */
function subjectOf({ sub }: JWTPayload): string {
  if (typeof sub === "string" && sub !== "") return sub;
  throw new UnauthenticatedError("sub: must be text that names the caller");
}
