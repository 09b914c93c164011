import { randomUUID } from "node:crypto";
import { finished } from "node:stream/promises";
import Fastify from "fastify";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { GraphQLError } from "graphql";
import type { GraphQLFormattedError, GraphQLSchema } from "graphql";
import type { AuditTrail } from "../modules/audit/index.js";
import type { Authenticator, EventSource, RequestContext, Role } from "../modules/identity/index.js";
import type { ModelsModule } from "../modules/models/index.js";
import type { Database, ServedRequest } from "../ports/database.js";
import type { PointsLedger } from "../ports/points-ledger.js";
import { InvalidInputError, PlatformError, TooLargeError } from "../shared/errors.js";
import { reportHttpRequest, reportOperation } from "../telemetry/events.js";
import { SpanKind, inRemoteSpan, isTracing } from "../telemetry/tracing.js";
import { createApollo } from "./apollo.js";
import { serveArtifacts } from "./artifact-endpoints.js";
import { ClientCertificates } from "./client-certificates.js";
import { ClientAddresses } from "./client-address.js";
import { grantCrossOrigin } from "./cross-origin.js";
import type { DocumentLimits } from "./document-limits.js";
import { Documents, RefusedDocumentError } from "./documents.js";
import { listenOn, withoutSchemas } from "./door.js";
import type { Door } from "./door.js";
import { serveExplorer } from "./explorer.js";
import { FailedLogins } from "./failed-logins.js";
import { formatError } from "./format-error.js";
import { serveGraph } from "./graph-endpoint.js";
import { serveHealth } from "./health-endpoints.js";
import type { HealthState } from "./health-state.js";
import { OperationCosts } from "./operation-cost.js";
import { OperationDeadline } from "./operation-deadline.js";
import { OperationGate } from "./operation-gate.js";
import type { OriginPolicy } from "./origin-guard.js";
import { RateLimiter } from "./rate-limiter.js";
import { RequestContexts } from "./request-contexts.js";
import type { SocketLimits } from "./socket-census.js";
import { serveSubscriptions } from "./subscriptions.js";
import { secureAnswer } from "./security-headers.js";
import type { TlsServer } from "./tls-server.js";
import { TrustedDocuments } from "./trusted-documents.js";
import { withoutSuggestions } from "./suggestions.js";

export interface GatewayOptions {
  schema: GraphQLSchema;
  authenticator: Authenticator;
  feed: EventSource;
  trail: AuditTrail;
  models: ModelsModule;
  database: Pick<Database, "serve" | "abandon" | "acknowledge">;
  health: HealthState;
  policy: OriginPolicy;
  publicUrl?: string;
  explorer: boolean;
  maxBodyBytes: number;
  /** Absent: any document within the limits runs. */
  trustedDocuments?: { file?: string };
  /** Absent: plain HTTP. */
  tls?: TlsServer;
  /** Of callers that a verified certificate names. */
  certificateRoles: Readonly<Record<string, readonly Role[]>>;
  ledger: PointsLedger;
  limits: GatewayLimits;
}

/** What one client may cost; 0 switches what is counted by the minute off. */
export interface GatewayLimits {
  document: DocumentLimits;
  /** Points of one operation. */
  operationPoints: number;
  /** Points of a caller, a minute. */
  ratePoints: number;
  /** Refused credentials of an address, a minute. */
  failedLogins: number;
  /** Time that an operation may take. */
  operationMs: number;
  /** Time that a connection may make no progress in. */
  silenceMs: number;
  sockets: SocketLimits;
  /** Addresses and networks whose `X-Forwarded-For` is believed. */
  trustedProxies: readonly string[];
}

const HEALTH_PATHS = /^\/(health(\/|$)|metrics$)/;
const HEADERS_TIMEOUT_MS = 10_000;
/** For a whole request: an artifact of gigabytes may take long, nobody takes for ever. */
const REQUEST_TIMEOUT_MS = 3_600_000;
/** Beside those of sockets. */
const MOST_CONNECTIONS = 10_000;
const LINGER_MS = 5_000;
/** Of the body of an operation whose caller is not known. */
const STRANGERS_BYTES = 256 * 1024;

declare module "fastify" {
  interface FastifyRequest {
    graphContext?: RequestContext;
    served?: ServedRequest;
    /** Codes of what kept the request from being executed. */
    refusal?: string[];
  }
}

