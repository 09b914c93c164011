import { randomBytes } from "node:crypto";
import pg from "pg";
import { GraphListener } from "../support/graph-listener.js";
import { linearModel } from "../support/onnx-models.js";
import { eventually, readAll, refusedStart, startPlatform } from "../support/platform.js";
import type { Connection, Platform } from "../support/platform.js";
import { announcementOf } from "../support/registry.js";
import { onServiceTier, serviceEnvironment } from "../support/service-tier.js";
import { startSpanCollector } from "../support/span-collector.js";
import type { SpanCollector } from "../support/span-collector.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { bearer, issueToken } from "../support/tokens.js";

/** Every secret that is planted, by where. */
const planted = new Map<string, string>();

/** A text that is found nowhere else. */
function canary(where: string): string {
  const text = `canary${randomBytes(16).toString("hex")}`;
  planted.set(where, text);
  return text;
}

/** Those of the planted ones that a text holds. */
function found(text: string): string[] {
  return [...planted].filter(([, secret]) => text.includes(secret)).map(([where]) => where);
}

const secret = canary("ML_JWT_SECRET_KEY");
const admin = bearer(issueToken({ sub: "ann" }, { secret }));

let collector: SpanCollector;
let platform: Platform;
let superuser: string | undefined;

beforeAll(async () => {
  collector = await startSpanCollector();
  const folder = await temporaryFolder();
  const tier = await serviceEnvironment(folder.path, { migrated: true });
  superuser = tier.ML_VECTOR_DB_DSN;
  platform = await startPlatform({
    dataDir: folder.path,
    environment: {
      ...tier,
      ...(superuser === undefined ? {} : { ML_VECTOR_DB_DSN: await withPassword(superuser) }),
      ML_ENV: "test",
      ML_LOG_LEVEL: "debug",
      ML_JWT_SECRET_KEY: secret,
      ML_AUDIT_KEY: canary("ML_AUDIT_KEY"),
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    },
    headers: admin,
  });
});

afterAll(async () => {
  await platform.remove();
  collector.close();
});

/** The same database, for a role whose password is known. */
async function withPassword(dsn: string): Promise<string> {
  const [user, password] = [`ml_${randomBytes(4).toString("hex")}`, canary("password of the DSN")];
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query(`CREATE ROLE ${user} SUPERUSER LOGIN PASSWORD '${password}'`);
  await client.end();
  return Object.assign(new URL(dsn), { username: user, password }).href;
}

/** Whatever the answer is: it is the asker's own. */
async function send(path: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`${platform.url}${path}`, init).catch(() => undefined);
  await response?.arrayBuffer().catch(() => undefined);
  return response?.status ?? 0;
}

const ask = (query: string, variables: object = {}, headers: Record<string, string> = {}) =>
  platform.ask(query, variables, headers);

async function plantCredentials(): Promise<void> {
  await ask("{ me { subject } }", {}, { authorization: `Bearer ${canary("Authorization")}` });
  await ask("{ me { subject } }", {}, { authorization: `Basic ${canary("Authorization, Basic")}` });
  await ask("{ me { subject } }", {}, { "x-api-key": canary("x-api-key") });
  await ask("{ me { subject } }", {}, { authorization: `Bearer 254c_1_${canary("API key")}_0` });
  const forged = issueToken(
    { sub: canary("subject of a forged token") },
    { secret: canary("forger's secret") },
  );
  planted.set("a forged token", forged);
  await ask("{ me { subject } }", {}, bearer(forged));
  const mine = issueToken({ sub: "ann", jti: canary("claim") }, { secret });
  planted.set("a token", mine);
  await ask("{ me { subject } }", {}, bearer(mine));
  const listener = new GraphListener(
    platform,
    "subscription { jobEvents { cursor } }",
    {},
    {
      token: canary("connection_init"),
    },
  );
  await listener.end();
  await listener.close();
}

