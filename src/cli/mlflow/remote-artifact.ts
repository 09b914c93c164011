import { join } from "node:path";
import { CommandFailure } from "../command-failure.js";
import { isWithin, UnreachableArtifact } from "./mlflow-estate.js";
import type { ArtifactFolder } from "./mlflow-estate.js";
import { TemporaryFolder } from "./temporary-folder.js";
import type { TrackingClient } from "./tracking-client.js";

const STORE = "api/2.0/mlflow-artifacts/artifacts";
const MODEL_FILE = "MLmodel";

interface Listed {
  path: string;
  is_dir?: boolean;
  file_size?: number | string;
}

/** Files in the store of the tracking server, which gives them by its own API. */
export class ProxiedArtifact implements ArtifactFolder {
  private readonly downloads: Downloads;

  private constructor(
    private readonly client: TrackingClient,
    private readonly path: string,
    /** Sizes of the files at its top. */
    private readonly files: Map<string, number>,
    folder: TemporaryFolder,
  ) {
    this.downloads = new Downloads(folder);
  }

  static async open(client: TrackingClient, path: string): Promise<ProxiedArtifact> {
    if (!isWithin(path))
      throw new UnreachableArtifact(`"${path}" is no path in the store of the tracking server`);
    const answer = await client.json(STORE, { path });
    const listed = (answer?.files ?? []) as Listed[];
    if (listed.length === 0)
      throw new UnreachableArtifact(`the store of the tracking server has no files at ${path}`);
    const files = listed.filter(({ is_dir: isFolder }) => !isFolder);
    const sizes = new Map(files.map((file) => [file.path.split("/").at(-1)!, Number(file.file_size)]));
    return new ProxiedArtifact(client, path, sizes, await TemporaryFolder.create());
  }

  async find(path: string): Promise<string | undefined> {
    const size = this.files.get(path);
    if (!isWithin(path) || (size === undefined && !path.includes("/"))) return undefined;
    const address = `${this.path}/${path}`.split("/").map(encodeURIComponent).join("/");
    const fetch = (target: string) => this.client.download(`${STORE}/${address}`, {}, target);
    return this.downloads.once(path, fetch, size);
  }

  names(): Promise<string[]> {
    return Promise.resolve([...this.files.keys()]);
  }

  close(): Promise<void> {
    return this.downloads.close();
  }
}

/** Files that only the tracking server reaches, on its own disk or in a store of its own: it is asked for each by name. */
export class ServedArtifact implements ArtifactFolder {
  private readonly downloads: Downloads;

  private constructor(
    private readonly client: TrackingClient,
    private readonly version: { name: string; version: string },
    folder: TemporaryFolder,
  ) {
    this.downloads = new Downloads(folder);
  }

  /** @throws {UnreachableArtifact} when the server does not give even the file that every model has */
  static async open(
    client: TrackingClient,
    version: { name: string; version: string },
    uri: string,
  ): Promise<ServedArtifact> {
    const artifact = new ServedArtifact(client, version, await TemporaryFolder.create());
    const first = await artifact.find(MODEL_FILE).catch(async (error: unknown) => {
      await artifact.close();
      if (error instanceof CommandFailure && error.code === "PROTOCOL") return undefined;
      throw error;
    });
    if (first !== undefined) return artifact;
    await artifact.close();
    throw new UnreachableArtifact(
      `its files are at ${uri}, and the tracking server does not give them: give it access to that store, or fetch ` +
        `them where there is access, with \`mlflow artifacts download -u "models:/${version.name}/${version.version}"\`, ` +
        "and bring the graph with 254carbon register",
    );
  }

  async find(path: string): Promise<string | undefined> {
    if (!isWithin(path)) return undefined;
    const query = { ...this.version, path };
    return this.downloads.once(path, (target) =>
      this.client.download("model-versions/get-artifact", query, target),
    );
  }

  names(): Promise<string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    return this.downloads.close();
  }
}

/** Each file is fetched once, under the last part of its path. */
class Downloads {
  private readonly done = new Map<string, string>();

  constructor(private readonly folder: TemporaryFolder) {}

  async once(
    path: string,
    fetch: (target: string) => Promise<number | undefined>,
    size?: number,
  ): Promise<string | undefined> {
    const known = this.done.get(path);
    if (known !== undefined) return known;
    const target = join(this.folder.path, `${this.done.size}-${path.split("/").at(-1)!}`);
    const bytes = await fetch(target);
    if (bytes === undefined) return undefined;
    if (size !== undefined && Number.isFinite(size) && bytes !== size) {
      throw new CommandFailure(
        "DIGEST",
        `${path} has ${bytes} bytes instead of the ${size} that MLflow lists`,
      );
    }
    this.done.set(path, target);
    return target;
  }

  close(): Promise<void> {
    this.folder.close();
    return Promise.resolve();
  }
}
