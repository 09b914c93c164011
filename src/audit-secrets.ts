import { join } from "node:path";
import type { Config } from "./config/config.js";
import { readLocalKey } from "./local-key.js";

/** Whence the keys of signed heads are derived; the first one signs. */
export async function readAuditSecrets({ audit, auth, dataDir }: Config): Promise<Uint8Array[]> {
  const derived = [auth.jwtSecret, auth.jwtSecretPrevious, auth.apiKeySecret].filter(
    (secret) => secret !== undefined,
  );
  const secrets = audit.keys.length > 0 ? audit.keys : derived;
  if (secrets.length > 0) return secrets.map((secret) => Buffer.from(secret));
  return [await readLocalKey(join(dataDir, "audit-heads.key"))];
}
