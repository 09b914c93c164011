import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { CommandFailure, UsageError } from "./command-failure.js";
import type { Answer, OperationName, Upload, Variables } from "./graph-operations.js";
import { operationDocument } from "./operation-documents.js";

const ANSWER_TIMEOUT_MS = 60_000;

interface GraphError {
  message: string;
  extensions?: { code?: string; field?: string; retryAfterSeconds?: number };
}

/** Speaks the graph over HTTP, its subscriptions over WebSocket, and uploads artifacts. */
export class GraphClient {
  readonly url: URL;
  /** Set by commands that make many calls: they wait, after this, until the caller has points again. */
  whenLimited: ((seconds: number) => void) | undefined;

  /**
   * @param url where the platform answers, with or without /graphql
   * @throws {UsageError} when it is no http or https URL
   */
  constructor(
    url: string,
    private readonly token?: string,
  ) {
    if (!URL.canParse(url) || !/^https?:/.test(url)) throw new UsageError(`"${url}" is no http or https URL`);
    this.url = new URL(url);
    this.url.pathname = this.url.pathname.replace(/\/(graphql\/?)?$/, "/graphql");
  }

  /** @throws {CommandFailure} with the code and field of the first error in the answer, or UNREACHABLE */
  async execute<N extends OperationName>(name: N, variables: Variables<N>): Promise<Answer<N>> {
    for (;;) {
      try {
        return await this.ask(name, variables);
      } catch (error) {
        const seconds = error instanceof CommandFailure ? error.retryAfterSeconds : undefined;
        if (!this.whenLimited || seconds === undefined) throw error;
        this.whenLimited(seconds);
        await delay(seconds * 1000);
      }
    }
  }

  private async ask<N extends OperationName>(name: N, variables: Variables<N>): Promise<Answer<N>> {
    const response = await this.fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", ...this.credentials() },
      body: JSON.stringify({ query: operationDocument(name), variables }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const text = await response.text();
    const answer = parseAnswer<N>(text);
    if (answer?.errors?.length) throw failureOf(answer.errors);
    if (!answer?.data) {
      throw new CommandFailure("PROTOCOL", `${this.url.href} answered HTTP ${response.status} without data`);
    }
    return answer.data;
  }

  /**
   * The events of a subscription until it completes or `signal` aborts.
   * @throws {Error} when the socket cannot be opened or breaks; the caller knows the last cursor
   */
  async *subscribe<N extends OperationName>(
    name: N,
    variables: Variables<N>,
    signal: AbortSignal,
  ): AsyncGenerator<Answer<N>> {
    const url = new URL(this.url);
    url.protocol = url.protocol.replace("http", "ws");
    const client = createClient({
      url: url.href,
      webSocketImpl: WebSocket,
      connectionParams: this.credentials(),
      retryAttempts: 0,
    });
    const dispose = (): void => void client.dispose();
    signal.addEventListener("abort", dispose);
    try {
      const events = client.iterate<Answer<N>>({
        query: operationDocument(name),
        variables: variables as Record<string, unknown>,
      });
      for await (const event of events) {
        if (event.errors?.length) throw failureOf(event.errors as readonly GraphError[]);
        if (event.data) yield event.data;
      }
    } finally {
      signal.removeEventListener("abort", dispose);
      await client.dispose();
    }
  }

  /** Streams a file to where the platform asked for it; `onProgress` hears of every chunk's bytes. */
  async upload(
    upload: Upload,
    file: { path: string; bytes: number },
    onProgress: (bytes: number) => void,
  ): Promise<void> {
    const target = new URL(upload.url, this.url);
    const content = Readable.from(counted(createReadStream(file.path), onProgress));
    const response = await this.fetch(target, {
      method: upload.method,
      headers: {
        "content-length": String(file.bytes),
        // A store elsewhere authorises by the URL itself and must not see our token.
        ...(target.origin === this.url.origin ? this.credentials() : {}),
        ...Object.fromEntries(upload.headers.map(({ name, value }) => [name, value])),
      },
      body: Readable.toWeb(content) as RequestInit["body"],
      duplex: "half",
    });
    const text = await response.text();
    if (response.ok) return;
    const refusal = parseAnswer<never>(text);
    if (refusal?.errors?.length) throw failureOf(refusal.errors);
    throw new CommandFailure(
      "PROTOCOL",
      `the upload was answered with HTTP ${response.status}: ${text.slice(0, 300)}`,
    );
  }

  private credentials(): Record<string, string> {
    return this.token ? { authorization: `Bearer ${this.token}` } : {};
  }

  private async fetch(url: URL, init: RequestInit & { duplex?: "half" }): Promise<Response> {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (error instanceof Error && error.name === "TimeoutError") {
        throw new CommandFailure(
          "TIMEOUT",
          `${url.origin} did not answer within ${ANSWER_TIMEOUT_MS / 1000} s`,
        );
      }
      const { code, message } = (error as { cause?: { code?: string; message?: string } }).cause ?? {};
      throw new CommandFailure(
        "UNREACHABLE",
        `no platform answers at ${url.origin} (${code ?? message ?? String(error)}); ` +
          "start one with `npm start`, or name another with --url or ML_URL",
      );
    }
  }
}

async function* counted(
  chunks: AsyncIterable<Buffer>,
  onProgress: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    yield chunk;
    onProgress(chunk.length);
  }
}

function parseAnswer<N extends OperationName>(
  text: string,
): { data?: Answer<N> | null; errors?: GraphError[] } | undefined {
  try {
    return JSON.parse(text) as { data?: Answer<N> | null; errors?: GraphError[] };
  } catch {
    return undefined;
  }
}

function failureOf([first]: readonly GraphError[]): CommandFailure {
  const { code = "INTERNAL", field, retryAfterSeconds } = first!.extensions ?? {};
  return new CommandFailure(code, first!.message, field, retryAfterSeconds);
}
