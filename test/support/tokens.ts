import { createHmac } from "node:crypto";

export const TEST_SECRET = "a secret of the tests that is long enough";

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** A token as its owner's identity provider would issue it; `claims` and `header` change what is usual. */
export function issueToken(
  claims: Record<string, unknown> = {},
  { header = {}, secret = TEST_SECRET }: { header?: Record<string, unknown>; secret?: string } = {},
): string {
  const now = Math.floor(Date.now() / 1000);
  const body = {
    iss: "254carbon",
    aud: "254carbon-ml",
    sub: "tester",
    roles: ["ADMIN"],
    exp: now + 600,
    ...claims,
  };
  const signed = `${encoded({ alg: "HS256", typ: "JWT", ...header })}.${encoded(body)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
