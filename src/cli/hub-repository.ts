import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CommandFailure } from "./command-failure.js";
import type { Progress } from "./progress.js";

export interface HubOptions {
  /** Where the hub answers, e.g. https://huggingface.co */
  hub: string;
  /** ORG/NAME */
  repository: string;
  /** A branch, tag or commit. */
  revision: string;
  token?: string;
  /** Folder of what has been downloaded. */
  cache: string;
  /** Limit on the bytes of all files together. */
  maxBytes: number;
  progress: (label: string) => Progress;
}

const MOST_REDIRECTS = 5;
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 300;
const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const MEGABYTE = 1e6;
/** Of connections that ended early; others never came about. */
const CUTS = new Set([
  "ECONNRESET",
  "EPIPE",
  "UND_ERR_SOCKET",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
]);

/** What the hub says of a file, and the response that carries it. */
interface Answer {
  response: Response;
  commit: string | undefined;
  bytes: number | undefined;
  sha256: string | undefined;
  /** Names exactly these bytes to the server that sends them. */
  etag: string | undefined;
}

/** The connection ended before the file did, or the hub is busy: another attempt may do better. */
class CutError extends Error {}

/** Files of a model on a hub of Hugging Face's layout, kept in a folder; a download that was cut goes on later. */
export class HubRepository {
  private commit: string | undefined;
  private budget: number;

  constructor(private readonly options: HubOptions) {
    this.commit = COMMIT.test(options.revision) ? options.revision : undefined;
    this.budget = options.maxBytes;
  }

  /** The commit of all files, once the first one has been asked for; the revision where the hub does not say. */
  get revision(): string {
    return this.commit ?? this.options.revision;
  }

  get source(): string {
    return `${this.options.hub}/${this.options.repository}`;
  }

  /**
   * @param path of a file in the repository
   * @returns where it lies, or undefined when the repository has no such file
   * @throws {CommandFailure} UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, TOO_LARGE, DIGEST
   */
  async find(path: string): Promise<string | undefined> {
    // All files of one commit, though the branch may move on meanwhile.
    if (this.commit === undefined) this.commit = await this.persist(path, () => this.resolveCommit(path));
    const { cache, hub, repository } = this.options;
    const host = new URL(hub).host.replace(":", "_");
    const target = join(cache, host, repository, this.revision, path);
    const kept = this.commit === undefined ? undefined : await sizeOf(target);
    if (kept !== undefined) {
      this.spend(path, kept);
      return target;
    }
    await mkdir(dirname(target), { recursive: true });
    return this.persist(path, () => this.download(path, target));
  }

  /** Tries again, a while later each time, for as long as the connection is cut. */
  private async persist<T>(path: string, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof CutError)) throw error;
        if (attempt === ATTEMPTS) {
          throw new CommandFailure(
            "UNREACHABLE",
            `${this.source}: ${path} could not be had in ${ATTEMPTS} attempts (${error.message}); ` +
              "call again to go on from there",
          );
        }
        await delay(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      }
    }
  }

  private async resolveCommit(path: string): Promise<string | undefined> {
    const { response, commit } = await this.request("HEAD", path, {});
    await response.body?.cancel();
    return commit !== undefined && COMMIT.test(commit) ? commit : undefined;
  }

  private async download(path: string, target: string): Promise<string | undefined> {
    const part = new PartialFile(`${target}.part`);
    const { have, etag } = await part.state();
    const range: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
    const answer = await this.request("GET", path, etag ? { ...range, "if-range": etag } : range);
    const { response, bytes } = answer;
    // A body that nobody reads would keep the process waiting.
    const affordable = bytes === undefined || bytes <= this.budget;
    if (!affordable || response.status === 404 || response.status === 416) await response.body?.cancel();
    if (response.status === 404) return undefined;
    if (!affordable) this.assertAffordable(path, bytes);
    if (response.status === 416) {
      await part.remove();
      throw new CutError("what was there does not fit");
    }
    if (response.status !== 206) await part.begin(answer);
    await this.receive(path, part, response.status === 206 ? have : 0, answer);
    await part.verify(path, answer);
    this.spend(path, (await part.state()).have);
    await part.complete(target);
    return target;
  }

  private async receive(
    path: string,
    part: PartialFile,
    from: number,
    { response, bytes }: Answer,
  ): Promise<void> {
    const file = await open(part.path, "a");
    const shown = bytes !== undefined && bytes > MEGABYTE ? this.options.progress("downloading") : undefined;
    let received = from;
    try {
      for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
        received += chunk.byteLength;
        this.assertAffordable(path, received);
        await file.write(chunk);
        shown?.update(Math.min(1, received / bytes!), `${path}, ${Math.round(bytes! / MEGABYTE)} MB`);
      }
    } catch (error) {
      if (error instanceof CommandFailure) await part.remove();
      throw error instanceof CommandFailure
        ? error
        : new CutError("the connection was cut", { cause: error });
    } finally {
      shown?.stop();
      await file.close();
    }
    if (bytes !== undefined && received < bytes) throw new CutError(`${received} of ${bytes} bytes came`);
  }

  /** Follows redirects; the token goes to the hub only. */
  private async request(
    method: "GET" | "HEAD",
    path: string,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const { hub, repository, token } = this.options;
    const location = [repository, "resolve", encodeURIComponent(this.revision), encodeURI(path)].join("/");
    let url = new URL(`${hub}/${location}`);
    const { origin } = url;
    const linked = new Headers();
    for (let redirects = 0; ; redirects++) {
      const authorization: Record<string, string> =
        token !== undefined && url.origin === origin ? { authorization: `Bearer ${token}` } : {};
      const response = await reach(url, {
        method,
        redirect: "manual",
        headers: { "accept-encoding": "identity", ...authorization, ...headers },
      });
      for (const name of ["x-linked-etag", "x-linked-size", "x-repo-commit"]) {
        const value = response.headers.get(name);
        if (value !== null && !linked.has(name)) linked.set(name, value);
      }
      const next = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
      if (next === null) {
        await this.assertAnswered(response, path);
        return toAnswer(response, linked);
      }
      await response.body?.cancel();
      if (redirects === MOST_REDIRECTS)
        throw new CommandFailure("PROTOCOL", `${url.href} redirects more than ${MOST_REDIRECTS} times`);
      url = new URL(next, url);
      // What is wanted of a HEAD is known by now; where the bytes lie may refuse one.
      if (method === "HEAD" && url.origin !== origin) return toAnswer(response, linked);
    }
  }

  private async assertAnswered(response: Response, path: string): Promise<void> {
    const { status } = response;
    const { repository, hub, revision, token } = this.options;
    const reason = response.headers.get("x-error-code");
    if (status < 300 || status === 416) return;
    if (status === 404 && reason !== "RepoNotFound" && reason !== "RevisionNotFound") return;
    await response.body?.cancel();
    if (status === 404) {
      const what =
        reason === "RevisionNotFound"
          ? `${repository} has no revision ${revision}`
          : `there is no ${repository}`;
      throw new CommandFailure("NOT_FOUND", `${hub}: ${what}`);
    }
    if (status === 401 || status === 403) {
      const remedy =
        token === undefined ? "set HF_TOKEN to one that may read it" : "HF_TOKEN may not read it";
      throw new CommandFailure(
        status === 401 ? "UNAUTHENTICATED" : "FORBIDDEN",
        `${hub} does not give ${repository} (HTTP ${status}): it does not exist, or is private or gated; ${remedy}`,
      );
    }
    if (status === 429 || status >= 500) throw new CutError(`HTTP ${status}`);
    throw new CommandFailure("PROTOCOL", `${hub} answered HTTP ${status} for ${path} of ${repository}`);
  }

  private spend(path: string, bytes: number): void {
    this.assertAffordable(path, bytes);
    this.budget -= bytes;
  }

  private assertAffordable(path: string, bytes: number): void {
    if (bytes <= this.budget) return;
    throw new CommandFailure(
      "TOO_LARGE",
      `with ${path} of ${this.options.repository} (${bytes} bytes or more) the files are larger than --max-bytes ` +
        `allows, ${this.options.maxBytes} bytes together`,
    );
  }
}

