import { connect } from "node:net";
import { ask, expectClean, expectRefusal, send, sendBody, stranger } from "./attack.js";
import type { RawAnswer } from "../../support/raw-http.js";
import type { Attack, Site } from "./attack.js";

const QUERY = "query ($input: PredictInput!) { predict(input: $input) { id } }";

const MIB = 1024 * 1024;

/** Bodies that are large, deep or of another kind than they say. */
export const bodyAttacks: Attack[] = [
  {
    name: "JSON two hundred thousand levels deep",
    run: async (site) => {
      const deep = "[".repeat(200_000) + "]".repeat(200_000);
      expectRefusal(
        await sendBody(site, `{"query":${JSON.stringify(QUERY)},"variables":{"input":${deep}}}`),
        "INVALID_INPUT",
      );
      expectClean(await sendBody(site, deep));
    },
  },
  {
    name: "a string of five megabytes",
    run: async (site) => expectRefusal(await ask(site, QUERY, { input: "a".repeat(5 * MIB) }), "TOO_LARGE"),
  },
  {
    name: "a body of forty megabytes, of which the first refuses the rest",
    run: async (site) => {
      expect(await statusOfFlood(site, stranger(), 40 * MIB)).toBe(413);
      expect(await statusOfFlood(site, {}, 40 * MIB)).toBe(401);
    },
  },
  {
    name: "a batch",
    run: async (site) => {
      const one = { query: "{ me { subject } }" };
      expectRefusal(
        await sendBody(site, JSON.stringify(Array.from({ length: 100 }, () => one))),
        "INVALID_INPUT",
      );
    },
  },
  {
    name: "no JSON",
    run: async (site) => {
      for (const body of [
        "{",
        "null",
        "1",
        '"query"',
        "[]",
        "{}",
        '{"query":1}',
        '{"query":{"a":1}}',
        "\u0000",
      ]) {
        expectRefusal(await sendBody(site, body), "INVALID_INPUT");
      }
    },
  },
  {
    name: "a prototype to pollute",
    run: async (site) => {
      const body = `{"query":"{ me { subject } }","variables":{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}}`;
      expectClean(await sendBody(site, body));
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
      expectClean(await ask(site, "{ __proto__: me { constructor: subject } }"));
    },
  },
  ...crossSiteRequests(),
];

/** What a page of another site can make a browser send without asking first. */
function crossSiteRequests(): Attack[] {
  const mutation = 'mutation { registerModel(input: { name: "forged", kind: TENSOR }) { model { id } } }';
  const forms: [name: string, type: string, body: string][] = [
    ["a form", "application/x-www-form-urlencoded", `query=${encodeURIComponent(mutation)}`],
    ["plain text", "text/plain", JSON.stringify({ query: mutation })],
    [
      "a form of parts",
      "multipart/form-data; boundary=x",
      `--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${JSON.stringify({ query: mutation })}\r\n--x--`,
    ],
  ];
  const urls: [name: string, query: string][] = [
    ["a mutation by GET", mutation],
    ["a query by GET", "{ me { subject } }"],
  ];
  return [
    ...forms.map(([name, type, body]) => ({
      name: `${name} of another site`,
      run: async (site: Site) =>
        expectRefused(
          site,
          await send(site, "/graphql", {
            method: "POST",
            headers: { ...stranger(), "content-type": type },
            body,
          }),
        ),
    })),
    ...urls.map(([name, query]) => ({
      name: `${name} of another site`,
      run: async (site: Site) =>
        expectRefused(
          site,
          await send(site, `/graphql?query=${encodeURIComponent(query)}`, { headers: stranger() }),
        ),
    })),
    {
      name: "a page of another origin",
      run: async (site) =>
        expectRefusal(
          await ask(site, "{ me { subject } }", {}, { ...stranger(), origin: "https://evil.example" }),
          "FORBIDDEN",
        ),
    },
  ];
}

async function expectRefused(site: Site, answer: RawAnswer): Promise<void> {
  expect([400, 405, 415]).toContain(answer.status);
  expectClean(answer);
  const known = await ask(site, '{ model(name: "forged") { id } }');
  expect(JSON.parse(known.body)).toEqual({ data: { model: null } });
}

/** Sends until the answer comes. @returns its status; of the body only a part has gone by then */
function statusOfFlood(site: Site, headers: Record<string, string>, bytes: number): Promise<number> {
  const { hostname, port } = new URL(site.platform.url);
  const socket = connect(Number(port), hostname);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n${lines.join("")}\r\n`,
  );
  const part = Buffer.alloc(64 * 1024, 32);
  let sent = 0;
  const more = () => {
    while (sent < bytes && socket.writable) {
      sent += part.length;
      if (!socket.write(part)) return;
    }
  };
  socket.on("drain", more);
  more();
  return new Promise((resolve, reject) => {
    socket.once("data", (answer) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer.toString())?.[1]));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
