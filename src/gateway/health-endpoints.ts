import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";

export interface HealthReport {
  /** False while starting and while draining. */
  ready: boolean;
  /** What must answer for requests to succeed; each throws when it does not. */
  checks: Record<string, () => Promise<void>>;
  /** Facts for people, e.g. how far the samples are. */
  details: Record<string, string>;
}

const CHECK_TIMEOUT_MS = 2_000;

/** Health for probes and people, metrics for Prometheus. */
export function serveHealth(fastify: FastifyInstance, report: () => HealthReport, metrics: Registry): void {
  fastify.get("/health", async (_request, reply) => {
    const { ready, checks, details } = report();
    const results = await runChecks(checks);
    const healthy = Object.values(results).every((result) => result === "ok");
    const status = healthy ? (ready ? "ok" : "draining") : "failing";
    return reply.code(healthy ? 200 : 503).send({ status, ...details, checks: results });
  });
  fastify.get("/health/live", () => ({ status: "ok" }));
  fastify.get("/health/ready", async (_request, reply) => {
    const { ready, checks } = report();
    const results = ready ? await runChecks(checks) : {};
    const ok = ready && Object.values(results).every((result) => result === "ok");
    return reply.code(ok ? 200 : 503).send({ status: ok ? "ready" : "not ready", checks: results });
  });
  fastify.get("/metrics", async (_request, reply) =>
    reply.header("content-type", metrics.contentType).send(await metrics.metrics()),
  );
}

async function runChecks(checks: HealthReport["checks"]): Promise<Record<string, string>> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]): Promise<[string, string]> => {
      const late = new Promise<string>((resolve) => setTimeout(resolve, CHECK_TIMEOUT_MS, "late").unref());
      const outcome = await Promise.race([
        check().then(
          () => "ok",
          () => "failing",
        ),
        late,
      ]);
      return [name, outcome];
    }),
  );
  return Object.fromEntries(results);
}
