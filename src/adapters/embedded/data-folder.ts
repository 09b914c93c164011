import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, cp, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const ABANDONED_MS = 10 * 60_000;

/** The folder of one PostgreSQL cluster. */
export interface Cluster {
  folder: string;
  /** The prepared folder that it has just been copied from. */
  copiedFrom?: string;
}

/**
 * The cluster within `dataDir`, initialised if need be. It appears by a rename once it is complete, so
 * a process that is killed half-way leaves nothing that looks like a database. The caller holds the
 * lock on `dataDir`.
 * @param cacheDir where a prepared cluster is kept, so that only the first start ever takes seconds
 */
export async function prepareCluster(dataDir: string, cacheDir: string): Promise<Cluster> {
  const folder = join(dataDir, "cluster");
  if (await exists(folder)) return { folder };
  const draft = join(dataDir, "cluster.draft");
  await rm(draft, { recursive: true, force: true });
  const template = await preparedTemplate(cacheDir);
  if (template) await cp(template, draft, { recursive: true, mode: constants.COPYFILE_FICLONE });
  else await initialise(draft);
  await rename(draft, folder);
  return { folder, copiedFrom: template };
}

/** Drops a new cluster that does not start together with the template that it came from. */
export async function discardCluster(cluster: Cluster): Promise<void> {
  await rm(cluster.folder, { recursive: true, force: true });
  if (cluster.copiedFrom) await rm(cluster.copiedFrom, { recursive: true, force: true });
}

/** @returns undefined when the cache cannot be written */
async function preparedTemplate(cacheDir: string): Promise<string | undefined> {
  const template = join(cacheDir, await engineVersion());
  if (await exists(template)) return template;
  if (!(await isWritable(cacheDir))) return undefined;
  await sweepDrafts(cacheDir);
  const draft = `${template}.draft-${randomUUID()}`;
  try {
    await initialise(draft);
    await rename(draft, template);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process may have been faster.
    if (!(await exists(template))) throw error;
  }
  return template;
}

async function isWritable(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Removes what killed processes have left; a living one is done within seconds. */
async function sweepDrafts(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    const path = join(cacheDir, name);
    if (!name.includes(".draft-")) continue;
    const changed = await stat(path).catch(() => undefined);
    if (changed && Date.now() - changed.mtimeMs > ABANDONED_MS)
      await rm(path, { recursive: true, force: true });
  }
}

/** Makes a cluster from nothing, in a process of its own. */
async function initialise(folder: string): Promise<void> {
  const program = join(import.meta.dirname, "initialise-cluster.js");
  await promisify(execFile)(process.execPath, [program, folder]);
}

/** What a prepared cluster depends on: the versions of the engine and its extension. */
export async function engineVersion(): Promise<string> {
  const { resolve } = createRequire(import.meta.url);
  const versions = ["@electric-sql/pglite", "@electric-sql/pglite-pgvector"].map(async (name) => {
    const manifest = await readFile(join(dirname(resolve(name)), "..", "package.json"), "utf8");
    return (JSON.parse(manifest) as { version: string }).version;
  });
  return (await Promise.all(versions)).join("-");
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
