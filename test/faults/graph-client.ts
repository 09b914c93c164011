import type { Answer } from "../support/platform.js";

/** Refusals that say "not now": the operation may be sent again. */
const PASSING = new Set(["UNAVAILABLE", "TIMEOUT", "OVERLOADED", "RATE_LIMITED", "INTERNAL"]);

const ANSWER_WITHIN_MS = 15_000;

/** The operation was not acknowledged; whether it has had its effect is unknown. */
export class NotAcknowledged extends Error {
  override readonly name = "NotAcknowledged";
  constructor(
    /** A GraphQL code, an HTTP status or the network's word. */
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** One gateway, as a client that may have to ask again sees it. */
export class GraphClient {
  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  /**
   * @throws {NotAcknowledged} when the answer may come later or from another gateway
   * @throws {Error} for a refusal that no repetition cures
   */
  async query<T>(query: string, variables: object = {}): Promise<T> {
    const { data, errors } = await this.ask<T>(query, variables);
    if (!errors) return data!;
    const [error] = errors;
    const { code } = error!.extensions;
    if (PASSING.has(code)) throw new NotAcknowledged(code, error!.message);
    throw new Error(`${code}: ${error!.message}`);
  }

  async send(url: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    } catch (error) {
      const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
      throw new NotAcknowledged(cause?.code ?? (error as Error).name, (error as Error).message);
    }
  }

  /**
   * The whole answer, errors included.
   * @throws {NotAcknowledged} when there is none
   */
  async ask<T>(query: string, variables: object = {}): Promise<Answer<T>> {
    const response = await this.send(`${this.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...this.headers },
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text().catch((error: Error) => {
      throw new NotAcknowledged("CUT", error.message);
    });
    if (response.status >= 500) throw new NotAcknowledged(`HTTP ${response.status}`, text.slice(0, 200));
    return JSON.parse(text) as Answer<T>;
  }
}
