import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdir, readdir, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { readFromRoot } from "../support/compose-file.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

const ROOT = join(import.meta.dirname, "../../..");
const NOBODY = 65_534;
const asRoot = process.getuid?.() === 0;

let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder();
  await chmod(folder.path, 0o755);
});

afterAll(() => folder.remove());

/** What the last stage of the Dockerfile copies, from this checkout instead of from other stages. */
async function assembleImage(dockerfile: string, target: string): Promise<void> {
  const text = readFromRoot(dockerfile);
  const last = text.slice(text.lastIndexOf("\nFROM"));
  for (const [, source] of last.matchAll(/^COPY (?:--from=\w+ )?(\S+) \.\/\S*$/gm)) {
    const name = source!.replace(/^\/app\//, "");
    if (name === "node_modules") await linkProductionPackages(join(target, name));
    else await cp(join(ROOT, name), join(target, name), { recursive: true, filter: isInImage });
  }
}

/** The build stage removes the tests. */
const isInImage = (path: string) => path !== join(ROOT, "dist/test");

/** Those that `npm ci --omit=dev` installs, linked: what only tests need is not there. */
async function linkProductionPackages(target: string): Promise<void> {
  const { packages } = JSON.parse(readFromRoot("package-lock.json")) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(packages)) {
    const [, name, nested] = /^node_modules\/((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(path) ?? [];
    if (!name || nested || dev || !(await isThere(join(ROOT, path)))) continue;
    await mkdir(dirname(join(target, name)), { recursive: true });
    await symlink(join(ROOT, path), join(target, name));
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function makeReadOnly(path: string): Promise<void> {
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink())
      await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o555 : 0o444);
  }
  await chmod(path, 0o555);
}

test("what the image holds starts for a user without rights, and writes nowhere but to its data", async () => {
  const [app, data] = [join(folder.path, "app"), join(folder.path, "data")];
  await mkdir(data);
  await assembleImage("deploy/docker/Dockerfile", app);
  await makeReadOnly(app);
  if (asRoot) await chown(data, NOBODY, NOBODY);
  const child = spawn(process.execPath, ["--enable-source-maps", "dist/bundle/main.js"], {
    cwd: app,
    ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    env: {
      PATH: process.env.PATH,
      HOME: "/nonexistent",
      // Packages look for others beside their link, where those for tests are missing.
      NODE_OPTIONS: "--preserve-symlinks",
      NODE_ENV: "production",
      ML_ENV: "staging",
      ML_ALLOW_EMBEDDED: "true",
      ML_JWT_SECRET_KEY: "a secret of more than thirty-two bytes",
      ML_PORT: "0",
      ML_DATA_DIR: data,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaints = "";
  child.stderr.on("data", (bytes: Buffer) => (complaints += bytes.toString()));
  const ended = once(child, "exit") as Promise<[number | null]>;
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { event, url } = JSON.parse(line) as { event: string; url: string };
      if (event === "platform.ready") resolve(url);
    });
  });
  const url = await Promise.race([ready, ended.then(() => Promise.reject(new Error(complaints)))]);
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: "ok", tier: "embedded" });
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  expect(await isThere(join(app, "dist/test"))).toBe(false);
  expect(await isThere(join(app, ".cache"))).toBe(false);
  expect(await isThere(join(data, "database/cluster"))).toBe(true);
}, 120_000);
