// npm run bench [-- serving|inference|forecasting|start|embedding|retrieval ...] [--data FILE|DIR] [--dsn DSN] [--passages N]: prints tables, writes nothing.
import { parseArgs } from "node:util";
import { toMarkdown } from "./bench-table.js";
import type { BenchTable } from "./bench-table.js";
import { embeddingBench } from "./embedding.bench.js";
import { forecastingBench } from "./forecasting.bench.js";
import { inferenceBench } from "./inference.bench.js";
import { retrievalBench } from "./retrieval.bench.js";
import { servingBench } from "./serving.bench.js";
import { startBench } from "./start.bench.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: "string" }, dsn: { type: "string" }, passages: { type: "string" } },
});
const groups: Record<string, () => Promise<BenchTable>> = {
  serving: servingBench,
  inference: inferenceBench,
  forecasting: () => forecastingBench(values.data === undefined ? {} : { data: values.data }),
  start: startBench,
  embedding: () => embeddingBench(values.passages === undefined ? {} : { passages: Number(values.passages) }),
};
const needsData: Record<string, (data: string) => Promise<BenchTable>> = {
  retrieval: (data) => retrievalBench({ data, dsn: values.dsn }),
};
if (values.data !== undefined) {
  const { data } = values;
  for (const [name, measure] of Object.entries(needsData)) groups[name] = () => measure(data);
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