/** The HTTP door: GraphQL, subscriptions, artifacts, health, metrics and the explorer. */
export async function createGateway(options: GatewayOptions): Promise<Door> {
  const { schema, explorer, database, limits, trail } = options;
  const addresses = new ClientAddresses(limits.trustedProxies);
  const contexts = new RequestContexts(
    options.authenticator,
    options.feed,
    options.publicUrl,
    trail,
    addresses,
    new FailedLogins(limits.failedLogins),
    new ClientCertificates(options.certificateRoles),
    options.tls !== undefined,
  );
  const fastify = createFastify(options, contexts);
  const trusted = options.trustedDocuments && TrustedDocuments.read(options.trustedDocuments.file);
  const rates = new RateLimiter(options.ledger, limits.ratePoints);
  const gate = new OperationGate(
    new Documents(schema, limits.document, { introspection: explorer }),
    new OperationCosts(schema),
    rates,
    limits.operationPoints,
    trusted,
  );
  const apollo = createApollo(schema, { explorer, database, trail });
  await apollo.start();
  const deadline = new OperationDeadline(database, limits.operationMs);
  serveGraph(fastify, { apollo, contexts, gate, deadline, trail, explorer });
  serveHealth(fastify, options.health);
  serveArtifacts(fastify, options.models.registry, options.models.links, { trail, addresses });
  if (options.explorer) serveExplorer(fastify);
  const subscriptions = serveSubscriptions(fastify.server, {
    ...{ schema, contexts, gate, deadline, database, trail, addresses, policy: options.policy },
    limits: limits.sockets,
    suggestions: explorer,
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
    listen: (host, port) => listenOn(fastify, { host, port, tls: options.tls }),
    close: (graceMs) => (closing ??= close(graceMs)),
  };
}

function createFastify(options: GatewayOptions, contexts: RequestContexts): FastifyInstance {
  const { policy, maxBodyBytes, database, health, limits, tls } = options;
  // Who is slower is noticed by a look at all connections; Node itself looks every 30 s.
  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: HEADERS_TIMEOUT_MS / 2,
  };
  const fastify = Fastify({
    ...withoutSchemas,
    logger: false,
    bodyLimit: maxBodyBytes,
    genReqId: () => randomUUID(),
    forceCloseConnections: "idle",
    // What has come is answered, to the last one.
    return503OnClosing: false,
    ...(tls ? { https: { ...timeouts, ...tls.options } } : { http: timeouts }),
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Whoever neither sends nor reads what was sent.
    connectionTimeout: limits.silenceMs,
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply as never, options),
  });
  if (limits.sockets.total > 0) fastify.server.maxConnections = limits.sockets.total + MOST_CONNECTIONS;
  const secure = options.tls !== undefined || (options.publicUrl?.startsWith("https:") ?? false);
  fastify.addHook("onRequest", (request, reply, done) => {
    void reply.header("x-request-id", request.id);
    secureAnswer(reply, secure);
    // The client's next request goes to a process that stays.
    if (health.draining) void reply.header("connection", "close");
    if (!HEALTH_PATHS.test(request.url.split("?", 1)[0]!)) {
      contexts.assertTrustedOrigin(request.raw, policy, request.id);
    }
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
  fastify.setErrorHandler(async (error: Error, request, reply) => {
    await dropBody(request);
    if (!request.raw.complete && isStranger(request)) void reply.header("connection", "close");
    return answerError(error, request, reply, options);
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
  const { graphContext, refusal } = request;
  // A visit to the explorer's page is no operation, and whose caller went away has no outcome.
  const isOperation = request.routeOptions.url === "/graphql" && (graphContext ?? refusal) !== undefined;
  if (isOperation && reply.raw.writableFinished) {
    reportOperation(graphContext?.operation.type, refusal ?? graphContext?.operation.failures ?? []);
  }
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
async function dropBody(request: FastifyRequest): Promise<void> {
  const { raw } = request;
  if (raw.complete || raw.destroyed) return;
  const enough = new AbortController();
  let left = isStranger(request) ? STRANGERS_BYTES : Infinity;
  raw.on("data", (part: Buffer) => {
    left -= part.byteLength;
    if (left < 0) enough.abort();
  });
  const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(LINGER_MS)]);
  await finished(raw, { signal }).catch(() => undefined);
}

function isStranger({ routeOptions, graphContext }: FastifyRequest): boolean {
  return routeOptions.url === "/graphql" && graphContext === undefined;
}

const STATUS: Partial<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  INVALID_INPUT: 400,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  TOO_LARGE: 413,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
};

/** Failures outside GraphQL execution, in the shape that GraphQL clients know. */
function answerError(
  error: Error,
  request: FastifyRequest,
  reply: FastifyReply,
  { maxBodyBytes, explorer }: GatewayOptions,
): FastifyReply {
  const format = (failure: Error): GraphQLFormattedError => {
    const known = failure instanceof GraphQLError ? failure : toPlatformError(failure, maxBodyBytes);
    const plain = known instanceof GraphQLError ? known.toJSON() : { message: known.message };
    const formatted = formatError(plain, known, request.id);
    return explorer ? formatted : withoutSuggestions(formatted);
  };
  if (error instanceof RefusedDocumentError) {
    request.refusal = ["INVALID_INPUT"];
    return reply.code(400).send({ errors: error.errors.map(format) });
  }
  const formatted = format(error);
  const { code, retryAfterSeconds } = formatted.extensions ?? {};
  request.refusal = [String(code)];
  if (retryAfterSeconds !== undefined) void reply.header("retry-after", retryAfterSeconds);
  return reply.code(STATUS[String(code)] ?? 500).send({ errors: [formatted] });
}

function toPlatformError(error: FastifyError | Error, maxBodyBytes: number): Error {
  if (error instanceof PlatformError || !("statusCode" in error)) return error;
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return new TooLargeError(`the body is larger than ${maxBodyBytes} bytes`);
  if (error.statusCode !== undefined && error.statusCode < 500) return new InvalidInputError(error.message);
  return error;
}
