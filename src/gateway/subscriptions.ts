import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { GraphQLError, execute, getOperationAST } from "graphql";
import type {
  ExecutionArgs,
  ExecutionResult,
  GraphQLFormattedError,
  GraphQLSchema,
  OperationDefinitionNode,
} from "graphql";
import type { Context, SubscribePayload } from "graphql-ws";
import { CloseCode } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import type { Extra } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import type { AuditTrail } from "../modules/audit/index.js";
import { CallerPresence } from "../modules/identity/index.js";
import type { Credentials, Identity, RequestContext } from "../modules/identity/index.js";
import type { Database } from "../ports/database.js";
import { RateLimitedError, UnauthenticatedError, UnavailableError } from "../shared/errors.js";
import { reportOperation } from "../telemetry/events.js";
import { labelOf } from "./audited-operations.js";
import type { ClientAddresses } from "./client-address.js";
import { CredentialWatch } from "./credential-watch.js";
import { RefusedDocumentError } from "./documents.js";
import { codesOf, formatError } from "./format-error.js";
import { auditRefusal, codeOfRefusal } from "./graph-endpoint.js";
import type { OperationDeadline } from "./operation-deadline.js";
import type { OperationGate } from "./operation-gate.js";
import type { OriginPolicy } from "./origin-guard.js";
import { credentialsOf } from "./request-contexts.js";
import type { RequestContexts } from "./request-contexts.js";
import { SocketCensus } from "./socket-census.js";
import type { SocketLimits } from "./socket-census.js";
import { withoutSuggestions } from "./suggestions.js";

const INIT_TIMEOUT_MS = 3_000;
const MAX_PAYLOAD_BYTES = 64 * 1024;
/** Operations under way on one socket: each subscription reads the outbox by itself. */
const MOST_OPERATIONS = 20;
/** Sent and not read. */
const MOST_BUFFERED_BYTES = 1024 * 1024;
/** As HTTP's 429. */
const CLOSED_FOR_RATE = 4429;
/** For the other side's word of farewell; one that is silent or slow is cut off. */
const FAREWELL_MS = 1_000;
/** A close code of WebSocket itself (RFC 6455 and its registry). */
const TRY_AGAIN_LATER = 1013;

interface SocketExtra extends Extra, Record<PropertyKey, unknown> {
  identity?: Identity;
  /** Ends when the socket closes. */
  presence?: CallerPresence;
  credentials?: CredentialWatch;
  /** Takes it out of the census. */
  leave?: () => void;
}

type InitPayload = { authorization?: unknown; apiKey?: unknown } | undefined;
type SocketContext = Context<InitPayload, SocketExtra>;

export interface Subscriptions {
  /** Ends every socket with "going away" (1001), on which clients connect again: to another process, by then. */
  close(): Promise<void>;
}

export interface SubscriptionOptions {
  schema: GraphQLSchema;
  contexts: RequestContexts;
  gate: OperationGate;
  trail: AuditTrail;
  addresses: ClientAddresses;
  policy: OriginPolicy;
  deadline: OperationDeadline;
  database: Pick<Database, "serve">;
  limits: SocketLimits;
  /** Whether errors offer names that are like a wrong one. */
  suggestions: boolean;
}

/** Serves graphql-transport-ws on /graphql of the HTTP server. */
export function serveSubscriptions(server: Server, options: SubscriptionOptions): Subscriptions {
  const { schema, contexts, trail, deadline, database } = options;
  const census = new SocketCensus(options.limits);
  const translate = (error: GraphQLError | GraphQLFormattedError): GraphQLFormattedError => {
    const told = formatError("toJSON" in error ? error.toJSON() : error, error);
    return options.suggestions ? told : withoutSuggestions(told);
  };
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD_BYTES });
  const graph = useServer<InitPayload, SocketExtra>(
    {
      schema,
      connectionInitWaitTimeout: INIT_TIMEOUT_MS,
      // Failures of our own are told in our log alone.
      isProd: true,
      onConnect: (socket) => admit(socket, contexts, census),
      onClose: ({ extra }) => {
        extra.credentials?.stop();
        extra.presence?.leave();
        extra.leave?.();
      },
      onSubscribe: (socket, _id, payload) => admitOperation(socket, payload, options, census),
      context: ({ extra }, _id, _payload, { document, operationName }) => {
        const lasts = getOperationAST(document, operationName)?.operation === "subscription";
        const presence = lasts ? extra.presence! : extra.presence!.branch();
        return contexts.ofSocket(extra.identity!, extra.request, presence);
      },
      execute: (args) => executeInTime(args, deadline, database),
      onOperation: (
        { extra: { socket } },
        _id,
        _payload,
        { document, operationName, contextValue },
        result,
      ) => {
        const operation = getOperationAST(document, operationName);
        const refused = "errors" in result ? result.errors?.map(translate) : undefined;
        audit(trail, contextValue as RequestContext, operation, refused);
        if (socket.readyState === socket.OPEN) reportOperation(operation?.operation, codesOf(refused));
      },
      onError: (_socket, _id, _payload, errors) => errors.map(translate),
      onNext: ({ extra: { socket } }, _id, _payload, _args, result) => {
        if (socket.bufferedAmount > MOST_BUFFERED_BYTES)
          dismiss(socket, TRY_AGAIN_LATER, "what was sent is not read");
        return result.errors ? { ...result, errors: result.errors.map(translate) } : undefined;
      },
    },
    sockets,
  );
  server.on("upgrade", acceptUpgrades(sockets, census, options));
  return {
    close: async () => {
      const stubborn = setTimeout(() => sockets.clients.forEach((socket) => socket.terminate()), FAREWELL_MS);
      await graph.dispose();
      clearTimeout(stubborn);
    },
  };
}

