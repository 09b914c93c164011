import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { LOGGED } from "./mlflow-estate.js";
import type { LoggedVersion, RegisteredModel } from "./mlflow-estate.js";

/** Where a server keeps the artifacts: in its own store, or in one that it reads itself or not at all. */
export type ArtifactStore = "mlflow-artifacts:/" | "file:///srv/mlruns/" | "s3://quant-models/";

const STORE = "/api/2.0/mlflow-artifacts/artifacts";
/** Few, so that pages have to be followed. */
const PAGE = 2;

const toKeyValues = (entries: Record<string, string>) =>
  Object.entries(entries).map(([key, value]) => ({ key, value }));

/**
 * Answers as MLflow 2.22 did when it was asked: the fields, their types, its pages and its errors, with the contents of
 * an estate of our own. A file that is not there is HTTP 500.
 */
export class RecordedMlflow {
  /** Paths with queries, decoded. */
  readonly asked: string[] = [];
  /** The header that it wants to see. */
  authorization: string | undefined;
  store: ArtifactStore = "mlflow-artifacts:/";
  /** What its lists add to the size of every file. */
  sizeError = 0;

  private constructor(
    readonly url: string,
    private readonly models: readonly RegisteredModel[],
    private readonly stop: () => Promise<void>,
  ) {}

  static async start(models: readonly RegisteredModel[]): Promise<RecordedMlflow> {
    const server = createServer((request, response) => recorded.answer(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    // Behind a path, as many are.
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mlflow`;
    const recorded = new RecordedMlflow(url, models, async () => {
      server.close().closeAllConnections();
      await once(server, "close");
    });
    return recorded;
  }

  close(): Promise<void> {
    return this.stop();
  }

  private get versions(): LoggedVersion[] {
    return this.models.flatMap(({ versions }) => versions).reverse();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url!, "http://localhost");
    const path = decodeURIComponent(pathname).replace(/^\/mlflow/, "");
    this.asked.push(`${path} ${decodeURIComponent(query.toString())}`.trim());
    if (this.authorization !== undefined && request.headers.authorization !== this.authorization) {
      return void response
        .writeHead(401, { "www-authenticate": 'Basic realm="mlflow"' })
        .end("You are not authenticated.");
    }
    const file = this.file(path, query);
    if (file) return void response.writeHead(200, { "content-length": file.byteLength }).end(file);
    const [status, body] = this.json(path, query) ?? [
      500,
      { error_code: "INTERNAL_ERROR", message: "[Errno 2] No such file or directory" },
    ];
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  private file(path: string, query: URLSearchParams): Uint8Array | undefined {
    if (path === "/model-versions/get-artifact" && this.store !== "s3://quant-models/")
      return this.named(query)?.files[query.get("path")!];
    const [, runId, name] = /artifacts\/0\/(\w+)\/artifacts\/model\/(.+)$/.exec(path) ?? [];
    return this.versions.find((version) => version.runId === runId)?.files[name!];
  }

  private json(path: string, query: URLSearchParams): [number, object] | undefined {
    switch (path) {
      case "/api/2.0/mlflow/registered-models/search":
        return [200, page("registered_models", this.models.map(toRegisteredModel), query)];
      case "/api/2.0/mlflow/model-versions/search":
        return [
          200,
          page(
            "model_versions",
            this.versions.map((version) => this.toModelVersion(version)),
            query,
          ),
        ];
      case "/api/2.0/mlflow/model-versions/get-download-uri":
        return [200, { artifact_uri: this.address(this.named(query)!) }];
      case "/api/2.0/mlflow/runs/get":
        return this.run(query.get("run_id")!);
      case STORE:
        return [200, this.list(query.get("path")!)];
      default:
        return undefined;
    }
  }

  private named(query: URLSearchParams): LoggedVersion | undefined {
    const [model, number] = [query.get("name"), Number(query.get("version"))];
    return this.versions.find((version) => version.model === model && version.number === number);
  }

  private address({ runId }: LoggedVersion): string {
    return `${this.store}0/${runId}/artifacts/model`;
  }

  private toModelVersion(version: LoggedVersion): object {
    const { model, number, createdAt, stage, runId, tags } = version;
    return {
      ...{
        name: model,
        version: String(number),
        creation_timestamp: createdAt,
        last_updated_timestamp: createdAt,
      },
      ...{
        current_stage: stage,
        description: "",
        source: this.address(version),
        run_id: runId,
        status: "READY",
      },
      ...(Object.keys(tags).length > 0 ? { tags: toKeyValues(tags) } : {}),
      run_link: "",
    };
  }

  private run(runId: string): [number, object] {
    if (!this.versions.some((version) => version.runId === runId))
      return [404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: `Run with id=${runId} not found` }];
    const metrics = Object.entries(LOGGED.metrics).map(([key, points]) => {
      const value = points.at(-1)!;
      return {
        key,
        value: Number.isNaN(value) ? "NaN" : value,
        timestamp: 1795995587128,
        step: points.length,
      };
    });
    const data = { metrics, params: toKeyValues(LOGGED.params), tags: toKeyValues(LOGGED.tags) };
    return [200, { run: { info: { run_id: runId, status: "FINISHED" }, data, inputs: {} } }];
  }

  private list(path: string): object {
    const version = this.versions.find(({ runId }) => path === `0/${runId}/artifacts/model`);
    if (!version) return {};
    const files = Object.entries(version.files);
    return {
      files: files.map(([name, { byteLength }]) => ({
        path: name,
        is_dir: false,
        file_size: byteLength + this.sizeError,
      })),
    };
  }
}

function toRegisteredModel({ name, description, tags, aliases }: RegisteredModel): object {
  return {
    ...{ name, creation_timestamp: 1795995581661, last_updated_timestamp: 1795995607647, description },
    ...(Object.keys(tags).length > 0 ? { tags: toKeyValues(tags) } : {}),
    ...(Object.keys(aliases).length > 0
      ? { aliases: Object.entries(aliases).map(([alias, version]) => ({ alias, version: String(version) })) }
      : {}),
  };
}

function page(name: string, all: object[], query: URLSearchParams): object {
  const from = Number(query.get("page_token") ?? 0);
  const next = from + PAGE;
  return { [name]: all.slice(from, next), ...(next < all.length ? { next_page_token: String(next) } : {}) };
}
