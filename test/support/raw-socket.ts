import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { Platform } from "./platform.js";
import { until } from "./until.js";

interface Message {
  id?: string;
  type: string;
  payload?: [{ message: string; extensions: { code: string } }];
}

/** A client of graphql-transport-ws that keeps every message and how it was closed. */
export class RawSocket {
  readonly messages: Message[] = [];
  closed?: number;
  readonly socket: WebSocket;

  private constructor(platform: Pick<Platform, "url">) {
    this.socket = new WebSocket(`${platform.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
    this.socket.on("message", (data) => this.messages.push(JSON.parse(String(data as Buffer)) as Message));
    this.socket.on("close", (code) => (this.closed = code));
    this.socket.on("error", () => undefined);
  }

  static async opened(platform: Pick<Platform, "url">): Promise<RawSocket> {
    const raw = new RawSocket(platform);
    await once(raw.socket, "open");
    return raw;
  }

  /** One that has said who it is, and was admitted or closed for it. */
  static async greeted(platform: Pick<Platform, "url">, payload: object): Promise<RawSocket> {
    const raw = await RawSocket.opened(platform);
    raw.send({ type: "connection_init", payload });
    await until(() => raw.has("connection_ack") || raw.closed !== undefined);
    return raw;
  }

  /** The connection that it uses. */
  get below(): Socket {
    return (this.socket as unknown as { _socket: Socket })._socket;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  subscribe(id: string, query = "subscription { promotionEvents { cursor } }"): void {
    this.send({ id, type: "subscribe", payload: { query } });
  }

  has(type: string, id?: string): boolean {
    return this.messages.some((message) => message.type === type && message.id === id);
  }

  async end(): Promise<void> {
    this.socket.terminate();
    await until(() => this.closed !== undefined);
  }
}
