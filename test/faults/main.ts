import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { faults } from "./cases/index.js";
import { faultTable, passed } from "./fault-table.js";
import type { FaultResult } from "./fault-table.js";
import type { Fault } from "./fault.js";
import { startTier } from "./tier.js";
import type { Tier } from "./tier.js";

const { values } = parseArgs({
  options: {
    ci: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    list: { type: "boolean", default: false },
    /** Where the counts go as JSON, for CI. */
    counts: { type: "string" },
  },
});

if (values.list) {
  for (const { name, engine, ci } of faults) console.log(`${name}  (${engine}${ci ? ", in CI" : ""})`);
} else {
  const results: FaultResult[] = [];
  const tier = await startTier();
  for (const fault of choose()) results.push(await carryOut(fault, tier));
  await tier.stop();
  console.log(`\n${faultTable(results)}`);
  const good = results.filter(passed).length;
  console.log(`${good} faults survived, ${results.length - good} not`);
  if (values.counts) {
    writeFileSync(values.counts, JSON.stringify({ passed: good, failed: results.length - good }));
  }
  process.exitCode = good === results.length ? 0 : 1;
}

function choose(): readonly Fault[] {
  const { only, ci } = values;
  const unknown = (only ?? []).filter((name) => !faults.some((fault) => fault.name === name));
  if (unknown.length > 0) throw new Error(`--only: no fault "${unknown.join('", "')}"; --list shows them`);
  if (only) return faults.filter(({ name }) => only.includes(name));
  return ci ? faults.filter((fault) => fault.ci) : faults;
}

async function carryOut(fault: Fault, tier: Tier): Promise<FaultResult> {
  console.log(`${fault.name} ...`);
  const began = performance.now();
  const outcome = await fault.run(tier).catch((error: Error) => error);
  const seconds = (performance.now() - began) / 1000;
  const result = { fault, outcome, seconds };
  if (outcome instanceof Error) console.log(outcome.stack);
  else if (!passed(result))
    console.log(JSON.stringify({ ...outcome, losses: outcome.losses.slice(0, 20) }, null, 2));
  console.log(`${fault.name}: ${passed(result) ? "survived" : "NOT survived"} in ${seconds.toFixed(1)} s`);
  return result;
}
