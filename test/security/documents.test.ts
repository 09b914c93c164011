import { connect } from "node:net";
import { getIntrospectionQuery } from "graphql";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { rawRequest } from "../support/raw-http.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";
import { until } from "../support/until.js";

let platform: Platform;
let authorized: Record<string, string>;
beforeAll(async () => {
  authorized = bearer(issueToken());
  platform = await startPlatform({
    environment: { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET },
    headers: authorized,
  });
});
afterAll(() => platform.remove());

/** Asks by the socket of subscriptions, which runs any operation. */
async function askBySocket(query: string, variables: Record<string, unknown> = {}): Promise<Answer<unknown>> {
  const client = createClient({
    url: `${platform.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: authorized,
    retryAttempts: 0,
  });
  const answer = await new Promise<Answer<unknown>>((resolve, reject) => {
    client.subscribe(
      { query, variables },
      {
        next: (next) => resolve(next as Answer<unknown>),
        error: (errors) =>
          Array.isArray(errors)
            ? resolve({ data: null, errors: errors as never })
            : reject(new Error("closed")),
        complete: () => undefined,
      },
    );
  });
  await client.dispose();
  return answer;
}

const repeated = (count: number, part: (i: number) => string): string =>
  Array.from({ length: count }, (_none, i) => part(i)).join(" ");
const nested = (levels: number): string =>
  `{ models(first: 1) ${"{ edges { node { versions(first: 1) ".repeat(levels)} { totalCount } ${"} } }".repeat(levels)} }`;
/** Each fragment spreads the one before twice: two to the power of their number, were they written out. */
const bomb = (fragments: number, selection: string): string =>
  `{ me { ...F${fragments} } } fragment F0 on Caller { ${selection} } ${repeated(
    fragments,
    (i) => `fragment F${i + 1} on Caller { ...F${i} ...F${i} }`,
  )}`;

const BEYOND: [rule: string, query: string, message: RegExp][] = [
  ["tokens", `{ me { ${repeated(1000, () => "subject")} } }`, /more that 1000 tokens/],
  ["depth", nested(4), /has 14 levels, 10 at most \(ML_MAX_DEPTH\)/],
  ["aliases", `{ me { ${repeated(16, (i) => `a${i}: subject`)} } }`, /has 16 aliases, 15 at most/],
  ["aliases of __typename", `{ me { ${repeated(16, (i) => `a${i}: __typename`)} } }`, /has 16 aliases/],
  ["directives", `{ me { subject ${"@include(if: true) ".repeat(11)} } }`, /has 11 directives, 10 at most/],
  ["root fields", `{ ${repeated(11, () => "__typename")} }`, /has 11 root fields, 10 at most/],
  [
    "root fields in fragments",
    "{ ...A ...A } fragment A on Query { __typename __typename __typename me { subject } ... { me { roles } me { roles } } }",
    /has 12 root fields/,
  ],
  ["operations", "query A { me { subject } } query B { me { subject } }", /has 2 operations, 1 at most/],
  ["fragments as often as they are spread", bomb(40, "a: subject"), /has 1099511627776 aliases/],
  [
    "fragments that nobody spreads",
    `{ me { subject } } fragment A on Caller { ${repeated(16, (i) => `a${i}: subject`)} }`,
    /has 16 aliases/,
  ],
];

describe.each([
  ["HTTP", (query: string) => platform.ask(query)],
  ["the socket", (query: string) => askBySocket(query)],
])("over %s", (_door, ask) => {
  test.each(BEYOND)("too many %s are refused with the rule and the number", async (_rule, query, message) => {
    const { data, errors } = await ask(query);
    expect(data ?? null).toBeNull();
    expect(errors).toHaveLength(1);
    expect(errors![0]!.extensions.code).toBe("INVALID_INPUT");
    expect(errors![0]!.message).toMatch(message);
  });

  test("what is just within the limits runs", async () => {
    const levels = `{ models(first: 1) { edges { node { versions(first: 1) { edges { node { model { versions(first: 1) {
      edges { cursor } } } } } } } } } }`;
    for (const query of [
      levels,
      `{ ${repeated(10, (i) => `a${i}: me { subject }`)} }`,
      `{ me { ${repeated(15, (i) => `a${i}: subject`)} } }`,
      `{ me { ${repeated(10, () => "subject @include(if: true)")} } }`,
      bomb(2, "subject @skip(if: false)"),
      getIntrospectionQuery(),
    ]) {
      const { data, errors } = await ask(query);
      expect(errors).toBeUndefined();
      expect(data).not.toBeNull();
    }
  });

  test("fragments in circles and half a million pairs of fields cost no time", async () => {
    const before = performance.now();
    const circle = await ask(
      "{ me { ...A } } fragment A on Caller { a: subject ...B } fragment B on Caller { ...A ...A }",
    );
    expect(circle.errors?.[0]?.message).toMatch(/Cannot spread fragment/);
    await ask(`{ me { ${repeated(990, () => "subject")} } }`);
    await ask(bomb(90, "subject"));
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  test("pages within pages cost what they may hold, by literals", async () => {
    const { errors } = await ask(PAGES.replaceAll("$size", "100").replace(/\(.*?= 100\)/, ""));
    expect(errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
    expect(errors?.[0]?.message).toMatch(/costs 56510\.05 points, 1000 at most \(ML_MAX_OPERATION_COST\)/);
  });
});

const PAGES = `query Pages($size: Int = 100) {
  models(first: $size) { edges { node { ...Versions } } } }
  fragment Versions on Model { versions(first: $size) { edges { node { model { ...Transitions } } } } }
  fragment Transitions on Model { transitions(first: $size) { totalCount } }`;

test.each([
  ["a default", {}, /costs 56510\.05 points/],
  ["a variable", { size: 50 }, /costs 7880\.05 points/],
])("pages within pages cost what they may hold, by %s", async (_source, variables, message) => {
  for (const { errors } of [await platform.ask(PAGES, variables), await askBySocket(PAGES, variables)]) {
    expect(errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
    expect(errors?.[0]?.message).toMatch(message);
  }
  expect((await platform.ask(PAGES, { size: 10 })).errors).toBeUndefined();
});

test("a GET is weighed with the variables that it runs with, wherever they stand", async () => {
  const query = encodeURIComponent(PAGES.replace("= 100", "= 1"));
  const headers = { ...authorized, "apollo-require-preflight": "true" };
  const get = (more: string) => rawRequest(`${platform.url}/graphql?query=${query}${more}`, { headers });
  const large = `variables=${encodeURIComponent('{"size":100}')}`;
  expect((await get("&x=?")).status).toBe(200);
  expect((await get(`&x=?&${large}`)).body).toMatch(/costs 56510\.05 points/);
  for (const twice of [`&variables={}&${large}`, `&query=${query}`, "&extensions={}&extensions={}"]) {
    const { status, body } = await get(twice);
    expect(status).toBe(400);
    expect(body).toMatch(/may only be specified once/);
  }
});

test("a text that is long for its tokens is refused unread, on both doors", async () => {
  const long = (characters: number) => `{ me { subject } } #${"x".repeat(characters - 20)}`;
  expect((await platform.ask(long(64_000))).errors).toBeUndefined();
  for (const ask of [platform.ask, askBySocket]) {
    const { errors } = await ask(long(64_001));
    expect(errors).toMatchObject([
      {
        message: "the document has 64001 characters, 64000 at most (ML_MAX_TOKENS)",
        extensions: { code: "INVALID_INPUT" },
      },
    ]);
  }
});

test("whoever says for whom it speaks and is not believed is noticed, once", async () => {
  const noticed = () => platform.log.filter(({ event }) => event === "http.unknown_proxy");
  const headers = { "x-forwarded-for": "198.51.100.1" };
  for (let i = 0; i < 3; i++) await platform.ask("{ me { subject } }", {}, headers);
  await until(() => noticed().length > 0);
  expect(noticed()).toHaveLength(1);
});

test("work costs by its amount: texts to embed, items of a mutation", async () => {
  const embed = "query ($input: EmbedInput!) { embed(input: $input) { dimensions } }";
  const texts = await platform.ask(embed, { input: { texts: Array.from({ length: 2001 }, () => "a") } });
  expect(texts.errors?.[0]?.message).toMatch(/costs 1000\.55 points/);
  const remove = "mutation ($input: DeleteDocumentsInput!) { deleteDocuments(input: $input) { deleted } }";
  const keys = Array.from({ length: 20_000 }, (_none, i) => `k${i}`);
  const removed = await platform.ask(remove, { input: { collection: "none", keys } });
  expect(removed.errors?.[0]?.message).toMatch(/costs 1005\.05 points/);
  const whole = await platform.ask(`{ ${repeated(5, (i) => `a${i}: auditVerification { ok }`)} }`);
  expect(whole.errors?.[0]?.message).toMatch(/costs 1000\.25 points/);
});

test("input nested two hundred thousand levels deep is refused on both doors", async () => {
  const query = "query ($input: PredictInput!) { predict(input: $input) { id } }";
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
  ] as const) {
    const deep = `${open.repeat(200_000)}1${close.repeat(200_000)}`;
    const body = `{"query":${JSON.stringify(query)},"variables":{"input":${deep}}}`;
    const headers = { "content-type": "application/json", ...authorized };
    const answer = await rawRequest(`${platform.url}/graphql`, { method: "POST", headers, body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(/variables: nested deeper than 100 levels/);
  }
  const input = JSON.parse(`${"[".repeat(1_000)}${"]".repeat(1_000)}`) as unknown;
  expect((await askBySocket(query, { input })).errors?.[0]?.message).toMatch(/nested deeper than 100/);
});

test("a caller without a token is refused before its body has come", async () => {
  const { hostname, port } = new URL(platform.url);
  const socket = connect(Number(port), hostname);
  const head = [
    "POST /graphql HTTP/1.1",
    `Host: ${hostname}:${port}`,
    "Content-Type: application/json",
    "Content-Length: 4000000",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n{"query":`);
  const answer = await new Promise<string>((resolve) => socket.once("data", (part) => resolve(String(part))));
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
  expect(answer).toMatch(/"code":"UNAUTHENTICATED"/);
  socket.destroy();
});

test("what is no JSON is nobody's business before the token", async () => {
  const post = (headers: Record<string, string>) =>
    rawRequest(`${platform.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: "{ no json",
    });
  expect((await post({})).status).toBe(401);
  expect((await post(authorized)).status).toBe(400);
});
