import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { get } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { buildSchema, parse, validate } from "graphql";
import { chromiumPath, openBrowser } from "../support/chromium.js";
import type { BrowserPage } from "../support/chromium.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { until } from "../support/until.js";

const root = join(import.meta.dirname, "../../..");

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

interface Received {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** The bytes as sent, which `fetch` would decompress. */
function receive(path: string, headers: Record<string, string> = {}): Promise<Received> {
  return new Promise((resolve, reject) => {
    get(`${platform.url}${path}`, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    }).on("error", reject);
  });
}

/** Every file that an HTML page names in `src` and `href`. */
function references(html: string): string[] {
  return [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, target]) => target!);
}

describe.each(["/", "/graphiql"])("the page %s", (path) => {
  test("is served whole and names nothing outside", async () => {
    const { status, headers, body } = await receive(path);
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self';/);
    const html = body.toString();
    expect(html).toMatch(/<title>254Carbon ML[^<]*<\/title>[\s\S]*<\/html>\s*$/);
    expect(references(html).length).toBeGreaterThan(3);
    for (const target of references(html)) {
      expect(target).toMatch(/^\/(?!\/)/);
      expect((await receive(target, { accept: "text/html" })).status).toBe(200);
    }
  });

  test("is sent again only when it has changed", async () => {
    const { headers } = await receive(path);
    const again = await receive(path, { "if-none-match": headers.etag! });
    expect(again.status).toBe(304);
    expect(again.body).toHaveLength(0);
  });
});

test.each([
  ["/graphiql/graphiql.js", 4_000_000, "text/javascript; charset=utf-8"],
  ["/graphiql/graphiql.css", 500_000, "text/css; charset=utf-8"],
  ["/graphiql/graphql-worker.js", 1_000_000, "text/javascript; charset=utf-8"],
])("%s is compressed as the browser likes it", async (path, leastBytes, type) => {
  const plain = await receive(path);
  expect(plain.headers["content-type"]).toBe(type);
  expect(plain.body.byteLength).toBeGreaterThan(leastBytes);
  const brotli = await receive(path, { "accept-encoding": "gzip, deflate, br" });
  expect(brotli.headers).toMatchObject({ "content-encoding": "br", vary: "accept-encoding" });
  expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);
  const gzip = await receive(path, { "accept-encoding": "gzip, br;q=0" });
  expect(gzip.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
  expect(gzip.body.byteLength).toBeLessThan(plain.body.byteLength / 1.8);
});

