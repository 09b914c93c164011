import Fastify from "fastify";
import { metricsRegistry } from "../telemetry/metrics.js";
import { listenOn } from "./door.js";
import type { Door } from "./door.js";
import { serveHealth } from "./health-endpoints.js";
import type { HealthState } from "./health-state.js";

/** The door of a worker: health for probes and metrics for Prometheus, no graph. */
export function createHealthDoor(health: HealthState): Door {
  const fastify = Fastify({ logger: false, forceCloseConnections: true });
  serveHealth(fastify, health, metricsRegistry);
  return {
    listen: (host, port) => listenOn(fastify, host, port),
    close: () => fastify.close(),
  };
}
