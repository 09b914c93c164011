import type { ApolloServer } from "@apollo/server";
import { fastifyApolloHandler } from "@as-integrations/fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { outcomeOf } from "../modules/audit/index.js";
import type { AuditedOperation, AuditTrail } from "../modules/audit/index.js";
import type { RequestContext } from "../modules/identity/index.js";
import { RefusedDocumentError } from "./documents.js";
import type { CheckedDocument } from "./documents.js";
import type { OperationDeadline } from "./operation-deadline.js";
import { variablesOf } from "./operation-gate.js";
import type { OperationGate, RequestedOperation } from "./operation-gate.js";
import { hashOf } from "./trusted-documents.js";
import type { RequestContexts } from "./request-contexts.js";

/** Apollo Sandbox is a frame of theirs, put there by a script of theirs. */
const SANDBOX_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline' https://embeddable-sandbox.cdn.apollographql.com",
  "style-src 'unsafe-inline' https://fonts.googleapis.com",
  "font-src https://fonts.gstatic.com",
  "img-src data: https://apollo-server-landing-page.cdn.apollographql.com",
  "manifest-src https://apollo-server-landing-page.cdn.apollographql.com",
  "frame-src https://sandbox.embed.apollographql.com",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** For the body of a request, which is some megabytes at most. */
const BODY_TIMEOUT_MS = 30_000;

/** Of a GET. */
const PARAMETERS = ["query", "operationName", "variables", "extensions"];

export interface GraphEndpointOptions {
  apollo: ApolloServer<RequestContext>;
  contexts: RequestContexts;
  gate: OperationGate;
  deadline: OperationDeadline;
  trail: AuditTrail;
  explorer: boolean;
}

/** GraphQL over HTTP: who calls is known before a byte of the body is read, what is asked before it runs. */
export function serveGraph(
  fastify: FastifyInstance,
  { apollo, contexts, gate, deadline, trail, explorer }: GraphEndpointOptions,
): void {
  const contextOf = async (request: FastifyRequest, reply: FastifyReply): Promise<RequestContext> =>
    (request.graphContext ??= await contexts.ofHttp(request.raw, reply.raw, request.id));
  void fastify.register(async (scope) => {
    scope.addHook("onRequest", async (request, reply) => {
      void reply.header("cache-control", "no-store");
      if (explorer && isVisit(request)) {
        void reply.header("content-security-policy", SANDBOX_SECURITY_POLICY);
        return;
      }
      const context = await contextOf(request, reply);
      assertSolvent(gate, context, trail);
      limitBodyTime(request);
    });
    scope.addHook("preHandler", (request, reply, done) => {
      const { graphContext } = request;
      const requested = operationOf(request, gate.trusting);
      if (!graphContext || !requested) return done();
      graphContext.operation.served = request.served;
      const pass = ({ document, operation, text }: CheckedDocument): void => {
        if (gate.trusting && hashOf(request.body) !== undefined)
          request.body = { ...requested, query: text, extensions: {} };
        graphContext.operation.document = document;
        graphContext.operation.variables = variablesOf(requested);
        graphContext.operation.type = operation.operation;
        done();
      };
      const refuse = (error: Error): void => {
        const type = gate.typeOf(requested, error);
        auditRefusal(trail, graphContext, { type, error, durationMs: reply.elapsedTime });
        done(error);
      };
      try {
        const admitted = gate.admit(requested, graphContext.caller.subject);
        if (admitted instanceof Promise) admitted.then(pass, refuse);
        else pass(admitted);
      } catch (error) {
        refuse(error as Error);
      }
    });
    const answer = fastifyApolloHandler(apollo, { context: contextOf });
    scope.route({
      method: ["GET", "POST", "OPTIONS"],
      url: "/graphql",
      handler: (request, reply) => {
        const { graphContext } = request;
        const work = () => answer.call(fastify, request, reply) as Promise<unknown>;
        if (!graphContext?.operation.document) return work();
        return deadline.hold(graphContext, graphContext.operation.type, work);
      },
    });
  });
}

/** @throws {RateLimitedError} before it is known what is asked */
function assertSolvent(gate: OperationGate, { caller, requestId }: RequestContext, trail: AuditTrail): void {
  try {
    gate.rates.assertSolvent(caller.subject);
  } catch (error) {
    const outcome = outcomeOf(error);
    trail.refused({ actor: caller.subject, action: "request", target: null, outcome, requestId });
    throw error;
  }
}

/** An operation that was turned away at the gate, on either door. */
export function auditRefusal(
  trail: AuditTrail,
  { caller, requestId }: Pick<RequestContext, "caller" | "requestId">,
  {
    type = "request",
    error,
    durationMs,
  }: { type?: AuditedOperation["action"]; error: unknown; durationMs: number },
): void {
  const outcome = codeOfRefusal(error);
  const operation = { action: type, target: null, operation: null };
  trail.operated({ actor: caller.subject, requestId, ...operation, outcome, durationMs });
}

export function codeOfRefusal(error: unknown): string {
  return error instanceof RefusedDocumentError ? "INVALID_INPUT" : outcomeOf(error);
}

/** A browser that comes for the explorer's page, which is for everybody. */
function isVisit({ method, url, headers }: FastifyRequest): boolean {
  return method === "GET" && !url.includes("?") && (headers.accept?.includes("text/html") ?? false);
}

/** Whoever takes longer is cut off: an answer would not be read either. */
function limitBodyTime({ raw }: FastifyRequest): void {
  const timer = setTimeout(() => raw.socket.destroy(), BODY_TIMEOUT_MS);
  raw.once("close", () => clearTimeout(timer));
}

/** Undefined for what is no operation, which Apollo can say better. */
function operationOf(
  { method, body, url }: FastifyRequest,
  trusting: boolean,
): RequestedOperation | undefined {
  // Read as Apollo reads it.
  if (method === "GET") return operationOfSearch(new URL(url, "http://localhost/").searchParams);
  if (typeof body !== "object" || body === null) return undefined;
  if ("query" in body && typeof body.query === "string") return body as RequestedOperation;
  return trusting && hashOf(body) !== undefined ? { ...body, query: "" } : undefined;
}

function operationOfSearch(search: URLSearchParams): RequestedOperation | undefined {
  const isAmbiguous = PARAMETERS.some((name) => search.getAll(name).length > 1);
  const query = search.get("query");
  if (isAmbiguous || query === null) return undefined;
  return { query, variables: parsed(search.get("variables")), extensions: parsed(search.get("extensions")) };
}

function parsed(json: string | null): unknown {
  try {
    return json === null ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}
