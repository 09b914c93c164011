import type { Fault } from "../fault.js";
import { killAt } from "../kill-at.js";
import { ReadyGateways } from "../ready-gateways.js";
import { underLoad } from "../under-load.js";

/** Readers of events are cut off at each of these, and go on where they were at the other gateway. */
const killed: Fault = {
  ...{ name: "gateway killed around a commit", engine: "gateway", ci: true },
  run: (tier) =>
    underLoad(tier, {}, async ({ cluster }) => {
      const points = [
        "ingest.written",
        "ingest.committed",
        "promotion.written",
        "promotion.committed",
        "artifact.stored",
      ] as const;
      for (const [i, point] of points.entries()) {
        const gateway = cluster.gateways[i % 2]!;
        await killAt(gateway, point);
        await gateway.restart();
      }
      return { at: performance.now(), note: `at ${points.join(", ")}` };
    }),
};

/** Longer than it takes to notice that a gateway is not ready. */
const NOTICE_MS = "3000";

/** SIGTERM to one after the other, as a roll-out does. */
const terminated: Fault = {
  ...{ name: "SIGTERM to gateways and workers", engine: "gateway", ci: false },
  run: (tier) =>
    underLoad(
      tier,
      { workers: 2, environment: { ML_DRAIN_NOTICE_MS: NOTICE_MS } },
      async ({ cluster, workload, gateways }) => {
        const violations: string[] = [];
        const failures = () => Object.values(workload.failures).reduce((sum, count) => sum + count, 0);
        const before = failures();
        const ready = new ReadyGateways(gateways());
        workload.sendTo(ready.list);
        for (const each of [...cluster.gateways, ...cluster.workers]) {
          const code = await each.stop("SIGTERM");
          if (code !== 0) violations.push(`a ${each.kind} ended with ${code ?? "a signal"}`);
          await each.restart();
          await ready.all();
          await workload.recoveredFrom(performance.now());
        }
        workload.sendTo(gateways);
        await ready.stop();
        const failed = failures() - before;
        if (failed > 0) violations.push(`${failed} requests failed although readiness was obeyed`);
        return { at: performance.now(), violations };
      },
    ),
};

export const gatewayFaults: Fault[] = [killed, terminated];
