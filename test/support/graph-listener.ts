import { createClient } from "graphql-ws";
import type { Client } from "graphql-ws";
import { WebSocket } from "ws";
import type { Platform } from "./platform.js";

const TIMEOUT_MS = 60_000;

export interface ListenerOptions {
  /** Sent in connection_init. */
  token?: string;
  /** Sent as header of the upgrade. */
  headers?: Record<string, string>;
}

/** One subscription over a socket of its own, with everything that it has received. */
export class GraphListener<T> {
  readonly events: T[] = [];
  /** What ended it: GraphQL errors, or the socket's close event. */
  private failure: unknown;
  private ended = false;
  private wake: () => void = () => undefined;
  private readonly client: Client;

  constructor(
    platform: Pick<Platform, "url">,
    query: string,
    variables: Record<string, unknown> = {},
    { token, headers = {} }: ListenerOptions = {},
  ) {
    class SocketWithHeaders extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { headers });
      }
    }
    this.client = createClient({
      url: `${platform.url.replace("http", "ws")}/graphql`,
      webSocketImpl: SocketWithHeaders,
      connectionParams: token === undefined ? {} : { authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    this.client.subscribe<Record<string, T>>(
      { query, variables },
      {
        next: ({ data, errors }) => {
          if (errors) this.failure = errors;
          else this.events.push(Object.values(data!)[0]!);
          this.wake();
        },
        error: (failure) => {
          this.failure = failure;
          this.wake();
        },
        complete: () => {
          this.ended = true;
          this.wake();
        },
      },
    );
  }

  /** Waits until what has come satisfies. @throws what ended the subscription before */
  async until(satisfies: (events: T[]) => boolean): Promise<T[]> {
    await this.settled(() => satisfies(this.events));
    if (!satisfies(this.events)) throw this.failure ?? new Error("the subscription has ended");
    return [...this.events];
  }

  /** Waits for the end. @returns the GraphQL errors, or the close event */
  async end(): Promise<unknown> {
    await this.settled(() => false);
    return this.failure;
  }

  async close(): Promise<void> {
    await this.client.dispose();
  }

  private async settled(satisfied: () => boolean): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!satisfied() && this.failure === undefined && !this.ended) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`not satisfied in time: ${JSON.stringify(this.events)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
