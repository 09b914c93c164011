import { createHmac } from "node:crypto";
import { join } from "node:path";
import type { Config } from "./config/config.js";
import { readLocalKey } from "./local-key.js";
import type { IdentitySecrets } from "./modules/identity/index.js";

/** What credentials are checked with. */
export function identitySecrets({ auth }: Config): IdentitySecrets {
  return {
    jwt: auth.jwtSecret,
    jwtPrevious: auth.jwtSecretPrevious,
    apiKey: auth.apiKeySecret,
    apiKeyPrevious: auth.apiKeySecretPrevious,
  };
}

/** Signs artifact links: derived from a secret, or kept beside the data where there is none. */
export async function readLinkKey({ auth, dataDir }: Config): Promise<Uint8Array> {
  const secret = auth.jwtSecret ?? auth.apiKeySecret;
  if (secret !== undefined) return createHmac("sha256", secret).update("254carbon artifact links").digest();
  return readLocalKey(join(dataDir, "artifact-links.key"));
}

/** What API keys are kept by where there is no secret; a secret, once there is one, replaces it. */
export async function readApiKeyPepper({ auth, dataDir }: Config): Promise<Uint8Array | undefined> {
  const secret = auth.jwtSecret ?? auth.apiKeySecret;
  return secret === undefined ? readLocalKey(join(dataDir, "api-keys.key")) : undefined;
}
