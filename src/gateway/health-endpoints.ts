import type { FastifyInstance } from "fastify";
import { writeMetrics } from "../telemetry/open-metrics.js";
import type { HealthState } from "./health-state.js";

/** Health for probes and people, metrics for Prometheus. */
export function serveHealth(fastify: FastifyInstance, health: HealthState): void {
  fastify.get("/health", async (_request, reply) => {
    const { phase, checks, facts } = await health.report();
    const healthy = isHealthy(checks);
    const status = healthy ? (phase === "ready" ? "ok" : phase) : "failing";
    return reply.code(healthy ? 200 : 503).send({ status, phase, ...facts, checks });
  });
  fastify.get("/health/live", () => ({ status: "ok" }));
  fastify.get("/health/ready", async (_request, reply) => {
    const { phase, checks } = await health.report();
    const ready = phase === "ready" && isHealthy(checks);
    return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "not ready", phase, checks });
  });
  fastify.get("/metrics", async (request, reply) => {
    const { contentType, text } = await writeMetrics(request.headers.accept);
    return reply.header("content-type", contentType).header("vary", "accept").send(text);
  });
}

function isHealthy(checks: Record<string, string>): boolean {
  return Object.values(checks).every((outcome) => outcome === "ok");
}
