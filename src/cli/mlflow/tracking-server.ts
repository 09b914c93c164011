import { CommandFailure } from "../command-failure.js";
import { distinct, isPrompt, toNumber, toStage, UnreachableArtifact } from "./mlflow-estate.js";
import type {
  ArtifactFolder,
  Entry,
  MlflowEstate,
  MlflowFacts,
  MlflowModel,
  MlflowVersion,
} from "./mlflow-estate.js";
import { ProxiedArtifact, ServedArtifact } from "./remote-artifact.js";
import { TrackingClient } from "./tracking-client.js";
import type { TrackingAccess } from "./tracking-client.js";

const API = "api/2.0/mlflow";
const PAGE = "100";
const MOST_PAGES = 10_000;

interface KeyValue {
  key: string;
  value?: unknown;
}

interface RegisteredModelAnswer {
  name: string;
  description?: string;
  tags?: KeyValue[];
  aliases?: { alias: string; version: string }[];
}

interface ModelVersionAnswer {
  name: string;
  version: string;
  creation_timestamp?: number | string;
  current_stage?: string;
  description?: string;
  source?: string;
  run_id?: string;
  model_id?: string;
  aliases?: string[];
  tags?: KeyValue[];
}

interface Logged {
  metrics?: KeyValue[];
  params?: KeyValue[];
  tags?: KeyValue[];
}

/** The registry behind a tracking server, by MLflow's REST API 2.0. */
export class TrackingServer implements MlflowEstate {
  readonly place: string;
  private readonly client: TrackingClient;
  private all: Promise<MlflowVersion[]> | undefined;

  constructor(access: TrackingAccess) {
    this.client = new TrackingClient(access);
    this.place = this.client.base;
  }

  async models(): Promise<MlflowModel[]> {
    const found = await this.pages<RegisteredModelAnswer>("registered-models/search", "registered_models");
    const models = found.map(({ name, description, tags = [], aliases = [] }) => ({
      ...{ name, description: description || undefined, tags: toEntries(tags) },
      aliases: aliases.map(({ alias, version }) => ({ alias, version: Number(version) })),
    }));
    return models.filter(({ tags }) => !isPrompt(tags)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All are asked for at once: a filter by name would have to quote names that hold quotes. */
  async versions({ name, aliases }: MlflowModel): Promise<MlflowVersion[]> {
    this.all ??= this.pages<ModelVersionAnswer>("model-versions/search", "model_versions").then((found) =>
      found.map(toVersion),
    );
    const own = (await this.all).filter(({ model }) => model === name);
    // Not every release tells of aliases with the versions.
    const withAliases = own.map((version) => ({
      ...version,
      aliases: [
        ...new Set([
          ...version.aliases,
          ...aliases.filter((alias) => alias.version === version.number).map(({ alias }) => alias),
        ]),
      ],
    }));
    return withAliases.sort((a, b) => a.number - b.number);
  }

  async facts({ runId, modelId }: MlflowVersion): Promise<MlflowFacts> {
    const run =
      runId === undefined ? undefined : await this.client.json(`${API}/runs/get`, { run_id: runId });
    const model =
      modelId === undefined
        ? undefined
        : await this.client.json(`${API}/logged-models/${encodeURIComponent(modelId)}`);
    const logged = [
      (run?.run as { data?: Logged } | undefined)?.data ?? {},
      (model?.model as { data?: Logged } | undefined)?.data ?? {},
    ];
    return {
      metrics: distinct(
        logged.flatMap(({ metrics = [] }) =>
          metrics.map(({ key, value }) => ({ name: key, value: toNumber(value) })),
        ),
      ),
      parameters: distinct(logged.flatMap(({ params = [] }) => toEntries(params))),
      tags: distinct(logged.flatMap(({ tags = [] }) => toEntries(tags))),
    };
  }

  async artifact({ model, number, source }: MlflowVersion): Promise<ArtifactFolder> {
    const version = { name: model, version: String(number) };
    const answer = await this.client.json(`${API}/model-versions/get-download-uri`, version);
    const uri = typeof answer?.artifact_uri === "string" ? answer.artifact_uri : source;
    const proxied = this.proxiedPath(uri);
    if (proxied !== undefined) return ProxiedArtifact.open(this.client, proxied);
    if (/^mlflow-artifacts:/.test(uri)) {
      throw new UnreachableArtifact(`its files are at another server, ${uri}: import from that one`);
    }
    return ServedArtifact.open(this.client, version, uri);
  }

  /** Path below the server's own store of artifacts, when the address is one of those. */
  private proxiedPath(uri: string): string | undefined {
    const { host, href } = new URL(`${this.client.base}/`);
    const own = `${href}api/2.0/mlflow-artifacts/artifacts/`;
    if (uri.startsWith(own)) return decodeURIComponent(uri.slice(own.length));
    const [, named = "", path = ""] = /^mlflow-artifacts:(?:\/\/([^/]*))?\/?(.*)$/.exec(uri) ?? [];
    return uri.startsWith("mlflow-artifacts:") && (named === "" || named === host) ? path : undefined;
  }

  private async pages<T>(path: string, list: string): Promise<T[]> {
    const found: T[] = [];
    let token: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await this.client.json(`${API}/${path}`, { max_results: PAGE, page_token: token });
      if (!answer) {
        throw new CommandFailure(
          "NOT_FOUND",
          `${this.place} does not know ${API}/${path}: is it an MLflow server?`,
        );
      }
      found.push(...((answer[list] as T[] | undefined) ?? []));
      const next = answer.next_page_token;
      if (typeof next !== "string" || next === "") return found;
      token = next;
    }
    throw new CommandFailure("PROTOCOL", `${this.place}: ${path} has more than ${MOST_PAGES} pages`);
  }
}

function toVersion(answer: ModelVersionAnswer): MlflowVersion {
  // Not every release names the logged model otherwise.
  const modelId = answer.model_id || /^models:\/(m-[0-9a-f]+)$/.exec(answer.source ?? "")?.[1];
  return {
    ...{
      model: answer.name,
      number: Number(answer.version),
      createdAt: Number(answer.creation_timestamp ?? 0),
    },
    ...{ stage: toStage(answer.current_stage), aliases: answer.aliases ?? [] },
    ...{ description: answer.description || undefined, tags: toEntries(answer.tags ?? []) },
    ...{
      runId: answer.run_id || undefined,
      modelId,
      source: answer.source ?? "",
    },
  };
}

function toEntries(entries: readonly KeyValue[]): Entry[] {
  return entries.map(({ key, value }) => ({ name: key, value: String(value ?? "") }));
}
