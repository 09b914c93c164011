import type { FastifyReply } from "fastify";

const YEAR_SECONDS = 31_536_000;

/** An answer is data: no page runs it, shows it in a frame, or learns where it came from. Pages have policies of their own. */
const HEADERS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
};

const OVER_TLS = { "strict-transport-security": `max-age=${YEAR_SECONDS}` };

/** @param secure whether clients reach us by https */
export function secureAnswer(reply: FastifyReply, secure: boolean): void {
  void reply.headers(HEADERS);
  if (secure) void reply.headers(OVER_TLS);
}