function acceptUpgrades(
  sockets: WebSocketServer,
  census: SocketCensus,
  { contexts, addresses, policy }: Pick<SubscriptionOptions, "contexts" | "addresses" | "policy">,
) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    if (request.url?.split("?", 1)[0] !== "/graphql") return refuse(socket, "404 Not Found");
    try {
      contexts.assertTrustedOrigin(request, policy);
    } catch {
      return refuse(socket, "403 Forbidden");
    }
    const address = addresses.of(request);
    if (!census.hasRoomFor(address)) return refuse(socket, "503 Service Unavailable");
    sockets.handleUpgrade(request, socket, head, (opened) => {
      census.opened(opened, address);
      opened.once("close", () => census.closed(opened));
      sockets.emit("connection", opened, request);
      // What a client breaks has closed its socket already; graphql-ws would print it, once, and not hear a second.
      opened.removeAllListeners("error").on("error", () => undefined);
    });
  };
}

/** What is to be run, or what keeps it from being started: its own failure, never the end of the whole socket. */
async function admitOperation(
  { subscriptions, extra }: SocketContext,
  payload: SubscribePayload,
  { schema, gate, trail }: SubscriptionOptions,
  census: SocketCensus,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  try {
    if (Object.keys(subscriptions).length > MOST_OPERATIONS) {
      throw new RateLimitedError(`a socket carries ${MOST_OPERATIONS} operations at most`);
    }
    census.assertMaySubscribe(extra.identity!.caller.subject);
    await extra.credentials!.assertHeld();
    const { document } = await gate.admit(payload, extra.identity!.caller.subject);
    assertOpen(extra.socket);
    const { operationName, variables: variableValues } = payload;
    return { schema, document, operationName, variableValues };
  } catch (error) {
    const { caller } = extra.identity!;
    const refused = { type: gate.typeOf(payload, error), error, durationMs: 0 };
    auditRefusal(trail, { caller, requestId: randomUUID() }, refused);
    reportOperation(refused.type, [codeOfRefusal(error)]);
    if (error instanceof RefusedDocumentError) return error.errors;
    return [new GraphQLError((error as Error).message, { originalError: error as Error })];
  }
}

async function admit(
  socket: SocketContext,
  contexts: RequestContexts,
  census: SocketCensus,
): Promise<boolean> {
  const { connectionParams, extra } = socket;
  const credentials = credentialsWithin(connectionParams) ?? credentialsOf(extra.request);
  try {
    extra.identity = await contexts.identify(extra.request, credentials);
    if (extra.socket.readyState !== extra.socket.OPEN) return false;
    extra.leave = census.admit(extra.socket, extra.identity.caller.subject, socket);
  } catch (error) {
    if (error instanceof UnauthenticatedError) return false;
    if (error instanceof RateLimitedError) {
      extra.socket.close(CLOSED_FOR_RATE, error.message);
      return false;
    }
    // Clients come again: it may be known by then.
    if (error instanceof UnavailableError) extra.socket.close(TRY_AGAIN_LATER, error.message);
    else extra.socket.close(CloseCode.InternalServerError, formatError({ message: "" }, error).message);
    return false;
  }
  const presence = (extra.presence = new CallerPresence());
  const again = () => contexts.authenticate(extra.request, credentials);
  extra.credentials = new CredentialWatch(extra.identity, again, (reason) => {
    presence.leave();
    dismiss(extra.socket, CloseCode.Forbidden, reason);
  });
  return true;
}

/** A query or a mutation over the socket; it ends with the socket, though not only with it. */
async function executeInTime(
  args: ExecutionArgs,
  deadline: OperationDeadline,
  database: Pick<Database, "serve">,
): Promise<ExecutionResult> {
  const context = args.contextValue as RequestContext;
  const type = getOperationAST(args.document, args.operationName)?.operation;
  const served = (context.operation.served = {});
  try {
    return await deadline.hold(context, type, async () => database.serve(served, () => execute(args)));
  } catch (error) {
    return { errors: [new GraphQLError((error as Error).message, { originalError: error as Error })] };
  } finally {
    context.presence.end();
  }
}

/** A socket goes on bringing messages while it closes. */
function assertOpen({ readyState, OPEN }: WebSocket): void {
  if (readyState !== OPEN) throw new UnauthenticatedError("the socket has been closed");
}

/** Who reads a farewell at all gets one; the others are not waited for. */
function dismiss(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), FAREWELL_MS).unref();
}

/** Undefined where the payload of connection_init has none: then the headers of the upgrade count. */
function credentialsWithin(parameters: InitPayload): Credentials | undefined {
  const { authorization, apiKey } = parameters ?? {};
  if (typeof authorization !== "string" && typeof apiKey !== "string") return undefined;
  return {
    ...(typeof authorization === "string" ? { authorization } : {}),
    ...(typeof apiKey === "string" ? { apiKey } : {}),
  };
}

/** One entry at the start of a subscription, or for a query over the socket. */
function audit(
  trail: AuditTrail,
  { caller, requestId, operation: own }: RequestContext,
  operation: OperationDefinitionNode | null | undefined,
  errors: readonly GraphQLFormattedError[] | undefined,
): void {
  if (own.audited) return;
  trail.operated({
    ...{ actor: caller.subject, requestId, action: operation?.operation ?? "subscription" },
    ...(operation ? labelOf(operation) : { target: null, operation: null }),
    outcome: codesOf(errors)[0] ?? "OK",
    durationMs: 0,
  });
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
