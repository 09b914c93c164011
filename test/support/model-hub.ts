import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubRequest {
  method: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
}

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
/** Bytes that were sent have been read after that. */
const ARRIVAL_MS = 200;
/** What the hub keeps elsewhere and redirects to. */
const LARGE = /\.onnx(_data)?$/;

/** A server of the hub's layout: large files lie on a server of their own, which it redirects to. */
export class ModelHub {
  /** By `ORG/NAME/PATH`. */
  readonly files = new Map<string, Uint8Array>();
  /** Requests for files, on the hub and on the store of large files. */
  readonly asked: HubRequest[] = [];
  readonly stored: HubRequest[] = [];
  /** Connections of the store that end after so many bytes; one for each of the next answers. */
  readonly cuts: number[] = [];
  /** Status that the hub answers everything with, for so many times. */
  refusal: { status: number; times: number } | undefined;
  /** Digest that the hub claims for every large file. */
  claimedDigest: string | undefined;

  private constructor(
    private readonly hub: Server,
    private readonly store: Server,
  ) {
    hub.on("request", (request, response) => this.answer(request, response));
    store.on("request", (request, response) => this.send(request, response));
  }

  static async start(): Promise<ModelHub> {
    const servers = [createServer(), createServer()];
    for (const server of servers) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new ModelHub(servers[0]!, servers[1]!);
  }

  get url(): string {
    return urlOf(this.hub);
  }

  async close(): Promise<void> {
    for (const server of [this.hub, this.store]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push(noteOf(request));
    const [, org, name, resolve, revision, ...rest] = decodeURIComponent(request.url!).split("/");
    const path = [org, name, ...rest].join("/");
    const end = (status: number, headers: Record<string, string> = {}) =>
      response.writeHead(status, headers).end();
    if (this.refusal && this.refusal.times-- > 0) return void end(this.refusal.status);
    if (resolve !== "resolve") return void end(400);
    if (revision !== "main" && revision !== COMMIT)
      return void end(404, { "x-error-code": "RevisionNotFound" });
    if (org === "renamed")
      return void end(307, { location: `/moved/${request.url!.slice("/renamed/".length)}` });
    if (![...this.files.keys()].some((file) => file.startsWith(`${org}/${name}/`)))
      return void end(404, { "x-error-code": "RepoNotFound" });
    const content = this.files.get(path);
    const commit = { "x-repo-commit": COMMIT };
    if (!content) return void end(404, { ...commit, "x-error-code": "EntryNotFound" });
    if (LARGE.test(path)) {
      const digest = this.claimedDigest ?? sha256(content);
      const linked = { "x-linked-etag": `"${digest}"`, "x-linked-size": String(content.byteLength) };
      return void end(302, { ...commit, ...linked, location: `${urlOf(this.store)}/${path}` });
    }
    const etag = `"${createHash("sha1").update(content).digest("hex")}"`;
    response.writeHead(200, { ...commit, etag, "content-length": content.byteLength });
    response.end(request.method === "HEAD" ? undefined : content);
  }

  private send(request: IncomingMessage, response: ServerResponse): void {
    this.stored.push(noteOf(request));
    const content = this.files.get(decodeURIComponent(request.url!).slice(1))!;
    const etag = `"${sha256(content)}"`;
    const wanted = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const fits = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
    const start = wanted && fits ? Number(wanted[1]) : 0;
    const body = content.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      etag,
      "content-length": body.byteLength,
      ...(start > 0
        ? { "content-range": `bytes ${start}-${content.byteLength - 1}/${content.byteLength}` }
        : {}),
    });
    const cut = this.cuts.shift();
    if (cut === undefined || cut >= body.byteLength) response.end(body);
    else {
      response.write(body.subarray(0, cut));
      // A client drops what it has not read yet when the connection breaks.
      setTimeout(() => response.destroy(), ARRIVAL_MS);
    }
  }
}

function noteOf({ method, url, headers }: IncomingMessage): HubRequest {
  return { method: method!, path: url!, range: headers.range, authorization: headers.authorization };
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