test("styles bring their fonts and pictures along", async () => {
  for (const path of ["/graphiql/graphiql.css", "/pages/landing.css"]) {
    const { body } = await receive(path);
    const outside = body.toString().match(/url\((?!\s*["']?(?:data:|#))[^)]*\)|@import[^;]*/g);
    expect(outside).toBeNull();
  }
});

test("the queries on offer are valid", async () => {
  const schema = buildSchema(readFileSync(join(root, "schema/schema.graphql"), "utf8"));
  const start = (await receive("/graphiql/start.js")).body.toString();
  const landing = (await receive("/")).body.toString();
  const tabs = [...start.matchAll(/^ +`([^`]+)`,?$/gm)].map(([, query]) => query!);
  const shown = [...landing.matchAll(/<pre id="(?:query|search)">([^<]*)<\/pre>/g)].map(
    ([, query]) => query!,
  );
  const command = /-d '([^']*)'/.exec(landing)![1]!;
  expect(tabs.length).toBeGreaterThan(3);
  expect(shown).toHaveLength(2);
  for (const query of [...tabs, ...shown, (JSON.parse(command) as { query: string }).query]) {
    expect(validate(schema, parse(query)).map(({ message }) => message)).toEqual([]);
  }
});

test("Apollo Sandbox opens at GET /graphql and may post from our own origin", async () => {
  const { status, headers, body } = await receive("/graphql", { accept: "text/html" });
  expect(status).toBe(200);
  expect(headers["content-type"]).toContain("text/html");
  expect(body.toString()).toContain("embeddable-sandbox");
  const me = "{ me { subject } }";
  expect(await platform.query(me, {}, { origin: platform.url })).toEqual({ me: { subject: "developer" } });
  const foreign = await platform.ask(me, {}, { origin: "https://sandbox.embed.apollographql.com" });
  expect(foreign.errors?.[0]?.extensions.code).toBe("FORBIDDEN");
});

test("there are no pages where the explorer is switched off", async () => {
  const closed = await startPlatform({ environment: { ML_EXPLORER: "false" } });
  try {
    for (const path of ["/", "/graphiql", "/graphiql/start.js", "/pages/icon.svg"]) {
      expect((await fetch(`${closed.url}${path}`)).status).toBe(404);
    }
  } finally {
    await closed.remove();
  }
});

const TRAIN = `mutation Train($model: String!) {
  startTraining(input: { model: $model, curve: "ust-par-yield", type: RANDOM_WALK, horizons: [5, 21] }) { run { id } }
}`;

async function recordYields(): Promise<void> {
  await platform.query(
    'mutation { defineCurve(input: { name: "ust-par-yield", kind: YIELD, unit: "percent", tenors: ["P3M", "P10Y"] }) { curve { id } } }',
  );
  const snapshots = Array.from({ length: 400 }, (_, day) => ({
    date: new Date(Date.UTC(2023, 0, 1 + day)).toISOString().slice(0, 10),
    points: [
      { tenor: "P3M", value: 5 + Math.sin(day / 30) },
      { tenor: "P10Y", value: 4 + Math.cos(day / 40) },
    ],
  }));
  await platform.query(
    "mutation Record($input: RecordCurveInput!) { recordCurve(input: $input) { created } }",
    {
      input: { curve: "ust-par-yield", snapshots },
    },
  );
}

const inChromium = chromiumPath === undefined ? describe.skip : describe;
inChromium(`in Chromium${chromiumPath === undefined ? " (skipped: no chromium on the PATH)" : ""}`, () => {
  let page: BrowserPage;
  beforeAll(async () => {
    page = await openBrowser(chromiumPath!);
  });
  afterAll(() => page.close());

  const shows = (text: string) =>
    until(
      async () =>
        (await page.evaluate<string>("document.body?.innerText ?? ''"))
          .replaceAll("\u00a0", " ")
          .includes(text),
      30_000,
    );
  /** GraphiQL takes note of a tab's operation some time after showing it; until then it executes the wrong one. */
  const execute = (succeeded: string) =>
    until(async () => {
      await page.click('[aria-label^="Execute query"]');
      return page.evaluate<boolean>(`new Promise((resolve) => setTimeout(() => resolve(${succeeded}), 300))`);
    }, 30_000);
  const tab = (number: number) => `.graphiql-tab:nth-child(${number}) button`;

  test("the landing page says how the platform is", async () => {
    await page.open(platform.url);
    await shows("switched off (ML_SAMPLES=false)");
    await shows("embedded");
    await shows(`curl ${platform.url}/graphql`);
  });

  test("GraphiQL subscribes to a training, then forecasts", async () => {
    await recordYields();
    await page.open(`${platform.url}/graphiql`);
    await page.click('[aria-label="Show Documentation Explorer"]');
    await shows("Root Types");
    await page.click(tab(5));
    await shows("subscription Progress");
    await execute(`document.querySelector('[aria-label^="Stop query"]') !== null`);
    await platform.query(TRAIN, { model: "curve_forecaster" });
    await shows('"message": "version 1 is ready"');
    await platform.query(
      'mutation { promoteModelVersion(input: { model: "curve_forecaster", number: 1 }) { pending } }',
    );
    await page.click(tab(1));
    await shows("query Forecast");
    await execute(`document.body.innerText.replaceAll("\u00a0", " ").includes('"asOf": "2024-02-04"')`);
  });

  test("no page asked anyone else, or complained", () => {
    const own = `^(http|ws)://${new URL(platform.url).host}/|^data:`;
    const foreign = page.requests.filter((url) => !new RegExp(own).test(url));
    expect(foreign).toEqual([]);
    expect(page.requests.some((url) => url.startsWith("ws:"))).toBe(true);
    expect(page.complaints).toEqual([]);
  });
});
