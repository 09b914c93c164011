import type { IncomingMessage } from "node:http";
import { ForbiddenError } from "../shared/errors.js";

const LOOPBACK_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

export interface OriginPolicy {
  loopback: boolean;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
}

/**
 * Keeps web pages of other sites away: a page may be made to resolve its own name to this machine
 * (then `Host` betrays it) or may call us across origins (then `Origin` does).
 * @throws {ForbiddenError}
 */
export function assertTrustedOrigin(request: IncomingMessage, policy: OriginPolicy): void {
  const host = request.headers.host ?? "";
  const name = hostName(host);
  const known = LOOPBACK_NAMES.has(name) || policy.allowedHosts.includes(name);
  if (!known && (policy.loopback || policy.allowedHosts.length > 0)) {
    throw new ForbiddenError("the Host of the request is not one of this platform; see ML_ALLOWED_HOSTS");
  }
  const { origin } = request.headers;
  if (origin === undefined || policy.allowedOrigins.includes(origin)) return;
  if (origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new ForbiddenError("pages of another origin may not call this platform; see ML_ALLOWED_ORIGINS");
  }
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}

const PROXY_HEADERS = /^(forwarded|x-forwarded-.+|x-real-ip|via)$/;

/** A proxy has passed the request on, so its sender need not be on this machine. */
export function cameDirectly({ headers }: IncomingMessage): boolean {
  return !Object.keys(headers).some((name) => PROXY_HEADERS.test(name));
}
