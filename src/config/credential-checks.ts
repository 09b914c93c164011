import { LOOPBACK_HOSTS } from "./loopback-hosts.rules.js";
import { weaknessOf } from "./secret-strength.rules.js";
import type { Settings } from "./settings.js";

const SECRETS = [
  "ML_JWT_SECRET_KEY",
  "ML_JWT_SECRET_KEY_PREVIOUS",
  "ML_API_KEY_SECRET",
  "ML_API_KEY_SECRET_PREVIOUS",
] as const;
const LEAST_SECRET_BYTES = 32;

/** Secrets that everybody can guess are none; the words of a complaint never show one. */
export function secretChecks(settings: Partial<Settings>, exposed: boolean): string[] {
  const complaints = SECRETS.flatMap((name) => secretCheck(name, settings[name], exposed));
  for (const name of ["ML_JWT_SECRET_KEY", "ML_API_KEY_SECRET"] as const) {
    if (settings[`${name}_PREVIOUS`] !== undefined && settings[name] === undefined) {
      complaints.push(`${name}: required when ${name}_PREVIOUS is set`);
    }
  }
  return complaints;
}

/** @param exposed whether what everybody can guess is no secret */
export function secretCheck(name: string, secret: string | undefined, exposed: boolean): string[] {
  if (secret === undefined) return [];
  if (Buffer.byteLength(secret) < LEAST_SECRET_BYTES) {
    return [`${name}: needs at least ${LEAST_SECRET_BYTES} bytes`];
  }
  const weakness = exposed ? weaknessOf(secret) : undefined;
  if (weakness === undefined) return [];
  return [`${name}: ${weakness}; take a random one, such as openssl rand -hex 32 prints`];
}

/** Who gives out a provider's keys gives out who may do what. */
export function providerChecks(settings: Partial<Settings>, exposed: boolean): string[] {
  const { ML_JWT_JWKS_URL: url } = settings;
  if (url === undefined) return [];
  const complaints: string[] = [];
  const { protocol, hostname, username, password } = new URL(url);
  if (protocol !== "https:" && !LOOPBACK_HOSTS.has(hostname.replace(/^\[|\]$/g, ""))) {
    complaints.push("ML_JWT_JWKS_URL: must be https; http is for this machine's own loopback address");
  }
  if (username !== "" || password !== "") {
    complaints.push("ML_JWT_JWKS_URL: must not hold a name or a password");
  }
  // Replicas must agree on what API keys and links are made with.
  if (exposed && settings.ML_JWT_SECRET_KEY === undefined && settings.ML_API_KEY_SECRET === undefined) {
    complaints.push(
      `ML_API_KEY_SECRET: required when ML_ENV is ${settings.ML_ENV} without ML_JWT_SECRET_KEY`,
    );
  }
  return complaints;
}
