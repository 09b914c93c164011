import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { GraphQLError } from "graphql";
import { CallerPresence, RequestContext } from "../modules/identity/index.js";
import type { Authenticator, EventSource, Identity } from "../modules/identity/index.js";
import { UnauthenticatedError } from "../shared/errors.js";
import { cameDirectly } from "./origin-guard.js";

/** Makes the context of each request, on both doors. */
export class RequestContexts {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly feed: EventSource,
    private readonly publicUrl: string | undefined,
  ) {}

  /** @throws {GraphQLError} UNAUTHENTICATED, answered with HTTP status 401 */
  async ofHttp(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<RequestContext> {
    const identity = await this.identify(request, request.headers.authorization).catch((error: unknown) => {
      if (!(error instanceof UnauthenticatedError)) throw error;
      throw new GraphQLError(error.message, { originalError: error, extensions: { http: { status: 401 } } });
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

  identify(request: IncomingMessage, authorization: string | undefined): Promise<Identity> {
    return this.authenticator.authenticate(authorization, cameDirectly(request));
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
