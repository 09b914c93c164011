import { createHmac } from "node:crypto";
import { join } from "node:path";
import type { Config } from "./config/config.js";
import { readLocalKey } from "./local-key.js";
import type { IdentitySecrets } from "./modules/identity/index.js";
import type { LinkKeys } from "./modules/models/index.js";

/** What credentials are checked with. */
export function identitySecrets({ auth }: Config): IdentitySecrets {
  return {
    jwt: auth.jwtSecret,
    jwtPrevious: auth.jwtSecretPrevious,
    apiKey: auth.apiKeySecret,
    apiKeyPrevious: auth.apiKeySecretPrevious,
  };
}

/**
 * What artifact links are signed with: derived from a secret, or kept beside the data where there is none. Links that
 * the secret of before has signed are good until they end.
 */
export async function linkKeysOf(latest: () => Config): Promise<LinkKeys> {
  const { auth, dataDir } = latest();
  if ((auth.jwtSecret ?? auth.apiKeySecret) === undefined) {
    const key = await readLocalKey(join(dataDir, "artifact-links.key"));
    return () => [key];
  }
  return () => {
    const { jwtSecret, jwtSecretPrevious, apiKeySecret, apiKeySecretPrevious } = latest().auth;
    const secrets =
      jwtSecret === undefined ? [apiKeySecret, apiKeySecretPrevious] : [jwtSecret, jwtSecretPrevious];
    return secrets.filter((secret) => secret !== undefined).map(linkKeyOf);
  };
}

function linkKeyOf(secret: string): Uint8Array {
  return createHmac("sha256", secret).update("254carbon artifact links").digest();
}

/** What API keys are kept by where there is no secret; a secret, once there is one, replaces it. */
export async function readApiKeyPepper({ auth, dataDir }: Config): Promise<Uint8Array | undefined> {
  const secret = auth.jwtSecret ?? auth.apiKeySecret;
  return secret === undefined ? readLocalKey(join(dataDir, "api-keys.key")) : undefined;
}
