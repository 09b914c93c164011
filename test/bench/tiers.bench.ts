import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { makeServicePlace } from "../support/service-tier.js";
import { startServices } from "../support/start-services.js";
import { median } from "./bench-table.js";
import type { BenchRow, BenchTable } from "./bench-table.js";

const ROUNDS = 30;
const SAMPLES_TIMEOUT_MS = 180_000;

/** The main queries of the README, each as a client sends it: variables change what a cache could know. */
const QUERIES: { name: string; query: string; variables?: (round: number) => object }[] = [
  {
    name: "`forecast` of the promoted model",
    query: `query Forecast($horizons: [Int!]) { forecast(input: { curve: "ust-par-yield", horizons: $horizons }) {
      asOf coverage version { number } horizons { date points { tenor mean lower upper } } } }`,
    variables: () => ({ horizons: [21] }),
  },
  {
    name: "a month of a curve's history",
    query: `query History($first: Int) { curve(name: "ust-par-yield") { unit snapshots(from: "2024-12-01", first: $first) {
      totalCount edges { node { date points { tenor value } } } pageInfo { hasNextPage endCursor } } } }`,
    variables: () => ({ first: 21 }),
  },
  {
    name: "HYBRID `search` of the notes, never asked before",
    query: searchQuery(),
    variables: (round) => ({ query: `freezing temperatures prolong heating season ${round}` }),
  },
  {
    name: "the same search again",
    query: searchQuery(),
    variables: () => ({ query: "freezing temperatures prolong the heating season" }),
  },
  {
    name: "`embed` of a text never seen before",
    query: `query Embed($texts: [String!]!) { embed(input: { texts: $texts, model: "note_embedder", role: QUERY }) {
      dimensions embeddings { tokens base64 } } }`,
    variables: (round) => ({ texts: [`storage is nearly full ${round}`] }),
  },
];

function searchQuery(): string {
  return `query Search($query: String!) { search(input: { collection: "notes", query: $query,
    filter: { metadata: { commodity: ["gas", "lng"] } }, facets: ["region"] }, first: 3) {
    edges { score highlight node { key title } } facets { key values { value count } } plan { mode strategy } } }`;
}

/** One process on either tier with the samples: how long the README's main queries take, asked in turn. */
export async function tiersBench(): Promise<BenchTable> {
  const services = await startServices();
  const place = await makeServicePlace(services.addresses);
  const environment = { ML_SAMPLES: "true" };
  const embedded = await startPlatform({ environment });
  const service = await startPlatform({ environment: { ...place.environment, ...environment } });
  try {
    for (const platform of [embedded, service]) await samplesLoaded(platform);
    const rows: BenchRow[] = [];
    for (const { name, query, variables = () => ({}) } of QUERIES) {
      const took = { embedded: [] as number[], service: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        took.embedded.push(await timed(embedded, query, variables(round)));
        took.service.push(await timed(service, query, variables(round)));
      }
      const [ours, theirs] = [median(took.embedded), median(took.service)];
      const value = `${(ours / theirs).toFixed(2)} (${ours.toFixed(1)} ms / ${theirs.toFixed(1)} ms)`;
      rows.push({ name: `${name}: embedded / service tier, p50`, value });
    }
    return { title: "The README's main queries on the two tiers, one process each", rows };
  } finally {
    await Promise.all([embedded.remove(), service.remove()]);
    await services.stop();
  }
}

async function samplesLoaded(platform: Platform): Promise<void> {
  const health = async () => (await (await fetch(`${platform.url}/health`)).json()) as { samples: string };
  await eventually(health, ({ samples }) => samples === "loaded", SAMPLES_TIMEOUT_MS);
}

async function timed(platform: Platform, query: string, variables: object): Promise<number> {
  const began = performance.now();
  await platform.query(query, variables);
  return performance.now() - began;
}
