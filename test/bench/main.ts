// npm run bench [-- serving|inference|forecasting|start|jobs|replicas|tiers|upkeep|embedding|ingest|search|retrieval ...] [--data FILE|DIR] [--dsn DSN]
// [--passages N] [--documents N,...]: prints tables, writes nothing. retrieval needs a DIR.
import { parseArgs } from "node:util";
import { toMarkdown } from "./bench-table.js";
import type { BenchTable } from "./bench-table.js";
import { embeddingBench } from "./embedding.bench.js";
import { forecastingBench } from "./forecasting.bench.js";
import { ingestBench } from "./ingest.bench.js";
import { jobsBench } from "./jobs.bench.js";
import { inferenceBench } from "./inference.bench.js";
import { replicasBench } from "./replicas.bench.js";
import { retrievalBench } from "./retrieval.bench.js";
import { searchBench } from "./search.bench.js";
import { servingBench } from "./serving.bench.js";
import { startBench } from "./start.bench.js";
import { tiersBench } from "./tiers.bench.js";
import { upkeepBench } from "./upkeep.bench.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: "string" },
    dsn: { type: "string" },
    passages: { type: "string" },
    documents: { type: "string" },
  },
});
const groups: Record<string, () => Promise<BenchTable>> = {
  serving: servingBench,
  inference: inferenceBench,
  forecasting: () => forecastingBench(values.data === undefined ? {} : { data: values.data }),
  start: startBench,
  jobs: jobsBench,
  replicas: replicasBench,
  tiers: tiersBench,
  upkeep: upkeepBench,
  ingest: () => ingestBench({ ...numberOf("documents"), ...numberOf("passages") }),
  embedding: () => embeddingBench(numberOf("passages")),
};
const { data, dsn } = values;
groups.search = () => searchBench({ dsn, sizes: values.documents?.split(",").map(Number) });
if (data !== undefined) groups.retrieval = () => retrievalBench({ data, dsn });
/** The option as a number, where it is given. */
function numberOf<N extends "documents" | "passages">(name: N): Partial<Record<N, number>> {
  return values[name] === undefined ? {} : ({ [name]: Number(values[name]) } as Record<N, number>);
}

const wanted = positionals.length > 0 ? positionals : Object.keys(groups);
const unknown = wanted.filter((name) => !(name in groups));
if (unknown.length > 0) {
  console.error(`There is no group ${unknown.join(", ")}; there are ${Object.keys(groups).join(", ")}.`);
  process.exit(1);
}
const tables: BenchTable[] = [];
for (const name of wanted) {
  console.error(`Measuring ${name} ...`);
  tables.push(await groups[name]!());
}
console.log(tables.map(toMarkdown).join("\n\n"));