async function plantHeaders(): Promise<void> {
  const headers = {
    ...admin,
    ...{ cookie: canary("cookie"), "user-agent": canary("user agent"), referer: canary("referer") },
    ...{ baggage: `a=${canary("baggage")}`, "x-request-id": canary("x-request-id") },
    "x-forwarded-for": canary("x-forwarded-for"),
  };
  await ask("{ me { subject } }", {}, headers);
  await send(`/graphql?query=${canary("query string")}`, {
    headers: { ...headers, "apollo-require-preflight": "1" },
  });
  await send(`/${canary("path")}`, { headers: admin });
  await send("/graphql", {
    method: "POST",
    headers: { ...admin, "content-type": "application/json" },
    body: `{"query": "${canary("broken JSON")}`,
  });
  await send("/graphql", {
    method: "POST",
    headers: { ...admin, "content-type": "application/json" },
    body: Buffer.concat([
      Buffer.from(`{"query":"{ me`),
      Buffer.from([0xff, 0xfe]),
      Buffer.from(canary("bytes")),
    ]),
  });
}

async function plantInput(): Promise<void> {
  const register = (description: string) =>
    ask("mutation ($input: RegisterModelInput!) { registerModel(input: $input) { model { id } } }", {
      input: { name: "linear", kind: "TENSOR", description, tags: [{ name: "t", value: canary("tag") }] },
    });
  await register(canary("description"));
  // The name is taken.
  await register(canary("description, again"));
  await ask(
    `mutation { registerModel(input: { name: "x ${canary("literal")}", kind: TENSOR }) { model { id } } }`,
  );
  await ask(`{ model(name: "'; DROP TABLE models; -- ${canary("SQL in a literal")}") { id } }`);
  await ask("query ($name: String!) { curve(name: $name) { id } }", { name: `' OR 1=1 --${canary("SQL")}` });
  await ask("query ($name: String!) { curve(name: $name) { id } }", { name: `\u0000${canary("NUL")}` });
  await ask("query ($name: String!) { curve(name: $name) { id } }", { name: `\ud800${canary("surrogate")}` });
  await ask("query ($name: String!) { curve(name: $name) { id } }", { name: [canary("wrong type")] });
  await ask("query ($id: ID!) { node(id: $id) { id } }", { id: canary("id") });
  await ask(`{ jobs(after: "${canary("cursor")}") { totalCount } }`);
  await ask(`{ audit(actor: "${canary("filter")}") { totalCount } }`);
  await ask(`mutation { cancelJob(input: { job: "${canary("id of a job")}" }) { cursor } }`);
  await ask(`{ ${canary("field")} }`);
  await ask(`mutation { createCollection(input: { name: "notes" }) { collection { id } } }`);
  const document = {
    ...{ key: "one", title: canary("title"), text: canary("text") },
    metadata: { author: canary("metadata") },
  };
  await ask("mutation ($input: IngestDocumentsInput!) { ingestDocuments(input: $input) { created } }", {
    input: { collection: "notes", documents: [document], idempotencyKey: canary("idempotency key") },
  });
  await ask(
    `{ search(input: { collection: "notes", query: "${canary("search")}" }) { edges { node { key } } } }`,
  );
  await ask(`{ embed(input: { texts: ["${canary("embed")}"] }) { dimensions } }`);
  await ask("query ($input: PredictInput!) { predict(input: $input) { id } }", {
    input: { model: "linear", inputs: [{ name: canary("tensor's name"), values: [canary("tensor")] }] },
  });
  await ask("mutation ($input: StartTrainingInput!) { startTraining(input: $input) { cursor } }", {
    input: { model: "f", curve: "absent", options: { [canary("option")]: canary("option's value") } },
  });
  await ask(
    `mutation { promoteModelVersion(input: { model: "linear", number: 1, reason: "${canary("reason")}" }) { pending } }`,
  );
}

async function plantArtifacts(): Promise<void> {
  const file = linearModel();
  const { data } = await platform.ask<{ createModelVersion: { upload: { url: string } } }>(
    `mutation ($input: CreateModelVersionInput!) { createModelVersion(input: $input) { upload { url } } }`,
    {
      input: {
        ...{ model: "linear", ...announcementOf(file) },
        files: [{ name: `${canary("file name")}.bin`, ...announcementOf(Buffer.from("beside")) }],
        parameters: [{ name: "p", value: canary("parameter") }],
      },
    },
  );
  const { url } = data!.createModelVersion.upload;
  const signature = new URL(url).searchParams.get("signature");
  if (signature !== null) planted.set("signature of a link", signature);
  await fetch(url, { method: "PUT", body: Buffer.from(canary("bytes of an upload")) }).catch(() => undefined);
  const digest = "0".repeat(64);
  await send(
    `/artifacts/${digest}/${canary("file of a link")}?expires=1&signature=${canary("forged signature")}`,
  );
  await send(`/artifacts/uploads/${canary("upload")}/x?signature=${canary("forged upload")}`, {
    ...{ method: "PUT", body: canary("forged bytes") },
    headers: { "content-type": "application/octet-stream" },
  });
}

