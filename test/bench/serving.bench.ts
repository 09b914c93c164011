import { ModelFolder, costlyRows, perceptron } from "../support/onnx-models.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { uploadVersion } from "../support/registry.js";
import type { BenchTable } from "./bench-table.js";
import { compareUnderLoad } from "./load.js";
import type { Contender, Throughput } from "./load.js";
import { SERVER_CORE, pin } from "./pinned-process.js";
import { startPlainEndpoint } from "./plain-endpoint.js";
import type { PlainEndpoint } from "./plain-endpoint.js";

const features = Array.from({ length: 40 }, (_, i) => Math.round(Math.sin(i) * 1e6) / 1e6);
const connections = 32;
const OPERATION =
  "query Predict($input: PredictInput!) { predict(input: $input) { id outputs { name values } } }";

/**
 * `predict` through the whole platform (token check, authorization, validation, codec, micro-batcher, prediction
 * log) over the least that could answer the same call, servers on one core and the load on another.
 */
export async function servingBench(): Promise<BenchTable> {
  const folder = await ModelFolder.create();
  const platform = await startPlatform();
  pin(platform.pid, SERVER_CORE);
  try {
    const tiny = await measure(platform, folder, "regression", perceptron([40, 11]), {
      rounds: 5,
      seconds: 2,
    });
    const heavy = await measure(platform, folder, "heavy", costlyRows(HEAVY_STEPS), {
      rounds: 3,
      seconds: 4,
    });
    return {
      title:
        "Serving: requests per second at 32 connections, over plain Fastify and onnxruntime in the same run",
      rows: [...rows("40-feature regression", tiny, "> 0.5"), ...rows("5 ms a row", heavy, "> 0.95")],
    };
  } finally {
    await platform.remove();
    await folder.remove();
  }
}

/** Makes about 5 ms a row on one core of the machine that these figures were first taken on. */
const HEAVY_STEPS = 480;

async function measure(
  platform: Platform,
  folder: ModelFolder,
  model: string,
  bytes: Uint8Array,
  plan: { rounds: number; seconds: number },
): Promise<Map<string, Throughput>> {
  const { path } = await folder.add(model, bytes);
  await serve(platform, model, bytes);
  const endpoints: PlainEndpoint[] = [];
  try {
    for (const kind of ["json", "apollo"] as const) endpoints.push(await startPlainEndpoint(kind, path));
    const [json, apollo] = endpoints as [PlainEndpoint, PlainEndpoint];
    return await compareUnderLoad(contenders(platform, model, json, apollo), { connections, ...plan });
  } finally {
    await Promise.all(endpoints.map((endpoint) => endpoint.stop()));
  }
}

async function serve(platform: Platform, model: string, bytes: Uint8Array): Promise<void> {
  const { number, status, rejection } = await uploadVersion(platform, model, bytes);
  if (status !== "READY") throw new Error(`${model} is ${status}: ${rejection}`);
  await platform.query(
    `mutation Promote($input: PromoteModelVersionInput!) { promoteModelVersion(input: $input) { transition { id } } }`,
    { input: { model, number, stage: "PRODUCTION" } },
  );
}

function contenders(
  platform: Platform,
  model: string,
  json: PlainEndpoint,
  apollo: PlainEndpoint,
): Contender[] {
  const input = { model, inputs: [{ name: "x", values: [features] }] };
  return [
    { name: "json", pid: json.pid, url: json.url, body: { model, inputs: features } },
    {
      name: "apollo",
      pid: apollo.pid,
      url: apollo.url,
      body: {
        query: "query P($m: String!, $x: [Float!]!) { predict(model: $m, inputs: $x) { model outputs } }",
        variables: { m: model, x: features },
      },
    },
    {
      name: "platform",
      pid: platform.pid,
      url: `${platform.url}/graphql`,
      body: { query: OPERATION, variables: { input } },
    },
  ];
}

function rows(name: string, measured: Map<string, Throughput>, target: string): BenchTable["rows"] {
  const [json, apollo, platform] = ["json", "apollo", "platform"].map((key) => measured.get(key)!) as [
    Throughput,
    Throughput,
    Throughput,
  ];
  return [
    { name: `\`predict\`, ${name}: platform / plain Fastify`, value: ratio(platform, json), target },
    { name: `the same: a bare Apollo with one resolver / plain Fastify`, value: ratio(apollo, json) },
    { name: "the same: p50 and p99 of the platform", value: latencies(platform) },
    { name: "the same: p50 and p99 of plain Fastify", value: latencies(json) },
  ];
}

/** By rate, and by the CPU time that a request costs, which other work on the machine disturbs less. */
function ratio(left: Throughput, right: Throughput): string {
  const rates = `${(left.perSecond / right.perSecond).toFixed(2)} (${rate(left)} / ${rate(right)})`;
  const [mine, floor] = [left.cpuMicrosPerRequest, right.cpuMicrosPerRequest];
  if (mine === undefined || floor === undefined) return rates;
  return `${rates}; by CPU ${(floor / mine).toFixed(2)} (${Math.round(mine)} / ${Math.round(floor)} us)`;
}

function rate({ perSecond }: Throughput): string {
  return `${Math.round(perSecond).toLocaleString("en")}/s`;
}

function latencies({ p50Ms, p99Ms }: Throughput): string {
  return `${p50Ms} ms, ${p99Ms} ms`;
}
