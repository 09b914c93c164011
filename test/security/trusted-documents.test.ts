import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { refusedStart, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawRequest } from "../support/raw-http.js";

const MODELS = readFileSync(join(import.meta.dirname, "../../../schema/operations/models.graphql"), "utf8");
const ME = "query OfTheFrontend { me { subject } }";
const POINTS = 60;
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

let folder: string;
let manifest: string;
let platform: Platform;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "254carbon-manifest-"));
  manifest = join(folder, "manifest.json");
  await writeFile(manifest, JSON.stringify({ [sha256(ME)]: ME }));
  platform = await startPlatform({
    environment: {
      ML_TRUSTED_DOCUMENTS: "required",
      ML_TRUSTED_DOCUMENTS_FILE: manifest,
      ML_RATE_LIMIT_POINTS: String(POINTS),
    },
  });
});
afterAll(async () => {
  await platform.remove();
  await rm(folder, { recursive: true });
});

const post = async (body: object) => {
  const headers = { "content-type": "application/json" };
  const answer = await rawRequest(`${platform.url}/graphql`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  return JSON.parse(answer.body) as {
    data?: Record<string, unknown>;
    errors?: [{ extensions: { code: string } }];
  };
};

test("documents of the manifests run by their text, by their hash and by their id", async () => {
  const variables = { first: 3 };
  for (const body of [
    { query: MODELS, variables },
    { extensions: { persistedQuery: { version: 1, sha256Hash: sha256(MODELS) } }, variables },
    { documentId: sha256(MODELS), variables },
    { documentId: `sha256:${sha256(MODELS)}`, variables },
  ]) {
    expect(await post(body)).toMatchObject({ data: { models: { edges: [] } } });
  }
  expect(await post({ documentId: sha256(ME) })).toEqual({ data: { me: { subject: "developer" } } });
});

test("any other is FORBIDDEN, and registers nothing", async () => {
  const other = "{ me { roles } }";
  for (const body of [
    { query: other },
    { query: `${MODELS} `, variables: { first: 1 } },
    { query: other, extensions: { persistedQuery: { version: 1, sha256Hash: sha256(other) } } },
    { documentId: sha256(other) },
    { query: "{ __schema { types { name } } }" },
  ]) {
    expect((await post(body)).errors?.[0].extensions.code).toBe("FORBIDDEN");
  }
});

test("the socket is no way around it", async () => {
  const client = createClient({
    url: `${platform.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const known = await client.iterate({ query: ME }).next();
  expect(known.value).toEqual({ data: { me: { subject: "developer" } } });
  const byHash = { query: "", extensions: { persistedQuery: { sha256Hash: sha256(ME) } } };
  expect((await client.iterate(byHash).next()).value).toEqual({ data: { me: { subject: "developer" } } });
  await expect(client.iterate({ query: "{ me { roles } }" }).next()).rejects.toMatchObject([
    { extensions: { code: "FORBIDDEN" } },
  ]);
  await client.dispose();
});

test("what is FORBIDDEN costs a point", async () => {
  const codes = new Set<string | undefined>();
  for (let i = 0; i <= POINTS; i++) {
    codes.add((await post({ query: `{ me { a${i}: subject } }` })).errors?.[0].extensions.code);
  }
  expect([...codes]).toEqual(["FORBIDDEN", "RATE_LIMITED"]);
});

test("a manifest whose hash is of another text keeps the platform from starting", async () => {
  const wrong = join(folder, "wrong.json");
  await writeFile(wrong, JSON.stringify({ [sha256("other")]: ME }));
  const environment = { ML_TRUSTED_DOCUMENTS: "required", ML_TRUSTED_DOCUMENTS_FILE: wrong };
  const { code, output } = await refusedStart(join(folder, "data"), environment);
  expect(code).toBe(1);
  expect(output).toMatch(/ML_TRUSTED_DOCUMENTS_FILE: .* is not the SHA-256 of its text/);
});