/** Only a server can go away from under the platform. */
async function plantDuringOutage(): Promise<void> {
  if (superuser === undefined) return;
  const database = new URL(superuser).pathname.slice(1);
  const client = new pg.Client({
    connectionString: Object.assign(new URL(superuser), { pathname: "/postgres" }).href,
  });
  await client.connect();
  await client.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
  await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [database]);
  const { errors } = await ask(
    "mutation ($input: RegisterModelInput!) { registerModel(input: $input) { model { id } } }",
    { input: { name: "away", kind: "TENSOR", description: canary("description during an outage") } },
  );
  expect(errors?.[0]?.extensions.code).toBe("UNAVAILABLE");
  await client.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
  await client.end();
  await eventually(
    () => ask("{ models { totalCount } }"),
    (answer) => answer.errors === undefined,
  );
}

test("nothing that is secret or somebody's own is in logs, metrics, traces or the audit log", async () => {
  await plantCredentials();
  await plantHeaders();
  await plantInput();
  await plantArtifacts();
  await plantDuringOutage();
  const entries = await eventually(
    () =>
      readAll((after) =>
        platform
          .query<{ audit: Connection<object> }>(
            `query ($after: String) { audit(first: 100, after: $after, to: "${new Date(Date.now() + 60_000).toISOString()}") {
              edges { cursor node { actor action target outcome requestId detail } } pageInfo { hasNextPage } totalCount } }`,
            { after },
          )
          .then(({ audit }) => audit),
      ).catch(() => []),
    (all) => all.length > 20,
  );
  const metrics = await (await fetch(`${platform.url}/metrics`)).text();
  expect(await platform.stop()).toBe(0);
  const log = `${JSON.stringify(platform.log)}${platform.stderr()}`;
  expect(planted.size).toBeGreaterThan(50);
  expect({
    log: found(log),
    metrics: found(metrics),
    traces: found(collector.text()),
    audit: found(JSON.stringify(entries)),
  }).toEqual({ log: [], metrics: [], traces: [], audit: [] });
  // What was looked through is what there is.
  expect(platform.log.length).toBeGreaterThan(30);
  expect(metrics).toContain("graphql_operation_errors_total");
  expect(collector.text()).toContain("Mutation.ingestDocuments");
}, 120_000);

test("a start that fails tells no password", async () => {
  const folder = await temporaryFolder();
  const nowhere = (scheme: string, user: string) =>
    `${scheme}://${user}:${canary(`${scheme} password`)}@127.0.0.1:1/x`;
  const services = {
    ...{ ML_VECTOR_DB_DSN: nowhere("postgresql", "ml"), ML_REDIS_URL: nowhere("redis", "ml") },
    ...{ ML_S3_ENDPOINT: "http://127.0.0.1:1", ML_S3_BUCKET: "b", ML_START_TIMEOUT_MS: "300" },
    ...{ ML_S3_ACCESS_KEY_ID: canary("access key"), ML_S3_SECRET_ACCESS_KEY: canary("S3 secret") },
  };
  const malformed = { ...services, ML_VECTOR_DB_DSN: `postgresql//${canary("malformed DSN")}` };
  const badRedis = { ...services, ML_REDIS_URL: `redis://x:${canary("malformed Redis URL")}@:port` };
  for (const environment of [services, malformed, badRedis]) {
    const { code, output } = await refusedStart(folder.path, environment);
    expect(code).toBe(1);
    expect(found(output)).toEqual([]);
  }
  await folder.remove();
});

test("the test itself would notice", () => {
  expect(found(`x${planted.get("ML_JWT_SECRET_KEY")}y`)).toEqual(["ML_JWT_SECRET_KEY"]);
  expect(onServiceTier).toBe(superuser !== undefined);
});
