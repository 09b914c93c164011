import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { CommandFailure, UsageError } from "../command-failure.js";
import { distinct, isPrompt, isWithin, toNumber, toStage, UnreachableArtifact } from "./mlflow-estate.js";
import type {
  ArtifactFolder,
  Entry,
  MlflowEstate,
  MlflowFacts,
  MlflowModel,
  MlflowVersion,
} from "./mlflow-estate.js";

/** Run and what follows it, in the address of an artifact. */
const OF_RUN = /(?:^|[/:])([0-9a-f]{32})(?:\/artifacts)?((?:\/[^/]+)*)\/?$/;
const OF_LOGGED_MODEL = /(?:^|[/:])(m-[0-9a-f]+)(?:\/artifacts)?((?:\/[^/]+)*)\/?$/;

/** An `mlruns` folder. Artifacts lie in it, or in the `mlartifacts` beside it, where a server with proxied artifacts kept them. */
export class FileStore implements MlflowEstate {
  readonly place: string;
  private readonly roots: string[];

  private constructor(private readonly folder: string) {
    this.place = folder;
    this.roots = [folder, join(dirname(folder), "mlartifacts")];
  }

  /** @throws {UsageError} when it is no such folder */
  static async open(path: string): Promise<FileStore> {
    const folder = resolve(path);
    if (!(await isFolder(folder))) throw new UsageError(`--directory: there is no folder ${folder}`);
    if (!(await isFolder(join(folder, "models")))) {
      throw new UsageError(
        `--directory: ${folder} has no registered models: name the mlruns folder that has models/`,
      );
    }
    return new FileStore(folder);
  }

  async models(): Promise<MlflowModel[]> {
    const models: MlflowModel[] = [];
    for (const folder of await foldersIn(join(this.folder, "models"))) {
      const meta = await readMeta(join(folder, "meta.yaml"));
      if (!meta) continue;
      const tags = await readEntries(join(folder, "tags"));
      if (isPrompt(tags)) continue;
      const aliases = await readEntries(join(folder, "aliases"));
      models.push({
        name: meta.text("name") ?? basename(folder),
        description: meta.text("description"),
        tags,
        aliases: aliases.map(({ name, value }) => ({ alias: name, version: Number(value) })),
      });
    }
    return models.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async versions({ name, aliases }: MlflowModel): Promise<MlflowVersion[]> {
    const versions: MlflowVersion[] = [];
    for (const folder of await foldersIn(join(this.folder, "models", name))) {
      const number = Number(/^version-(\d+)$/.exec(basename(folder))?.[1]);
      const meta = Number.isNaN(number) ? undefined : await readMeta(join(folder, "meta.yaml"));
      // A deleted version keeps its folder.
      if (!meta || meta.text("current_stage") === "Deleted_Internal") continue;
      versions.push({
        ...{ model: name, number, createdAt: Number(meta.text("creation_timestamp") ?? 0) },
        stage: toStage(meta.text("current_stage")),
        aliases: aliases.filter(({ version }) => version === number).map(({ alias }) => alias),
        description: meta.text("description"),
        tags: await readEntries(join(folder, "tags")),
        runId: meta.text("run_id"),
        modelId: meta.text("model_id"),
        source: meta.text("source") ?? "",
        location: meta.text("storage_location"),
      });
    }
    return versions.sort((a, b) => a.number - b.number);
  }

  async facts({ runId, modelId }: MlflowVersion): Promise<MlflowFacts> {
    const folders = [
      runId === undefined ? undefined : await this.below([this.folder], runId),
      modelId === undefined ? undefined : await this.below([this.folder], join("models", modelId)),
    ];
    const facts: MlflowFacts = { metrics: [], parameters: [], tags: [] };
    for (const folder of folders.filter((path) => path !== undefined)) {
      facts.parameters.push(...(await readEntries(join(folder, "params"))));
      facts.tags.push(...(await readEntries(join(folder, "tags"))));
      const series = await readEntries(join(folder, "metrics"));
      facts.metrics.push(...series.map(({ name, value }) => ({ name, value: latestOf(value) })));
    }
    const { metrics, parameters, tags } = facts;
    return { metrics: distinct(metrics), parameters: distinct(parameters), tags: distinct(tags) };
  }

  async artifact(version: MlflowVersion): Promise<ArtifactFolder> {
    const folder = await this.folderOf(version);
    if (folder === undefined) {
      throw new UnreachableArtifact(
        `its files are not below ${this.folder}, but at ${version.location ?? version.source}: copy them into the folder of their run, ` +
          `${version.runId ?? "RUN"}/artifacts, or import from the tracking server`,
      );
    }
    return new LocalArtifact(folder);
  }

  /** The addresses of artifacts are those of the machine that wrote them: what counts is the run or model in them. */
  private async folderOf(version: MlflowVersion): Promise<string | undefined> {
    const { modelId, source: named, location: source = named } = version;
    const [, run, inRun = ""] = OF_RUN.exec(source) ?? [];
    const [, logged = modelId, inModel = ""] = OF_LOGGED_MODEL.exec(source) ?? [];
    const candidates = [
      run === undefined ? undefined : join(run, "artifacts", inRun),
      logged === undefined ? undefined : join("models", logged, "artifacts", inModel),
    ];
    for (const path of candidates) {
      const found =
        path === undefined || path.split("/").includes("..") ? undefined : await this.below(this.roots, path);
      if (found !== undefined) return found;
    }
    return this.ownFolder(source);
  }

  /** An address of this machine, when it leads into the folders that were named. */
  private async ownFolder(source: string): Promise<string | undefined> {
    if (/^(?!file:)\w[\w+.-]*:/.test(source)) return undefined;
    const path = source.startsWith("file:") ? fileURLToPath(source) : resolve(source);
    const isOurs = this.roots.some((root) => isWithin(relative(root, path)));
    return isOurs && (await isFolder(path)) ? path : undefined;
  }

  /** A path in one of the experiments. */
  private async below(roots: readonly string[], path: string): Promise<string | undefined> {
    for (const root of roots) {
      for (const experiment of await foldersIn(root)) {
        const folder = join(experiment, path);
        if (await isFolder(folder)) return folder;
      }
    }
    return undefined;
  }
}

class LocalArtifact implements ArtifactFolder {
  constructor(private readonly folder: string) {}

