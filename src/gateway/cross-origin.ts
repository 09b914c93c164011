import type { FastifyReply, FastifyRequest } from "fastify";

const PREFLIGHT_SECONDS = 600;

/**
 * Tells browsers that pages of the allowed origins may call us and read the answer. Credentials travel in
 * headers that the page sets itself, never in cookies, so none are allowed.
 * @returns whether the request was a preflight, which is answered by this
 */
export function grantCrossOrigin(
  request: FastifyRequest,
  reply: FastifyReply,
  allowedOrigins: readonly string[],
): boolean {
  const { origin } = request.headers;
  if (allowedOrigins.length > 0) void reply.header("vary", "origin");
  if (origin === undefined || !allowedOrigins.includes(origin)) return false;
  void reply
    .header("access-control-allow-origin", origin)
    .header("access-control-expose-headers", "x-request-id, content-range, etag, retry-after");
  if (request.method !== "OPTIONS" || !request.headers["access-control-request-method"]) return false;
  void reply
    .code(204)
    .header("access-control-allow-methods", "GET, POST, PUT")
    .header(
      "access-control-allow-headers",
      "authorization, x-api-key, content-type, range, traceparent, apollo-require-preflight",
    )
    .header("access-control-max-age", PREFLIGHT_SECONDS)
    .send();
  return true;
}
