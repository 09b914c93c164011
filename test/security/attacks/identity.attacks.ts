import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { bearer, issueToken, TEST_SECRET } from "../../support/tokens.js";
import { ask, expectClean, expectRefusal, fromSomewhere, stranger } from "./attack.js";
import type { Attack, Site } from "./attack.js";

const ME = "{ me { subject roles } }";
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;

async function expectUnknown(site: Site, token: string): Promise<void> {
  const answer = await ask(site, ME, {}, { ...bearer(token), ...fromSomewhere() });
  expectRefusal(answer, "UNAUTHENTICATED");
  expect(answer.status).toBe(401);
  expect(answer.body).not.toContain(TEST_SECRET);
}

const [head, body, signature] = issueToken().split(".") as [string, string, string];

/** Credentials that are nobody's, and callers who want more than they may. */
export const identityAttacks: Attack[] = [
  {
    name: "tokens without a signature, or with one of another kind",
    run: async (site) => {
      for (const alg of ["none", "None", "NONE", "nOnE", ""])
        await expectUnknown(site, `${encode({ alg })}.${body}.`);
      for (const alg of ["none", "RS256", "ES256", "HS512", "HS1", "EdDSA", "PS256"]) {
        await expectUnknown(site, issueToken({}, { header: { alg } }));
      }
      await expectUnknown(site, `${head}.${body}.`);
      await expectUnknown(site, `${head}.${body}.${signature.slice(0, -2)}`);
      await expectUnknown(site, `${head}.${encode({ sub: "me", roles: ["ADMIN"] })}.${signature}`);
    },
  },
  {
    name: "headers that say where the key is",
    run: async (site) => {
      const asked: string[] = [];
      const server = createServer((request, response) => {
        asked.push(request.url!);
        response.end("{}");
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
      const jwk = { kty: "oct", k: Buffer.from("a".repeat(32)).toString("base64url"), alg: "HS256" };
      const forged = { secret: "a".repeat(32) };
      for (const header of [
        { jku: address },
        { x5u: address },
        { jwk },
        { kid: address, jku: address },
        { kid: "../../../dev/null" },
        { kid: "' UNION SELECT 'key' --" },
        { x5c: ["MIIB"] },
      ]) {
        await expectUnknown(site, issueToken({}, { header, ...forged }));
      }
      await expectUnknown(site, issueToken({}, { header: { kid: "/dev/null" }, secret: "" }));
      server.close();
      expect(asked).toEqual([]);
    },
  },
  {
    name: "tokens of another time, issuer, audience or type",
    run: async (site) => {
      const claims = [
        { nbf: seconds(600) },
        { exp: seconds(-600) },
        { exp: undefined },
        { exp: "never" },
        { aud: "another" },
        { aud: [] },
        { iss: "https://evil.example" },
        { sub: "" },
        { sub: { admin: true } },
        { roles: ["SUPERUSER"] },
      ];
      for (const claim of claims) await expectUnknown(site, issueToken(claim));
      await expectUnknown(site, issueToken({}, { header: { typ: "logout+jwt" } }));
      await expectUnknown(site, `${"a".repeat(10_000)}.${body}.${signature}`);
    },
  },
  {
    name: "roles in claims that are not where roles are",
    run: async (site) => {
      for (const claims of [
        { roles: ["VIEWER"], role: "ADMIN", scope: "ADMIN", admin: true, isAdmin: true },
        { roles: ["VIEWER"], "https://254carbon/roles": ["ADMIN"], realm_access: { roles: ["ADMIN"] } },
      ]) {
        const headers = { ...bearer(issueToken(claims)), ...fromSomewhere(), "x-roles": "ADMIN" };
        const answer = await ask(site, ME, {}, headers);
        expect(JSON.parse(answer.body)).toMatchObject({ data: { me: { roles: ["VIEWER"] } } });
      }
    },
  },
  {
    name: "fields that an input does not have",
    run: async (site) => {
      const inputs: [query: string, input: object][] = [
        [
          "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }",
          { name: "k", roles: ["VIEWER"], createdBy: "root", secret: "mine", id: "1" },
        ],
        [
          "mutation ($input: RegisterModelInput!) { registerModel(input: $input) { model { id } } }",
          { name: "m", kind: "TENSOR", stage: "PRODUCTION", protected: true },
        ],
        [
          "mutation ($input: PromoteModelVersionInput!) { promoteModelVersion(input: $input) { pending } }",
          { model: site.model, number: 1, actor: "somebody else", approvedBy: "somebody" },
        ],
      ];
      for (const [query, input] of inputs) expectRefusal(await ask(site, query, { input }), "INVALID_INPUT");
    },
  },
  {
    name: "other people's ids, by every path",
    run: async (site) => {
      const absent: Record<string, string> = { AuditEntry: "999999999" };
      const unknown = (type: string) =>
        Buffer.from(`${type}:${absent[type] ?? "00000000-0000-4000-8000-000000000000"}`).toString(
          "base64url",
        );
      for (const [type, id] of Object.entries(site.secretIds)) {
        for (const each of [id, unknown(type)]) {
          const query = "query ($id: ID!) { node(id: $id) { id __typename } }";
          expectRefusal(await ask(site, query, { id: each }, stranger("VIEWER")), "FORBIDDEN");
        }
      }
      for (const query of [
        "{ apiKeys { totalCount } }",
        "{ audit { totalCount } }",
        "{ backups { totalCount } }",
        'mutation { createApiKey(input: { name: "mine", roles: [ADMIN] }) { secret } }',
        `mutation { revokeApiKey(input: { id: "${site.secretIds.ApiKey}" }) { key { id } } }`,
        `mutation { promoteModelVersion(input: { model: "${site.model}", number: 1 }) { pending } }`,
        `{ predict(input: { model: "${site.model}", inputs: [] }) { id } }`,
      ]) {
        expectRefusal(await ask(site, query, {}, stranger("VIEWER")), "FORBIDDEN");
      }
    },
  },
  {
    name: "what another's question has left in a cache",
    run: async (site) => {
      const forecast = "query ($input: SearchInput!) { search(input: $input) { edges { node { key } } } }";
      const input = { collection: site.collection, query: "gas" };
      const allowed = await ask(site, forecast, { input }, stranger("VIEWER"));
      expect(JSON.parse(allowed.body)).not.toHaveProperty("errors");
      const nobody = { ...bearer(issueToken({ sub: "nobody", roles: [] })), ...fromSomewhere() };
      expectRefusal(await ask(site, forecast, { input }, nobody), "FORBIDDEN");
      const embed = `{ embed(input: { texts: ["gas"] }) { dimensions } }`;
      expectClean(await ask(site, embed, {}, stranger("ANALYST")));
      expectRefusal(await ask(site, embed, {}, stranger("VIEWER")), "FORBIDDEN");
    },
  },
  {
    name: "guesses at keys, many in one request and many in a row",
    run: async (site) => {
      const address = fromSomewhere();
      const statuses = new Set<number>();
      for (let i = 0; i < 80; i++) {
        const guess = { authorization: `Bearer 254c_${"a".repeat(12)}_${"b".repeat(40)}${i}_000000` };
        statuses.add((await ask(site, ME, {}, { ...address, ...guess })).status);
      }
      expect([...statuses]).toEqual([401, 429]);
      const aliases = Array.from({ length: 50 }, (_none, i) => `a${i}: node(id: "${i}") { id }`).join(" ");
      expectRefusal(await ask(site, `{ ${aliases} }`), "INVALID_INPUT");
    },
  },
];
