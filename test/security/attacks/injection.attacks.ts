import { ask, expectClean, expectRefusal, fromSomewhere, send, stranger } from "./attack.js";
import type { Attack, Site } from "./attack.js";

const SQL = [
  "'; DROP TABLE models; --",
  "' OR '1'='1",
  "1); SELECT pg_sleep(10); --",
  "x' UNION SELECT secret FROM api_keys --",
  "$$; COPY models TO PROGRAM 'id'; $$",
  "a\\' OR 1=1 --",
  "\u02bc OR 1=1",
];
const encoded = (text: string) => Buffer.from(text).toString("base64url");

const PATHS = [
  "../../../etc/passwd",
  "..%2f..%2f..%2fetc%2fpasswd",
  "....//....//etc/passwd",
  "%2e%2e/%2e%2e/x",
  "a\\..\\b",
];

/** Texts that would mean something to an engine behind, were they not kept apart from what it is told. */
export const injectionAttacks: Attack[] = [
  {
    name: "SQL in names, ids and cursors",
    run: async (site) => {
      for (const text of SQL) {
        for (const [query, value] of [
          ["query ($v: String!) { model(name: $v) { id } }", text],
          ["query ($v: String!) { curve(name: $v) { id } }", text],
          ["query ($v: ID!) { node(id: $v) { id } }", text],
          ["query ($v: ID!) { node(id: $v) { id } }", encoded(`Model:${text}`)],
          ["query ($v: ID!) { job(id: $v) { id } }", text],
          ["query ($v: String) { jobs(kind: $v) { totalCount } }", text],
          ["query ($v: String) { models(after: $v) { totalCount } }", encoded(text)],
          ["query ($v: String) { models(after: $v) { totalCount } }", encoded(JSON.stringify([text, text]))],
          ["query ($v: String) { audit(actor: $v) { totalCount } }", text],
        ] as const) {
          expectClean(await ask(site, query, { v: value }));
        }
      }
      await expectUnharmed(site);
    },
  },
  {
    name: "SQL in search: words, filters, metadata paths, keys and vectors",
    run: async (site) => {
      const { collection } = site;
      const search = "query ($input: SearchInput!) { search(input: $input) { totalCount } }";
      for (const text of SQL) {
        for (const input of [
          { collection, query: text },
          { collection, query: "gas", filter: { metadata: { [text]: text } } },
          { collection, query: "gas", facets: [text] },
          { collection, query: "gas", mode: text },
        ]) {
          expectClean(await ask(site, search, { input }));
        }
        const vector = { model: site.model, inputs: [{ name: "x", values: [[text, 1, 2]] }] };
        expectRefusal(
          await ask(site, "query ($input: PredictInput!) { predict(input: $input) { id } }", {
            input: vector,
          }),
          "INVALID_INPUT",
        );
      }
      await expectUnharmed(site);
    },
  },
  {
    name: "paths out of the artifacts' folder",
    run: async (site) => {
      for (const path of PATHS) {
        for (const url of [
          `/artifacts/${path}`,
          `/artifacts/uploads/${path}`,
          `/artifacts/${"0".repeat(64)}/${path}`,
        ]) {
          const answer = await send(site, url, { headers: stranger() });
          expectClean(answer);
          expect([400, 403, 404]).toContain(answer.status);
          expect(answer.body).not.toContain("root:");
        }
        const declared = { name: path, sha256: "0".repeat(64), bytes: 1 };
        expectRefusal(
          await ask(
            site,
            "mutation ($input: CreateModelVersionInput!) { createModelVersion(input: $input) { version { id } } }",
            { input: { model: site.model, sha256: "0".repeat(64), bytes: 1, files: [declared] } },
          ),
          "INVALID_INPUT",
        );
      }
    },
  },
  {
    name: "links that were forged or changed",
    run: async (site) => {
      const { body } = await ask(
        site,
        `{ model(name: "${site.model}") { version(number: 1) { artifact { downloadUrl } } } }`,
      );
      const link = (
        JSON.parse(body) as { data: { model: { version: { artifact: { downloadUrl: string } } } } }
      ).data.model.version.artifact.downloadUrl;
      const { pathname, searchParams } = new URL(link);
      const expires = Number(searchParams.get("expires"));
      const signature = searchParams.get("signature")!;
      const changed = [
        `${pathname}?expires=${expires + 1}&signature=${signature}`,
        `${pathname}x?expires=${expires}&signature=${signature}`,
        `${pathname}?expires=${expires}`,
        `${pathname}?expires=${expires}&signature=${signature}&signature=${signature}`,
        `${pathname}?expires=9999999999&signature=`,
        `${pathname}?expires=NaN&signature=${signature}`,
      ];
      for (const url of changed) {
        const answer = await send(site, url, { headers: fromSomewhere() });
        expect(answer.status).toBe(403);
        expectClean(answer);
      }
    },
  },
  {
    name: "lines in headers, names and logs",
    run: async (site) => {
      const lines = '\r\nset-cookie: a=b\r\n{"level":"error","event":"forged"}\n';
      for (const query of [
        "query ($v: String!) { model(name: $v) { id } }",
        "query ($v: String) { jobs(kind: $v) { totalCount } }",
      ]) {
        const answer = await ask(site, query, { v: lines });
        expectClean(answer);
        expect(answer.headers["set-cookie"]).toBeUndefined();
      }
      const answer = await ask(
        site,
        "{ me { subject } }",
        {},
        {
          ...stranger(),
          "x-request-id": "chosen-by-the-caller",
          "user-agent": '"} {"event":"forged"',
        },
      );
      expect(answer.headers["x-request-id"]).not.toBe("chosen-by-the-caller");
      expect(site.platform.log.filter(({ event, notJson }) => event === "forged" || notJson)).toEqual([]);
    },
  },
];

async function expectUnharmed(site: Site): Promise<void> {
  const { body } = await ask(site, `{ model(name: "${site.model}") { production { number } } }`);
  expect(JSON.parse(body)).toEqual({ data: { model: { production: { number: 1 } } } });
}
