import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { metricsRegistry } from "../../src/telemetry/metrics.js";
import { createCollection, deleteDocuments, ingest } from "../support/documents.js";
import { curveWithHistory, datesOf, snapshotsOf, trained } from "../support/market-curves.js";
import { metric, metricsOf } from "../support/metrics.js";
import { uploadEmbedder } from "../support/embedders.js";
import { linearModel } from "../support/onnx-models.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawGraph, rawRequest } from "../support/raw-http.js";
import { RawSocket } from "../support/raw-socket.js";
import { promote, uploadVersion } from "../support/registry.js";
import { onServiceTier } from "../support/service-tier.js";
import { bearer, issueToken } from "../support/tokens.js";

/** Found nowhere but in what the tests send: a secret, a name in a token, values. */
const CANARY = "canary7f3a";
const CANARY_NUMBER = 271828.25;
const SECRET = `${CANARY}-secret-that-is-long-enough-to-be-one`;
const token = issueToken({ note: CANARY }, { secret: SECRET });

let platform: Platform;
let collector: Server;

beforeAll(async () => {
  collector = createServer((request, response) => {
    request
      .resume()
      .on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  platform = await startPlatform({
    environment: {
      ML_JWT_SECRET_KEY: SECRET,
      ML_LOG_LEVEL: "debug",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    },
  });
  await uploadVersion(platform, "linear", linearModel());
  await promote(platform, { model: "linear", number: 1 });
  await curveWithHistory(platform, "yields", snapshotsOf(datesOf(200)));
  await uploadEmbedder(platform, "embedder");
  await promote(platform, { model: "embedder", number: 1 });
  await trained(platform, { model: "forecaster", curve: "yields" });
});

afterAll(async () => {
  await platform.remove();
  collector.close();
});

const PREDICT = `query Predict($input: PredictInput!) { predict(input: $input) { id outputs { values } } }`;

function predictionOf(x: unknown): { input: Record<string, unknown> } {
  return { input: { model: "linear", inputs: [{ name: "x", values: [x] }] } };
}

test("health tells of the whole, of being alive and of being ready", async () => {
  const health = await rawRequest(`${platform.url}/health`);
  expect(health.status).toBe(200);
  expect(JSON.parse(health.body)).toMatchObject({
    status: "ok",
    tier: onServiceTier ? "service" : "embedded",
    checks: { database: "ok", queue: "ok", objects: "ok" },
  });
  expect(JSON.parse(health.body)).toHaveProperty("samples");
  const live = await rawRequest(`${platform.url}/health/live`);
  expect([live.status, JSON.parse(live.body)]).toEqual([200, { status: "ok" }]);
  const ready = await rawRequest(`${platform.url}/health/ready`);
  expect([ready.status, JSON.parse(ready.body)]).toMatchObject([200, { status: "ready" }]);
});

test("probes need no name and no token", async () => {
  const headers = { host: "10.1.2.3:4000", "x-forwarded-for": "10.0.0.9" };
  for (const path of ["/health", "/health/live", "/health/ready", "/metrics"]) {
    expect([path, (await rawRequest(`${platform.url}${path}`, { headers })).status]).toEqual([path, 200]);
  }
});

test("every metric that is declared is exported", async () => {
  const { headers, body } = await rawRequest(`${platform.url}/metrics`);
  expect(headers["content-type"]).toContain("text/plain");
  const declared = metricsRegistry.getMetricsAsArray().map(({ name }) => name);
  expect(declared.length).toBeGreaterThan(20);
  for (const name of declared) expect(body).toContain(`# TYPE ${name} `);
});

test("requests are counted by operation type, errors by code, inference by model", async () => {
  const count = (name: string, labels: Record<string, string>) => metric(platform, name, labels);
  const requests = { route: "/graphql", status: "200" };
  const counters: [name: string, labels: Record<string, string>, increase: number][] = [
    ["http_server_request_duration_seconds_count", { ...requests, operation_type: "query" }, 6],
    ["http_server_request_duration_seconds_count", { ...requests, operation_type: "mutation" }, 1],
    ["graphql_operation_errors_total", { code: "NOT_FOUND" }, 1],
    ["graphql_operation_errors_total", { code: "INVALID_INPUT" }, 2],
    ["graphql_operation_errors_total", { code: "PRECONDITION_FAILED" }, 1],
    ["graphql_operations_total", { operation_type: "query", code: "OK" }, 4],
    ["graphql_operations_total", { operation_type: "query", code: "NOT_FOUND" }, 1],
    ["graphql_operations_total", { operation_type: "query", code: "INVALID_INPUT" }, 1],
    ["graphql_operations_total", { operation_type: "mutation", code: "PRECONDITION_FAILED" }, 1],
    ["graphql_operations_total", { operation_type: "none", code: "INVALID_INPUT" }, 1],
    ["model_inference_duration_seconds_count", { model: "linear" }, 2],
    ["model_inference_batch_rows_sum", { model: "linear" }, 2],
    ["prediction_log_rows_total", {}, 2],
    ["embedding_texts_total", { model: "embedder", priority: "interactive" }, 2],
    ["embedding_tokens_total", { model: "embedder", priority: "interactive" }, 7],
    ["embedding_duration_seconds_count", { priority: "interactive" }, 2],
    ["embedding_batch_tokens_sum", { priority: "interactive" }, 7],
    ["cache_lookups_total", { cache: "embedding", result: "hit" }, 1],
    ["cache_lookups_total", { cache: "embedding", result: "miss" }, 2],
    ["model_inference_batch_rows_sum", { model: "embedder" }, 2],
  ];
  const before = await Promise.all(counters.map(([name, labels]) => count(name, labels)));
  await platform.query(PREDICT, predictionOf([1, 2, 3]));
  await platform.query(PREDICT, predictionOf([4, 5, 6]));
  await platform.ask(`{ predict(input: { model: "absent", inputs: [] }) { id } }`);
  await platform.ask(PREDICT, predictionOf([1, 2]));
  await platform.ask(`mutation { rollbackModel(input: { model: "linear" }) { pending } }`);
  await platform.ask("{ nonsense }");
  for (const texts of ['["gas"]', '["gas", "gas prices"]']) {
    await platform.query(`{ embed(input: { texts: ${texts} }) { dimensions } }`);
  }
  for (const [i, [name, labels, increase]] of counters.entries()) {
    // The log is written behind the answers.
    const now = await eventually(
      () => count(name, labels),
      (value) => value >= before[i]! + increase,
      10_000,
    );
    expect([name, labels, now]).toEqual([name, labels, before[i]! + increase]);
  }
  // The model had been loaded to be validated and promoted.
  expect(await count("cache_lookups_total", { cache: "model", result: "hit" })).toBeGreaterThan(1);
});

test("operations over a socket are counted when they are answered or begin", async () => {
  const counted = async (): Promise<Record<string, number>> => {
    const samples = await metricsOf(platform);
    const operations = samples.filter(({ name }) => name === "graphql_operations_total");
    return Object.fromEntries(
      operations.map(({ labels, value }) => [`${labels.operation_type} ${labels.code}`, value]),
    );
  };
  const before = await counted();
  const socket = await RawSocket.greeted(platform, {});
  socket.subscribe("begins");
  socket.subscribe("nonsense", "subscription { nonsense }");
  socket.subscribe("answered", "{ __typename }");
  socket.subscribe("fails", `{ predict(input: { model: "absent", inputs: [] }) { id } }`);
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
  const after = await eventually(counted, (now) => sum(now) >= sum(before) + 4);
  await socket.end();
  const increases = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]);
  expect(Object.fromEntries(increases.filter(([, increase]) => increase !== 0))).toEqual({
    "subscription OK": 1,
    "subscription INVALID_INPUT": 1,
    "query OK": 1,
    "query NOT_FOUND": 1,
  });
});