  async find(path: string): Promise<string | undefined> {
    if (!isWithin(path)) return undefined;
    const file = join(this.folder, path);
    const found = await stat(file).catch(() => undefined);
    return found?.isFile() ? file : undefined;
  }

  async names(): Promise<string[]> {
    const entries = await readdir(this.folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  }

  async close(): Promise<void> {
    // Nothing was made.
  }
}

/** Texts only: a run id such as 12e4 is no number. */
async function readMeta(path: string): Promise<{ text(name: string): string | undefined } | undefined> {
  const content = await readFile(path, "utf8").catch(() => undefined);
  if (content === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = parse(content, { schema: "failsafe" });
  } catch (error) {
    throw new CommandFailure("FILE", `${path} is not YAML: ${(error as Error).message}`);
  }
  const values = (typeof parsed === "object" && parsed !== null ? parsed : {}) as Record<string, unknown>;
  return {
    text(name) {
      const value = values[name];
      return typeof value === "string" && value !== "" && value !== "null" ? value : undefined;
    },
  };
}

/** One file for each name; names with / lie in folders. */
async function readEntries(folder: string): Promise<Entry[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.sort().map(async (file) => ({
      name: relative(folder, file),
      value: (await readFile(file, "utf8")).trimEnd(),
    })),
  );
}

/** Lines of `time value step`, as they came; MLflow's latest is the one of the highest step, then time. */
function latestOf(series: string): number {
  const points = series.split("\n").map((line) => line.trim().split(/\s+/));
  points.sort(
    ([timeA, , stepA = 0], [timeB, , stepB = 0]) =>
      Number(stepA) - Number(stepB) || Number(timeA) - Number(timeB),
  );
  return toNumber(points.at(-1)?.[1] ?? "");
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
