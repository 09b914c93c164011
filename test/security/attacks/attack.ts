import { randomInt, randomUUID } from "node:crypto";
import type { Platform } from "../../support/platform.js";
import { rawRequest } from "../../support/raw-http.js";
import type { RawAnswer, RawRequest } from "../../support/raw-http.js";
import { bearer, issueToken } from "../../support/tokens.js";

/** A platform as production has it, with what an attacker would like to have. */
export interface Site {
  platform: Platform;
  /** Ids of nodes that only an ADMIN may read, by type. */
  secretIds: Record<string, string>;
  /** A model of three inputs in production. */
  model: string;
  collection: string;
}

/** Does its worst, and asserts that the answer is the clean one. */
export interface Attack {
  name: string;
  run(site: Site): Promise<void>;
  /** Waits for a time-out of the platform's: seen among the others only. */
  slow?: boolean;
}

type Role = "VIEWER" | "ANALYST" | "ENGINEER" | "OPERATOR" | "ADMIN";

/** Headers of somebody whom nobody has seen before, from an address of its own behind the proxy. */
export function stranger(role: Role = "ADMIN"): Record<string, string> {
  return {
    ...bearer(issueToken({ sub: `attacker-${randomUUID()}`, roles: [role] })),
    ...fromSomewhere(),
  };
}

export function fromSomewhere(): Record<string, string> {
  return { "x-forwarded-for": `203.0.${randomInt(256)}.${randomInt(256)}` };
}

export function send(site: Site, path: string, request: RawRequest): Promise<RawAnswer> {
  return rawRequest(site.platform.url + path, request);
}

/** A GraphQL request whose body is written as it stands. */
export function sendBody(
  site: Site,
  body: string,
  headers: Record<string, string> = stranger(),
): Promise<RawAnswer> {
  return send(site, "/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
}

export function ask(
  site: Site,
  query: string,
  variables: object = {},
  headers: Record<string, string> = stranger(),
): Promise<RawAnswer> {
  return sendBody(site, JSON.stringify({ query, variables }), headers);
}

/** What no answer may show: how the platform is made, and where. */
const INNER_LIFE =
  /node_modules|\\n\s+at |\.[jt]s:\d+|QueryFailedError|\b(FROM|INTO|UPDATE|WHERE) \\?"|syntax error at|pg_catalog|relation \\?"|\/home\/|\/root\/|\/tmp\//;

/** The refusal has this code, and neither it nor anything else says more than it should. */
export function expectRefusal(answer: RawAnswer, code: string | RegExp): void {
  expectClean(answer);
  const { errors } = JSON.parse(answer.body) as { errors?: { extensions: { code: string } }[] };
  expect(errors?.[0]?.extensions.code ?? answer.body).toMatch(code);
  expect(answer.status).toBeLessThan(500);
}

export function expectClean({ body, headers }: RawAnswer): void {
  expect(body).not.toMatch(INNER_LIFE);
  expect(body).not.toContain('"INTERNAL"');
  expect(headers["x-powered-by"] ?? headers.server).toBeUndefined();
}
