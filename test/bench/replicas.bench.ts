import { startCluster } from "../support/cluster.js";
import type { Cluster, ClusterProcess } from "../support/cluster.js";
import { createCollection, endedJob, ingest } from "../support/documents.js";
import { perceptron } from "../support/onnx-models.js";
import { promote, uploadVersion } from "../support/registry.js";
import { makeServicePlace } from "../support/service-tier.js";
import { startServices } from "../support/start-services.js";
import { bearer } from "../support/tokens.js";
import { median } from "./bench-table.js";
import type { BenchTable } from "./bench-table.js";
import { makeTexts } from "./embedding.bench.js";
import { generateLoad } from "./load.js";

const CONNECTIONS = 32;
const ROUNDS = 3;
const SECONDS = 3;
const DOCUMENTS = 2_000;
const QUERIES = 300;
const JOB_TIMEOUT_MS = 300_000;
const features = Array.from({ length: 40 }, (_, i) => Math.sin(i));

interface Question {
  name: string;
  body: object;
  /** In turn: equal questions that meet are answered together, cached or not. */
  bodies?: object[];
  /** Altogether. */
  connections?: number;
}

/**
 * Requests a second of two gateways over those of one, and of searches that a cache answers over those that it does
 * not; gateways, servers and load share the machine's cores, as nothing is pinned.
 */
export async function replicasBench(): Promise<BenchTable> {
  const services = await startServices();
  const { environment } = await makeServicePlace(services.addresses);
  const cluster = await startCluster({ gateways: 2, workers: 1, environment });
  try {
    const uncached = await cluster.addGateway({ ML_CACHE_BYTES: "0", ML_CACHE_REDIS_URL: "" });
    const [predict, search] = await prepare(cluster);
    const [first, second] = cluster.gateways as [ClusterProcess, ClusterProcess];
    return {
      title: `Replicas and caches on the service tier, ${CONNECTIONS} connections, all on the same cores`,
      rows: [
        {
          name: `${predict.name}: two gateways / one`,
          value: await compare(cluster, predict, [first, second], [first]),
        },
        {
          name: `${search.name}, uncached: two gateways / one`,
          value: await compare(
            cluster,
            search,
            [uncached, await cluster.addGateway({ ML_CACHE_BYTES: "0", ML_CACHE_REDIS_URL: "" })],
            [uncached],
          ),
        },
        {
          name: `${search.name}: cached / uncached, one gateway, one connection`,
          value: await compare(cluster, { ...search, connections: 1 }, [first], [uncached]),
        },
      ],
    };
  } finally {
    await cluster.remove();
    await services.stop();
  }
}

async function prepare(cluster: Cluster): Promise<[Question, Question]> {
  const gateway = cluster.gateways[0]!;
  const { number } = await uploadVersion(gateway, "regression", perceptron([40, 11]));
  await promote(gateway, { model: "regression", number });
  await createCollection(gateway, { name: "bench" });
  const texts = makeTexts(DOCUMENTS, 20, 60);
  for (let start = 0; start < DOCUMENTS; start += 500) {
    const documents = texts.slice(start, start + 500).map((text, i) => ({ key: String(start + i), text }));
    await endedJob(gateway, (await ingest(gateway, "bench", documents)).job.id, JOB_TIMEOUT_MS);
  }
  const bodies = texts.slice(0, QUERIES).map((text) => ({
    query: `query Search($input: SearchInput!) { search(input: $input, first: 10) { edges { score node { key } } } }`,
    variables: {
      input: { collection: "bench", query: text.split(" ").slice(0, 4).join(" "), mode: "LEXICAL" },
    },
  }));
  const input = { model: "regression", inputs: [{ name: "x", values: [features] }] };
  return [
    {
      name: "`predict`, 40-feature regression",
      body: {
        query:
          "query Predict($input: PredictInput!) { predict(input: $input) { id outputs { name values } } }",
        variables: { input },
      },
    },
    {
      name: `LEXICAL \`search\` of ${DOCUMENTS} documents`,
      body: bodies[0]!,
      bodies,
    },
  ];
}

/** Medians of the requests a second, the two sides in turn. */
async function compare(
  cluster: Cluster,
  question: Question,
  left: readonly ClusterProcess[],
  right: readonly ClusterProcess[],
): Promise<string> {
  const rates: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [side, gateways] of [left, right].entries()) {
      const rate = await rateOf(cluster, question, gateways);
      // The first round warms up.
      if (round > 0) rates[side]!.push(rate);
    }
  }
  const [ours, floor] = rates.map(median) as [number, number];
  return `${(ours / floor).toFixed(2)} (${Math.round(ours).toLocaleString("en")}/s / ${Math.round(floor).toLocaleString("en")}/s)`;
}

async function rateOf(
  { token }: Cluster,
  { name, body, bodies, connections: all = CONNECTIONS }: Question,
  gateways: readonly ClusterProcess[],
): Promise<number> {
  const connections = all / gateways.length;
  const results = await Promise.all(
    gateways.map(({ url }) =>
      generateLoad({
        ...{ url: `${url}/graphql`, connections, seconds: SECONDS, body, bodies, headers: bearer(token) },
        anywhere: true,
      }),
    ),
  );
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  if (failed > 0) throw new Error(`${name}: ${failed} calls failed`);
  return results.reduce((sum, { perSecond }) => sum + perSecond, 0);
}
