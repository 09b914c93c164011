import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { drill } from "./drill.js";
import { drillTable } from "./drill-table.js";
import { PLANNED, enlarge } from "./larger.js";

/** The platform's objectives. */
const RTO_SECONDS = 3600;
const RPO_SECONDS = 15 * 60;

const SHOWN = 20;

const { values } = parseArgs({
  options: {
    /** Where the figures go. */
    json: { type: "string" },
  },
});

const began = performance.now();
const outcome = await drill((step) => {
  console.log(`${((performance.now() - began) / 1000).toFixed(1)} s: ${step}`);
});
console.log(`\n${drillTable(outcome)}`);
for (const what of outcome.lost.slice(0, SHOWN)) console.log(`lost: ${what}`);
const { rtoSeconds, rpoSeconds, lost } = outcome;
const isGood = rtoSeconds < RTO_SECONDS && rpoSeconds < RPO_SECONDS && lost.length === 0;
console.log(isGood ? "nothing was lost" : "NOT within the objectives");
if (values.json) {
  const result = { ...outcome, planned: { ...PLANNED, ...enlarge(outcome) }, passed: isGood };
  writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
}
process.exitCode = isGood ? 0 : 1;
