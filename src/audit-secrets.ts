import { join } from "node:path";
import type { Config } from "./config/config.js";
import { readLocalKey } from "./local-key.js";

/** Whence the keys of signed heads are derived; the first one signs. */
export async function readAuditSecrets({ audit, auth, dataDir }: Config): Promise<Uint8Array[]> {
  const secrets = audit.keys.length > 0 ? audit.keys : auth.jwtSecret === undefined ? [] : [auth.jwtSecret];
  if (secrets.length > 0) return secrets.map((secret) => Buffer.from(secret));
  return [await readLocalKey(join(dataDir, "audit-heads.key"))];
}