/** What has come of a file so far, and beside it the name that its server gave to exactly these bytes. */
class PartialFile {
  private readonly etagPath: string;

  constructor(readonly path: string) {
    this.etagPath = `${path}.etag`;
  }

  /** `have` is 0 where nothing tells that more bytes would fit. */
  async state(): Promise<{ have: number; etag: string | undefined }> {
    const etag = await readFile(this.etagPath, "utf8").catch(() => undefined);
    return { have: etag === undefined ? 0 : ((await sizeOf(this.path)) ?? 0), etag };
  }

  async begin({ etag, sha256 }: Answer): Promise<void> {
    await this.remove();
    // Without an etag the digest still finds out what does not fit.
    if (etag !== undefined || sha256 !== undefined) await writeFile(this.etagPath, etag ?? "");
  }

  /** @throws {CommandFailure} DIGEST, and nothing is kept */
  async verify(path: string, { bytes, sha256 }: Answer): Promise<void> {
    const size = await sizeOf(this.path);
    let fault = bytes !== undefined && size !== bytes ? `has ${size} bytes instead of ${bytes}` : undefined;
    if (fault === undefined && sha256 !== undefined) {
      const actual = await digestOf(this.path);
      if (actual !== sha256) fault = `has the SHA-256 ${actual} instead of ${sha256}`;
    }
    if (fault === undefined) return;
    await this.remove();
    throw new CommandFailure("DIGEST", `${path} ${fault}; it was not kept`);
  }

  async complete(target: string): Promise<void> {
    await rename(this.path, target);
    await rm(this.etagPath, { force: true });
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
    await rm(this.etagPath, { force: true });
  }
}

async function reach(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { code, message } = (error as { cause?: { code?: string; message?: string } }).cause ?? {};
    if (code !== undefined && CUTS.has(code)) throw new CutError(code, { cause: error });
    throw new CommandFailure(
      "UNREACHABLE",
      `${url.origin} does not answer (${code ?? message ?? String(error)}). Without a network, copy the model's ` +
        "files into a folder and import that, or name a mirror with --hub or ML_HUB_URL",
    );
  }
}

function toAnswer(response: Response, linked: Headers): Answer {
  const etag = response.headers.get("etag");
  const digests = [linked.get("x-linked-etag"), etag].map((value) =>
    value?.replace(/^W\//, "").replaceAll('"', ""),
  );
  const range = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  const size = linked.get("x-linked-size") ?? range ?? response.headers.get("content-length");
  return {
    response,
    commit: linked.get("x-repo-commit") ?? undefined,
    bytes: size === null ? undefined : Number(size),
    sha256: digests.find((value) => value !== undefined && SHA256.test(value)),
    // A weak one does not promise the same bytes.
    etag: etag === null || etag.startsWith("W/") ? undefined : etag,
  };
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash("sha256");
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) digest.update(chunk);
  return digest.digest("hex");
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}
