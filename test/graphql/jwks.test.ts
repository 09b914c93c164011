import "reflect-metadata";
import { createHmac, createPublicKey, sign } from "node:crypto";
import { Authenticator } from "../../src/modules/identity/index.js";
import { ProviderKeys } from "../../src/modules/identity/provider-keys.js";
import type { PlatformError } from "../../src/shared/errors.js";
import { IdentityProvider, makeProviderKey, signByProvider } from "../support/identity-provider.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";
import { until } from "../support/until.js";

const rsa = makeProviderKey("RS256");
const curve = makeProviderKey("ES256");
const edwards = makeProviderKey("EdDSA");
const bigCurve = makeProviderKey("ES384");
const stranger = makeProviderKey("RS256");
const weak = makeProviderKey("RS256", 1024);

let provider: IdentityProvider;
let platform: Platform;

beforeAll(async () => {
  provider = await IdentityProvider.start();
  provider.publish(
    rsa,
    curve,
    edwards,
    bigCurve,
    weak,
    { kty: "oct", k: "c2VjcmV0", kid: "shared", alg: "HS256" },
    { kty: "RSA", n: "!", e: "?" },
  );
  platform = await startPlatform({
    environment: {
      ML_ENV: "test",
      ML_JWT_SECRET_KEY: TEST_SECRET,
      ML_JWT_JWKS_URL: provider.url,
      ML_JWT_ALGORITHMS: "RS256,ES256,ES384,EdDSA",
      ML_JWT_ROLES_CLAIM: "realm_access.roles",
    },
  });
});

afterAll(async () => {
  await platform.remove();
  await provider.stop();
});

const roles = { realm_access: { roles: ["offline_access", "analyst", "uma_authorization"] } };
const ask = (token: string) =>
  platform.ask<{ me: { subject: string; roles: string[] } }>("{ me { subject roles } }", {}, bearer(token));

test.each([rsa, curve, edwards, bigCurve])(
  "a token by $algorithm is accepted, foreign roles passed over",
  async (key) => {
    const { data } = await ask(await signByProvider(key, roles));
    expect(data).toEqual({ me: { subject: "ann@provider", roles: ["ANALYST"] } });
  },
);

test("tokens of our own go on beside the provider's", async () => {
  expect((await ask(issueToken())).data?.me.roles).toEqual(["ADMIN"]);
  // What is ours in our own tokens is nothing in the provider's.
  expect((await ask(await signByProvider(rsa, { roles: ["ADMIN"] }))).data?.me.roles).toEqual([]);
});

test.each<[string, () => Promise<string> | string]>([
  ["another provider's key", () => signByProvider(stranger, roles)],
  ["another's key under a known kid", () => signByProvider({ ...stranger, kid: rsa.kid }, roles)],
  ["a key that is too short", signedWeakly],
  ["an algorithm that is not configured", () => signByProvider({ ...rsa, algorithm: "PS256" }, roles)],
  ["no kid", () => signByProvider({ ...stranger, kid: undefined as never }, roles)],
  ["a key in its own header", () => signByProvider(stranger, roles, { jwk: stranger.jwk })],
  [
    "an address in its own header",
    () => signByProvider(stranger, roles, { jku: provider.url, x5u: provider.url }),
  ],
  ["another issuer", () => signByProvider(rsa, { ...roles, iss: "https://other" })],
  ["another audience", () => signByProvider(rsa, { ...roles, aud: "other" })],
  ["another type", () => signByProvider(rsa, roles, { typ: "logout+jwt" })],
  ["no end", () => signByProvider(rsa, { ...roles, exp: undefined })],
  ["an end of before", () => signByProvider(rsa, { ...roles, exp: 1_000_000_000 })],
  ["the subject of an API key", () => signByProvider(rsa, { ...roles, sub: "key:1" })],
  ["the subject of a certificate", () => signByProvider(rsa, { ...roles, sub: "cert:CN=pricing" })],
  ["the subject of the platform", () => signByProvider(rsa, { ...roles, sub: "schedule" })],
  ["the subject of nobody, by a token of our own", () => issueToken({ sub: "anonymous" })],
  ["a public key as a secret", () => confused("spki")],
  ["a key's JSON as a secret", () => confused("jwk")],
  ["more than 8 KB", () => signByProvider(rsa, { ...roles, padding: "x".repeat(8192) })],
])("%s is UNAUTHENTICATED", async (_name, token) => {
  expect(refusalOf(await ask(await token()))).toBe("UNAUTHENTICATED");
});

