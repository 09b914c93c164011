import { decodeProtectedHeader, errors, jwtVerify } from "jose";
import type { CryptoKey, JWTPayload } from "jose";
import { PlatformError, UnauthenticatedError, UnavailableError } from "../../shared/errors.js";
import type { Identity } from "./caller.js";
import { parseGrants } from "./grants.rules.js";
import type { IdentitySecrets } from "./identity-secrets.js";
import type { ProviderKeys } from "./provider-keys.js";
import { foreignRolesOf, isTokenType, rolesOf, subjectOf } from "./token-claims.rules.js";

export interface TokenRules {
  issuer: string;
  audience: string;
  /** Where a provider's tokens have their roles. */
  rolesClaim: string;
}

const LARGEST_TOKEN_BYTES = 8 * 1024;
const CLOCK_TOLERANCE_SECONDS = 60;

/**
 * Checks JSON Web Tokens by RFC 8725. Ours are told from a provider's by their algorithm: a secret is only ever used
 * for HS256, a public key only for the one algorithm of its kind, so that neither can be taken for the other.
 */
export class TokenVerifier {
  constructor(
    private readonly rules: TokenRules,
    private readonly provider: ProviderKeys | undefined,
  ) {}

  /**
   * @throws {UnauthenticatedError}
   * @throws {UnavailableError} when the provider's keys are not known
   */
  async verify(token: string, secrets: IdentitySecrets): Promise<Identity> {
    if (token.length > LARGEST_TOKEN_BYTES) {
      throw new UnauthenticatedError(`the token is longer than ${LARGEST_TOKEN_BYTES} bytes`);
    }
    try {
      const { alg, typ, kid } = decodeProtectedHeader(token);
      if (!isTokenType(typ)) throw new UnauthenticatedError("the token is not valid: its typ is another");
      if (alg === "HS256") return toIdentity(await this.verifyOwn(token, secrets), rolesOf);
      if (this.provider?.has(alg)) {
        const key = await this.provider.find(alg, typeof kid === "string" ? kid : undefined);
        const claims = await this.claimsOf(token, key, alg);
        return toIdentity(claims, () => foreignRolesOf(claims, this.rules.rolesClaim));
      }
      throw new UnauthenticatedError("the token is not valid: its alg is not accepted");
    } catch (error) {
      if (error instanceof UnauthenticatedError || error instanceof UnavailableError) throw error;
      if (error instanceof PlatformError) throw new UnauthenticatedError(`the token's ${error.message}`);
      if (error instanceof errors.JOSEError || error instanceof TypeError) {
        throw new UnauthenticatedError(`the token is not valid: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  private async verifyOwn(token: string, { jwt, jwtPrevious }: IdentitySecrets): Promise<JWTPayload> {
    if (jwt === undefined)
      throw new UnauthenticatedError("this platform has no ML_JWT_SECRET_KEY to check such tokens with");
    try {
      return await this.claimsOf(token, new TextEncoder().encode(jwt), "HS256");
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed) || jwtPrevious === undefined) throw error;
      return this.claimsOf(token, new TextEncoder().encode(jwtPrevious), "HS256");
    }
  }

  private async claimsOf(token: string, key: CryptoKey | Uint8Array, algorithm: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [algorithm],
      issuer: this.rules.issuer,
      audience: this.rules.audience,
      requiredClaims: ["sub", "exp"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    return payload;
  }
}

function toIdentity(
  claims: JWTPayload,
  readRoles: (claim: unknown) => Identity["caller"]["roles"],
): Identity {
  const grants = parseGrants(claims.grants, "grants");
  return {
    caller: {
      subject: subjectOf(claims.sub),
      roles: readRoles(claims.roles),
      ...(grants.length > 0 ? { grants } : {}),
    },
    expiresAt: new Date(claims.exp! * 1000),
  };
}
