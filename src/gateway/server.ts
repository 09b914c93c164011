import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { finished } from "node:stream/promises";
import fastifyApollo from "@as-integrations/fastify";
import Fastify from "fastify";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { GraphQLSchema } from "graphql";
import type { AuditTrail } from "../modules/audit/index.js";
import type { Authenticator, EventSource, RequestContext } from "../modules/identity/index.js";
import type { ModelsModule } from "../modules/models/index.js";
import type { Database, ServedRequest } from "../ports/database.js";
import { InvalidInputError, PlatformError, TooLargeError } from "../shared/errors.js";
import { reportHttpRequest } from "../telemetry/events.js";
import { metricsRegistry } from "../telemetry/metrics.js";
import { SpanKind, inRemoteSpan, isTracing } from "../telemetry/tracing.js";
import { createApollo } from "./apollo.js";
import { serveArtifacts } from "./artifact-endpoints.js";
import { grantCrossOrigin } from "./cross-origin.js";
import { listenOn } from "./door.js";
import type { Door } from "./door.js";
import { serveExplorer } from "./explorer.js";
import { formatError } from "./format-error.js";
import { serveHealth } from "./health-endpoints.js";
import type { HealthState } from "./health-state.js";
import { assertTrustedOrigin } from "./origin-guard.js";
import type { OriginPolicy } from "./origin-guard.js";
import { RequestContexts } from "./request-contexts.js";
import { serveSubscriptions } from "./subscriptions.js";

export interface GatewayOptions {
  schema: GraphQLSchema;
  authenticator: Authenticator;
  feed: EventSource;
  trail: AuditTrail;
  models: ModelsModule;
  database: Pick<Database, "serve" | "acknowledge">;
  health: HealthState;
  policy: OriginPolicy;
  publicUrl?: string;
  explorer: boolean;
  maxBodyBytes: number;
}

const HEALTH_PATHS = /^\/(health(\/|$)|metrics$)/;
const HEADERS_TIMEOUT_MS = 10_000;
/** For a whole request: an artifact of gigabytes may take long, nobody takes for ever. */
const REQUEST_TIMEOUT_MS = 3_600_000;
const LINGER_MS = 5_000;

declare module "fastify" {
  interface FastifyRequest {
    graphContext?: RequestContext;
    served?: ServedRequest;
  }
}

/** The HTTP door: GraphQL, subscriptions, artifacts, health, metrics and the explorer. */
export async function createGateway(options: GatewayOptions): Promise<Door> {
  const fastify = createFastify(options);
  const contexts = new RequestContexts(options.authenticator, options.feed, options.publicUrl, options.trail);
  const { explorer, database, trail } = options;
  const apollo = createApollo(options.schema, { explorer, database, trail });
  await apollo.start();
  await fastify.register(fastifyApollo(apollo), {
    path: "/graphql",
    context: async (request: FastifyRequest, reply: FastifyReply) => {
      request.graphContext = await contexts.ofHttp(request.raw, reply.raw, request.id);
      request.graphContext.operation.served = request.served;
      return request.graphContext;
    },
  });
  serveHealth(fastify, options.health, metricsRegistry);
  serveArtifacts(fastify, options.models.registry, options.models.links, trail);
  if (options.explorer) serveExplorer(fastify);
  const subscriptions = serveSubscriptions(fastify.server, options.schema, contexts, {
    policy: options.policy,
    trail,
  });
  const close = async (graceMs: number): Promise<void> => {
    const cut = setTimeout(() => fastify.server.closeAllConnections(), graceMs);
    await subscriptions.close();
    await fastify.close();
    clearTimeout(cut);
    await apollo.stop();
  };
  let closing: Promise<void> | undefined;
  return {
    listen: (host, port) => listenOn(fastify, host, port),
    close: (graceMs) => (closing ??= close(graceMs)),
  };
}

function createFastify({ policy, maxBodyBytes, database, health }: GatewayOptions): FastifyInstance {
  const fastify = Fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    genReqId: () => randomUUID(),
    forceCloseConnections: "idle",
    // What has come is answered, to the last one.
    return503OnClosing: false,
    // Who is slower is noticed by a look at all connections; Node itself looks every 30 s.
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: HEADERS_TIMEOUT_MS / 2 },
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) =>
      void answerError(error, request, reply as never, maxBodyBytes),
  });
  fastify.addHook("onRequest", (request, reply, done) => {
    void reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
    // The client's next request goes to a process that stays.
    if (health.draining) void reply.header("connection", "close");
    if (!HEALTH_PATHS.test(request.url.split("?", 1)[0]!)) assertTrustedOrigin(request.raw, policy);
    if (grantCrossOrigin(request, reply, policy.allowedOrigins)) return;
    if (!isTracing()) return done();
    const name = `${request.method} ${request.routeOptions.url ?? "unknown"}`;
    void inRemoteSpan(request.headers, name, {}, () => ended(reply, done), SpanKind.SERVER);
  });
  // Behind the parser of bodies, whose events know of no request.
  fastify.addHook("preHandler", (request, _reply, done) => {
    request.served = {};
    database.serve(request.served, done);
  });
  fastify.addHook("onResponse", (request, reply, done) => {
    reportRequest(request, reply);
    done();
  });
  fastify.setErrorHandler(async (error: FastifyError | PlatformError, request, reply) => {
    await dropBody(request.raw);
    return answerError(error, request, reply, maxBodyBytes);
  });
  fastify.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      errors: [
        {
          message: `nothing at ${request.method} ${request.url.split("?", 1)[0]}`,
          extensions: { code: "NOT_FOUND" },
        },
      ],
    }),
  );
  return fastify;
}

function reportRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { graphContext } = request;
  reportHttpRequest({
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? "unknown",
    status: reply.statusCode,
    durationMs: reply.elapsedTime,
    operationType: graphContext?.operation.type,
    caller: graphContext?.caller.subject,
  });
}

/** Goes on with the request, and resolves when its answer has been sent. */
function ended(reply: FastifyReply, done: () => void): Promise<void> {
  return new Promise((resolve) => {
    reply.raw.once("close", resolve);
    done();
  });
}

/** Reads on for a while what a client still sends: most look for an answer only when they have sent all. */
async function dropBody(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  request.resume();
  await finished(request, { signal: AbortSignal.timeout(LINGER_MS) }).catch(() => undefined);
}

const STATUS: Partial<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  INVALID_INPUT: 400,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  TOO_LARGE: 413,
  OVERLOADED: 503,
  UNAVAILABLE: 503,
};

/** Failures outside GraphQL execution, in the shape that GraphQL clients know. */
function answerError(
  error: FastifyError | PlatformError,
  request: FastifyRequest,
  reply: FastifyReply,
  maxBodyBytes: number,
): FastifyReply {
  const known = toPlatformError(error, maxBodyBytes);
  const formatted = formatError({ message: error.message }, known, request.id);
  const code = String(formatted.extensions?.code);
  return reply.code(STATUS[code] ?? 500).send({ errors: [formatted] });
}

function toPlatformError(error: FastifyError | PlatformError, maxBodyBytes: number): Error {
  if (error instanceof PlatformError) return error;
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return new TooLargeError(`the body is larger than ${maxBodyBytes} bytes`);
  if (error.statusCode !== undefined && error.statusCode < 500) return new InvalidInputError(error.message);
  return error;
}
