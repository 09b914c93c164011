import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { outcomeOf } from "../modules/audit/index.js";
import type { AuditTrail } from "../modules/audit/index.js";
import { CallerPresence, RequestContext } from "../modules/identity/index.js";
import type { Authenticator, Credentials, EventSource, Identity } from "../modules/identity/index.js";
import type { ClientAddresses } from "./client-address.js";
import type { ClientCertificates } from "./client-certificates.js";
import type { FailedLogins } from "./failed-logins.js";
import { assertTrustedOrigin, cameDirectly } from "./origin-guard.js";
import type { OriginPolicy } from "./origin-guard.js";

/** Makes the context of each request, on both doors. */
export class RequestContexts {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly feed: EventSource,
    private readonly publicUrl: string | undefined,
    private readonly trail: AuditTrail,
    private readonly addresses: ClientAddresses,
    private readonly failedLogins: FailedLogins,
    private readonly certificates: ClientCertificates,
    private readonly overTls: boolean,
  ) {}

  /**
   * @throws {UnauthenticatedError}
   * @throws {UnavailableError} when nobody can tell who it is
   * @throws {RateLimitedError} for an address whose credentials were refused too often
   */
  async ofHttp(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<RequestContext> {
    const identity = await this.identify(request, credentialsOf(request), requestId);
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
    const { authorization, apiKey } = credentials;
    const address = this.addresses.of(request);
    const look = () => this.authenticate(request, credentials);
    try {
      if (authorization || apiKey) {
        return await this.failedLogins.judge(address, [authorization, apiKey].join("\n"), look);
      }
      // Whoever presents nothing has guessed at nothing.
      return await look();
    } catch (error) {
      const outcome = outcomeOf(error);
      const entry = { actor: "anonymous", action: "authenticate", target: null, outcome, requestId };
      this.trail.refused(entry, address);
      throw error;
    }
  }

  /**
   * Whom they name now; a refusal counts and is recorded nowhere.
   * @throws {UnauthenticatedError}
   * @throws {UnavailableError} when nobody can tell who it is
   */
  async authenticate(request: IncomingMessage, credentials: Credentials): Promise<Identity> {
    const { authorization, apiKey } = credentials;
    // A certificate counts where nothing else was presented.
    const certified = authorization || apiKey ? undefined : this.certificates.identify(request);
    return certified ?? this.authenticator.authenticate(credentials, cameDirectly(request));
  }

  /** @throws {ForbiddenError} for what pages of other sites send */
  assertTrustedOrigin(
    request: IncomingMessage,
    policy: OriginPolicy,
    requestId: string = randomUUID(),
  ): void {
    try {
      assertTrustedOrigin(request, policy);
    } catch (error) {
      const outcome = outcomeOf(error);
      const entry = { actor: "anonymous", action: "request", target: null, outcome, requestId };
      this.trail.refused(entry, this.addresses.of(request));
      throw error;
    }
  }

  private create(
    { caller }: Identity,
    request: IncomingMessage,
    requestId: string,
    presence: CallerPresence,
  ): RequestContext {
    const baseUrl =
      this.publicUrl?.replace(/\/$/, "") ??
      `${this.overTls ? "https" : "http"}://${request.headers.host ?? "localhost"}`;
    return new RequestContext(caller, requestId, baseUrl, presence, this.feed);
  }
}

/** What the headers of a request say of its caller. */
export function credentialsOf({ headers }: IncomingMessage): Credentials {
  const { authorization, "x-api-key": apiKey } = headers;
  return { authorization, apiKey: Array.isArray(apiKey) ? apiKey.join() : apiKey };
}
