import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { CommandFailure, UsageError } from "../command-failure.js";

export interface TrackingAccess {
  uri: string;
  token?: string;
  username?: string;
  password?: string;
}

const ANSWER_TIMEOUT_MS = 60_000;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 300;
const PASSING = new Set([429, 502, 503, 504]);

type Query = Record<string, string | undefined>;

/** Speaks to one tracking server; credentials go to it alone. */
export class TrackingClient {
  /** Without credentials and without a slash at its end. */
  readonly base: string;
  private readonly headers: Record<string, string>;

  /** @throws {UsageError} when the URI is no http or https URL */
  constructor({ uri, token, username, password }: TrackingAccess) {
    if (!URL.canParse(uri) || !/^https?:/.test(uri)) {
      throw new UsageError(
        `--tracking-uri: "${withoutCredentials(uri)}" is no http or https URL; a folder is read with --directory`,
      );
    }
    const url = new URL(uri);
    const user = url.username === "" ? username : decodeURIComponent(url.username);
    const secret = url.username === "" ? password : decodeURIComponent(url.password);
    url.username = url.password = url.search = url.hash = "";
    this.base = url.href.replace(/\/+$/, "");
    this.headers = { "accept-encoding": "identity", ...authorization(user, secret, token) };
  }

  /**
   * @returns undefined for HTTP 404
   * @throws {CommandFailure} UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, PROTOCOL
   */
  async json(path: string, query: Query = {}): Promise<Record<string, unknown> | undefined> {
    const response = await this.get(path, query);
    const text = await response.text();
    if (response.status === 404) return undefined;
    this.assertAnswered(response, path, text);
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
    } catch {
      // Told below.
    }
    throw new CommandFailure(
      "PROTOCOL",
      `${this.base}: ${path} was not answered with JSON: is it an MLflow server?`,
    );
  }

  /**
   * Writes what it answers into a file; of a failure nothing stays.
   * @returns undefined when there is no such file, else its bytes
   * @throws {CommandFailure} as `json`
   */
  async download(path: string, query: Query, target: string): Promise<number | undefined> {
    const response = await this.get(path, query);
    if (!response.ok) {
      const text = await response.text();
      if (response.status === 404) return undefined;
      this.assertAnswered(response, path, text);
    }
    try {
      const file = createWriteStream(target);
      await pipeline(Readable.fromWeb(response.body as never), file);
      const announced = response.headers.get("content-length");
      if (announced !== null && Number(announced) !== file.bytesWritten)
        throw new Error(`${file.bytesWritten} of ${announced} bytes came`);
      return file.bytesWritten;
    } catch (error) {
      await rm(target, { force: true });
      throw new CommandFailure(
        "UNREACHABLE",
        `${this.base}: ${path} was cut off (${causeOf(error)}); run the import again to go on`,
      );
    }
  }

  private async get(path: string, query: Query): Promise<Response> {
    const url = new URL(`${this.base}/${path}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, value);
    for (let attempt = 1; ; attempt++) {
      const response = await this.reach(url);
      if (!PASSING.has(response.status) || attempt === ATTEMPTS) return response;
      await response.body?.cancel();
      await delay(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }

  /** The time-out ends with the headers: bodies may be large. */
  private async reach(url: URL): Promise<Response> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), ANSWER_TIMEOUT_MS);
    try {
      return await fetch(url, { headers: this.headers, signal: controller.signal });
    } catch (error) {
      throw new CommandFailure(
        "UNREACHABLE",
        `no MLflow server answers at ${this.base} (${causeOf(error)}); name another with --tracking-uri or ` +
          "ML_MLFLOW_TRACKING_URI, or read its mlruns folder with --directory",
      );
    } finally {
      clearTimeout(timer);
    }
  }

  private assertAnswered({ ok, status }: Response, path: string, text: string): void {
    if (ok) return;
    if (status === 401 || status === 403) {
      throw new CommandFailure(
        status === 401 ? "UNAUTHENTICATED" : "FORBIDDEN",
        `${this.base} answered HTTP ${status} for ${path}; set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and ` +
          "MLFLOW_TRACKING_PASSWORD, to credentials that may read it",
      );
    }
    throw new CommandFailure(
      "PROTOCOL",
      `${this.base} answered HTTP ${status} for ${path}${messageIn(text)}`,
    );
  }
}

/** As MLflow's own client has it: a user wins over a token. */
function authorization(
  user: string | undefined,
  password: string | undefined,
  token: string | undefined,
): Record<string, string> {
  if (user !== undefined && password !== undefined) {
    return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
  }
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function withoutCredentials(uri: string): string {
  return uri.replace(/\/\/[^/@]*@/, "//");
}

/** MLflow's errors are {"error_code", "message"}. */
function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? `: ${message.slice(0, 300)}` : "";
  } catch {
    return "";
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "AbortError") return `nothing within ${ANSWER_TIMEOUT_MS / 1000} s`;
  const { code, message } = (error.cause ?? {}) as { code?: string; message?: string };
  return code ?? message ?? error.message;
}
