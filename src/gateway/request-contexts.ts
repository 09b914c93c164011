import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { GraphQLError } from "graphql";
import { outcomeOf } from "../modules/audit/index.js";
import type { AuditTrail } from "../modules/audit/index.js";
import { CallerPresence, RequestContext } from "../modules/identity/index.js";
import type { Authenticator, Credentials, EventSource, Identity } from "../modules/identity/index.js";
import { UnauthenticatedError, UnavailableError } from "../shared/errors.js";
import { cameDirectly } from "./origin-guard.js";

/** Makes the context of each request, on both doors. */
export class RequestContexts {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly feed: EventSource,
    private readonly publicUrl: string | undefined,
    private readonly trail: AuditTrail,
  ) {}

  /** @throws {GraphQLError} UNAUTHENTICATED or UNAVAILABLE, answered with HTTP status 401 or 503 */
  async ofHttp(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<RequestContext> {
    const credentials = credentialsOf(request);
    const identity = await this.identify(request, credentials, requestId).catch((error: unknown) => {
      const status = statusOf(error);
      if (status === undefined) throw error;
      throw new GraphQLError((error as Error).message, {
        originalError: error as Error,
        extensions: { http: { status } },
      });
    });
    const presence = new CallerPresence();
    response.once("close", () => {
      if (!response.writableFinished) presence.leave();
    });
    return this.create(identity, request, requestId, presence);
  }

  ofSocket(identity: Identity, request: IncomingMessage, presence: CallerPresence): RequestContext {
    return this.create(identity, request, randomUUID(), presence);
  }

  async identify(
    request: IncomingMessage,
    credentials: Credentials,
    requestId: string = randomUUID(),
  ): Promise<Identity> {
    try {
      return await this.authenticator.authenticate(credentials, cameDirectly(request));
    } catch (error) {
      const outcome = outcomeOf(error);
      const entry = { actor: "anonymous", action: "authenticate", target: null, outcome, requestId };
      this.trail.refused(entry, request.socket.remoteAddress ?? "unknown");
      throw error;
    }
  }

  /** Whether an API key may still be used. */
  isActive(apiKey: string): Promise<boolean> {
    return this.authenticator.isActive(apiKey);
  }

  private create(
    { caller }: Identity,
    request: IncomingMessage,
    requestId: string,
    presence: CallerPresence,
  ): RequestContext {
    const baseUrl = this.publicUrl?.replace(/\/$/, "") ?? `http://${request.headers.host ?? "localhost"}`;
    return new RequestContext(caller, requestId, baseUrl, presence, this.feed);
  }
}

/** What the headers of a request say of its caller. */
export function credentialsOf({ headers }: IncomingMessage): Credentials {
  const { authorization, "x-api-key": apiKey } = headers;
  return { authorization, apiKey: Array.isArray(apiKey) ? apiKey.join() : apiKey };
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof UnauthenticatedError) return 401;
  return error instanceof UnavailableError ? 503 : undefined;
}
