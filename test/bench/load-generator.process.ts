// Sends the same POST over and over and prints what came of it: node load-generator.process.js TASK
import autocannon from "autocannon";
import { LOAD_CORE, pin } from "./pinned-process.js";
import type { LoadResult, LoadTask } from "./load.js";

const task = JSON.parse(process.argv[2]!) as LoadTask;
if (!task.anywhere) pin(process.pid, LOAD_CORE);
const result = await autocannon({
  url: task.url,
  connections: task.connections,
  duration: task.seconds,
  method: "POST",
  headers: { "content-type": "application/json", ...task.headers },
  body: JSON.stringify(task.body),
  ...(task.bodies ? { requests: task.bodies.map((body) => ({ body: JSON.stringify(body) })) } : {}),
});
const answer: LoadResult = {
  requests: result.requests.total,
  perSecond: result.requests.total / result.duration,
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
  failed: result.non2xx + result.errors + result.timeouts,
};
process.stdout.write(JSON.stringify(answer));
