import { createHmac, randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config/config.js";
import type { IdentitySecrets } from "./modules/identity/index.js";

const KEY_BYTES = 32;

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
  return readKeptKey(join(dataDir, "artifact-links.key"));
}

/** What API keys are kept by where there is no secret; a secret, once there is one, replaces it. */
export async function readApiKeyPepper({ auth, dataDir }: Config): Promise<Uint8Array | undefined> {
  const secret = auth.jwtSecret ?? auth.apiKeySecret;
  return secret === undefined ? readKeptKey(join(dataDir, "api-keys.key")) : undefined;
}

async function readKeptKey(file: string): Promise<Uint8Array> {
  const kept = await readFile(file).catch(() => undefined);
  if (kept?.length === KEY_BYTES) return kept;
  // Renamed into place: a process killed while writing must not leave an empty key, which anybody could sign with.
  await writeFile(`${file}.draft`, randomBytes(KEY_BYTES), { mode: 0o600 });
  await rename(`${file}.draft`, file);
  return readFile(file);
}