/** Signed by HMAC with what everybody knows of an RSA key. */
function confused(form: "spki" | "jwk"): string {
  const secret =
    form === "jwk"
      ? JSON.stringify(rsa.jwk)
      : createPublicKey(rsa.privateKey).export({ type: "spki", format: "pem" }).toString();
  const [head, body] = issueToken({}, { header: { kid: rsa.kid } }).split(".");
  return `${head}.${body}.${createHmac("sha256", secret).update(`${head}.${body}`).digest("base64url")}`;
}

/** By hand, since no library does it. */
function signedWeakly(): string {
  const [, body] = issueToken({ ...roles }).split(".");
  const head = Buffer.from(JSON.stringify({ alg: "RS256", kid: weak.kid })).toString("base64url");
  return `${head}.${body}.${sign("sha256", Buffer.from(`${head}.${body}`), weak.privateKey).toString("base64url")}`;
}

describe("keys that come and go", () => {
  const times = { freshMs: 50, trustedMs: 1_000, pauseMs: 20, answerMs: 200 };
  let source: IdentityProvider;

  beforeEach(async () => {
    source = await IdentityProvider.start();
  });
  afterEach(() => source.stop());

  const keysOf = (changes: Partial<typeof times> = {}) =>
    new ProviderKeys({ url: source.url, algorithms: ["RS256", "ES256"] }, { ...times, ...changes });
  const codeOf = (keys: ProviderKeys, key: { algorithm: string; kid: string }) =>
    keys.find(key.algorithm as "RS256", key.kid).then(
      () => "found",
      (error: unknown) => (error as PlatformError).code,
    );

  test("a new key is found once it is published, an old one lost once it is not", async () => {
    source.publish(rsa);
    const keys = keysOf();
    expect(await codeOf(keys, rsa)).toBe("found");
    expect(await codeOf(keys, curve)).toBe("UNAUTHENTICATED");
    source.publish(curve);
    await until(async () => (await codeOf(keys, curve)) === "found");
    await until(async () => (await codeOf(keys, rsa)) === "UNAUTHENTICATED");
  });

  test("many strangers make one question", async () => {
    source.publish(rsa);
    const keys = keysOf({ pauseMs: 60_000 });
    await Promise.all(Array.from({ length: 50 }, () => codeOf(keys, rsa)));
    for (let i = 0; i < 50; i++) await codeOf(keys, { algorithm: "RS256", kid: `unknown-${i}` });
    expect(source.asked).toBe(1);
  });

  test.each<[string, (provider: IdentityProvider) => void]>([
    ["stalls", (provider) => provider.respond(() => undefined)],
    ["fails", (provider) => provider.respond((response) => response.writeHead(500).end())],
    ["answers nonsense", (provider) => provider.respond((response) => response.end("<html>"))],
    ["never ends", (provider) => provider.respond((response) => void response.write(" ".repeat(300_000)))],
    [
      "leads elsewhere",
      (provider) =>
        provider.respond((response) => response.writeHead(302, { location: `${provider.url}/other` }).end()),
    ],
  ])("a provider that %s is lived without for a while, then nobody is let in", async (_name, misbehave) => {
    source.publish(rsa);
    const keys = keysOf();
    expect(await codeOf(keys, rsa)).toBe("found");
    misbehave(source);
    expect(await codeOf(keys, rsa)).toBe("found");
    await until(async () => (await codeOf(keys, rsa)) === "UNAVAILABLE");
    source.publish(rsa);
    await until(async () => (await codeOf(keys, rsa)) === "found");
  });

  test("without an answer at all nobody is let in", async () => {
    source.respond(() => undefined);
    expect(await codeOf(keysOf(), rsa)).toBe("UNAVAILABLE");
  });
});

test("secrets may change while it runs, and nothing of before is remembered", async () => {
  const secrets: { jwt?: string; jwtPrevious?: string } = { jwt: TEST_SECRET };
  const options = { issuer: "254carbon", audience: "254carbon-ml", developerAccess: false };
  const noKeys = { authenticate: () => Promise.reject(new Error("none")) };
  const authenticator = new Authenticator(options, () => secrets, noKeys);
  const accepted = (secret: string) =>
    authenticator.authenticate({ authorization: `Bearer ${issueToken({}, { secret })}` }, true).then(
      () => true,
      () => false,
    );
  const next = "another secret of the tests, long enough as well";
  expect([await accepted(TEST_SECRET), await accepted(next)]).toEqual([true, false]);
  Object.assign(secrets, { jwt: next, jwtPrevious: TEST_SECRET });
  expect([await accepted(TEST_SECRET), await accepted(next)]).toEqual([true, true]);
  delete secrets.jwtPrevious;
  expect([await accepted(TEST_SECRET), await accepted(next)]).toEqual([false, true]);
});
