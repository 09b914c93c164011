import Fastify from "fastify";
import type { FastifyInstance } from "fastify";
import { listenOn, withoutSchemas } from "./door.js";
import type { Door } from "./door.js";
import { serveHealth } from "./health-endpoints.js";
import type { HealthState } from "./health-state.js";
import { secureAnswer } from "./security-headers.js";
import type { TlsServer } from "./tls-server.js";

/** The door of a worker: health for probes and metrics for Prometheus, no graph. */
export function createHealthDoor(health: HealthState, tls?: TlsServer): Door {
  const fastify = Fastify({
    ...withoutSchemas,
    logger: false,
    forceCloseConnections: true,
    ...(tls ? { https: tls.options } : {}),
  }) as FastifyInstance;
  fastify.addHook("onRequest", (_request, reply, done) => {
    secureAnswer(reply, tls !== undefined);
    done();
  });
  serveHealth(fastify, health);
  return {
    listen: (host, port) => listenOn(fastify, { host, port, tls }),
    close: () => fastify.close(),
  };
}