test("a slow point leads to its trace, where that is kept, and the plain format stays as it was", async () => {
  const [kept, dropped] = ["a1".repeat(16), "b2".repeat(16)];
  for (const [trace, flags] of [
    [kept, "01"],
    [dropped, "00"],
  ]) {
    await platform.query("{ __typename }", {}, { traceparent: `00-${trace}-00f067aa0ba902b7-${flags}` });
  }
  const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
  const open = await rawRequest(`${platform.url}/metrics`, { headers: { accept } });
  expect(open.headers["content-type"]).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  const line = open.body.split("\n").find((text) => text.includes(kept));
  expect(line).toMatch(
    /^http_server_request_duration_seconds_bucket\{le=.*operation_type="query".*\} \d+ # \{trace_id="(a1){16}"\} \S+ \d+/,
  );
  expect(open.body).not.toContain(dropped);
  expect(open.body).toMatch(/^# TYPE graphql_operations counter\n(# .*\n)*graphql_operations_total\{/m);
  expect(open.body.endsWith("\n# EOF\n")).toBe(true);
  const plain = await rawRequest(`${platform.url}/metrics`);
  expect(plain.headers["content-type"]).toContain("text/plain; version=0.0.4");
  expect(plain.body).not.toContain("trace_id");
  expect(plain.body).toMatch(/^# TYPE graphql_operations_total counter$/m);
});

test("the provider that runs models is told", async () => {
  expect(await metric(platform, "model_inference_provider", { provider: "cpu" })).toBe(1);
});

test("documents are counted by what became of them", async () => {
  const note = { key: "a", text: "Gas is cheap." };
  await createCollection(platform, { name: "counted" });
  await ingest(platform, "counted", [note, { ...note, key: "b" }]);
  await ingest(platform, "counted", [note, { key: "b", text: "Power is dear." }]);
  await deleteDocuments(platform, "counted", ["a", "absent"]);
  const outcomes = { created: 2, updated: 1, unchanged: 1, deleted: 1 };
  for (const [outcome, count] of Object.entries(outcomes)) {
    expect([outcome, await metric(platform, "documents_total", { outcome })]).toEqual([outcome, count]);
  }
});

test("the state of queues, memory and threads is measured", async () => {
  expect(await metric(platform, "job_duration_seconds_count", { kind: "train-forecaster" })).toBe(1);
  expect(await metric(platform, "training_runs_total", { status: "SUCCEEDED" })).toBe(1);
  expect(await metric(platform, "model_stage_transitions_total", { stage: "PRODUCTION" })).toBe(2);
  await eventually(
    () => metric(platform, "model_cache_bytes"),
    (bytes) => bytes > 0,
  );
  const samples = await eventually(
    () => metricsOf(platform),
    (all) => all.some(({ name }) => name === "job_queue_depth"),
  );
  const queues = (name: string) =>
    new Set(samples.filter((sample) => sample.name === name).map(({ labels }) => labels.queue));
  expect(queues("job_queue_oldest_age_seconds")).toEqual(queues("job_queue_depth"));
  expect(queues("job_queue_depth")).toContain("training");
  const checks = samples.filter(({ name }) => name === "health_check_up");
  expect(Object.fromEntries(checks.map(({ labels, value }) => [labels.check, value]))).toEqual({
    ...{ database: 1, migrations: 1, queue: 1, objects: 1, workers: 1 },
  });
  const share = (used: string, limit: string) => {
    const valueOf = (wanted: string) => samples.find(({ name }) => name === wanted)!.value;
    return valueOf(used) / valueOf(limit);
  };
  expect(share("process_resident_memory_bytes", "process_memory_limit_bytes")).toBeGreaterThan(0);
  expect(share("process_resident_memory_bytes", "process_memory_limit_bytes")).toBeLessThan(1);
  expect(samples.find(({ name }) => name === "process_cpu_limit_cores")!.value).toBeGreaterThan(0);
  expect(samples.find(({ name }) => name === "process_cpu_limit_cores")!.value).toBeLessThanOrEqual(
    availableParallelism(),
  );
  expect(samples.find(({ name }) => name === "nodejs_eventloop_lag_p99_seconds")?.value).toBeGreaterThan(0);
});

test("labels are bounded, whatever clients send", async () => {
  const labelSets = async (): Promise<number> =>
    new Set(
      (await metricsOf(platform))
        // Node's own come and go with what it has open at the moment, by types that it alone decides.
        .filter(({ name, labels }) => !name.startsWith("nodejs_active_") && !("le" in labels))
        .map(({ name, labels }) => name + JSON.stringify(labels)),
    ).size;
  const strange = async (i: number): Promise<void> => {
    await rawRequest(`${platform.url}/nowhere/${CANARY}-${i}`);
    await rawRequest(`${platform.url}/artifacts/${"0".repeat(63)}${i}/model.onnx?signature=${CANARY}`);
    await rawGraph(platform, `query ${CANARY}${i} { model(name: "${CANARY}-${i}") { id } }`);
    await platform.ask(`{ predict(input: { model: "${CANARY}-${i}", inputs: [] }) { id } }`);
  };
  await strange(0);
  const before = await labelSets();
  for (let i = 1; i < 6; i++) await strange(i);
  expect(await labelSets()).toBe(before);
  expect((await rawRequest(`${platform.url}/metrics`)).body).not.toContain(CANARY);
});

test("the log is JSON that tells of a request under its id and trace", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const answer = await rawGraph(
    platform,
    `mutation { rollbackModel(input: { model: "absent" }) { pending } }`,
    {
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, ...bearer(token) },
    },
  );
  const requestId = answer.headers["x-request-id"];
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  const line = await eventually(
    () => Promise.resolve(platform.log.find((entry) => entry.requestId === requestId)),
    (found) => found !== undefined,
  );
  expect(line).toMatchObject({
    level: "info",
    event: "http.request",
    traceId,
    method: "POST",
    path: "/graphql",
    operationType: "mutation",
    caller: "tester",
    status: 200,
  });
  expect(Date.parse(String(line!.time))).toBeGreaterThan(Date.now() - 60_000);
  expect(platform.log.filter((entry) => "notJson" in entry)).toEqual([]);
});

test("secrets, tokens and values are nowhere in the log", async () => {
  const forged = `${token.slice(0, -4)}${CANARY}`;
  const requests: [query: string, variables: object, token?: string][] = [
    [PREDICT, predictionOf([CANARY_NUMBER, 1, 1]), token],
    [PREDICT, predictionOf([CANARY, CANARY_NUMBER, 1]), token],
    [PREDICT, predictionOf([CANARY_NUMBER]), token],
    ["{ me { subject } }", {}, forged],
    [`{ model(name: "${CANARY}") { id } }`, {}],
    [`{ ${CANARY} }`, {}],
    [`{ ${CANARY}`, {}],
    [
      `mutation ($input: RecordCurveInput!) { recordCurve(input: $input) { created } }`,
      {
        input: {
          curve: "yields",
          snapshots: [{ date: "2023-01-02", points: [{ tenor: CANARY, value: CANARY_NUMBER }] }],
        },
      },
    ],
    [
      `mutation { registerModel(input: { name: "described", kind: TENSOR, description: "${CANARY}",
        tags: [{ name: "${CANARY}", value: "${CANARY}" }] }) { model { id } } }`,
      {},
    ],
    [
      `mutation { promoteModelVersion(input: { model: "linear", number: 1, stage: STAGING, reason: "${CANARY}" }) { pending } }`,
      {},
    ],
  ];
  for (const [query, variables, credentials] of requests) {
    await platform.ask(query, variables, credentials === undefined ? {} : bearer(credentials));
  }
  await rawRequest(`${platform.url}/artifacts/uploads/${CANARY}/model.onnx?signature=${CANARY}`, {
    method: "PUT",
    body: CANARY,
  });
  await rawRequest(`${platform.url}/${CANARY}?token=${token}`);
  const last = await rawGraph(platform, `mutation { rollbackModel(input: { model: "absent" }) { pending } }`);
  await eventually(
    () => Promise.resolve(platform.log),
    (log) => log.some(({ requestId }) => requestId === last.headers["x-request-id"]),
  );
  const [, claims, signature] = token.split(".");
  for (const written of [JSON.stringify(platform.log), platform.stderr()]) {
    for (const secret of [CANARY, String(CANARY_NUMBER), SECRET, claims!, signature!]) {
      expect(written.includes(secret) ? written.slice(written.indexOf(secret) - 200).slice(0, 400) : "").toBe(
        "",
      );
    }
  }
});
