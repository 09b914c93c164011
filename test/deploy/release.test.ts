import { appendFile, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runProgram } from "../support/run-program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

const ROOT = join(import.meta.dirname, "../../..");
/** Every file that names the version. */
const FILES = [
  "CHANGELOG.md",
  "package.json",
  "package-lock.json",
  "docker-compose.yml",
  "deploy/docker/Dockerfile.gpu",
  ...["ml-platform", "postgres", "redis", "minio"].map((chart) => `deploy/helm/${chart}/Chart.yaml`),
];
const today = () => new Date().toISOString().slice(0, 10);

let folder: TemporaryFolder;
const git = (...args: string[]) => runProgram("git", args, { cwd: folder.path });
const release = (...args: string[]) =>
  runProgram(process.execPath, [join(ROOT, "deploy/local/release.mjs"), ...args], { cwd: folder.path });
const read = (file: string) => readFile(join(folder.path, file), "utf8");

beforeEach(async () => {
  folder = await temporaryFolder();
  for (const file of FILES) {
    await mkdir(dirname(join(folder.path, file)), { recursive: true });
    await copyFile(join(ROOT, file), join(folder.path, file));
  }
  const changelog = "# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.0.9 - 2026-11-01\n\n- Old.\n";
  await writeFile(join(folder.path, "CHANGELOG.md"), changelog);
  await git("init", "--quiet");
  await git("config", "user.name", "release");
  await git("config", "user.email", "release@example.com");
  await git("add", ".");
  await git("commit", "--quiet", "--message", "Begin");
});
afterEach(() => folder.remove());

test("a release moves the changelog and every version, as one commit with a tag", async () => {
  await release("7.8.9");
  expect(await git("status", "--porcelain")).toBe("");
  expect(await git("log", "--format=%s")).toBe("Release 7.8.9\nBegin\n");
  // What is pushed by --follow-tags is annotated.
  expect(await git("cat-file", "-t", "v7.8.9")).toBe("tag\n");
  expect(await git("rev-parse", "v7.8.9^{}")).toBe(await git("rev-parse", "HEAD"));

  expect(await read("CHANGELOG.md")).toBe(
    `# Changelog\n\n## Unreleased\n\n## 7.8.9 - ${today()}\n\n- New.\n\n## 0.0.9 - 2026-11-01\n\n- Old.\n`,
  );
  expect(JSON.parse(await read("package.json"))).toMatchObject({ name: "254carbon", version: "7.8.9" });
  expect(JSON.parse(await read("package-lock.json"))).toMatchObject({
    version: "7.8.9",
    packages: { "": { version: "7.8.9" } },
  });
  expect(await git("show", "--format=", "--name-only")).toBe(`${[...FILES].sort().join("\n")}\n`);
  const { version: before } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  const changed = (await git("show", "--format=", "--unified=0"))
    .split("\n")
    .filter((line) => /^[+-] *\S/.test(line));
  const versions = changed.filter((line) => line.includes(before) || line.includes("7.8.9"));
  expect(versions.filter((line) => line.startsWith("-")).length).toBe(11);
  expect(versions.filter((line) => line.startsWith("+")).length).toBe(12);
});

test("what is no release is refused, and changes nothing", async () => {
  await expect(release("7.8")).rejects.toThrow("7.8: must be one version X.Y.Z");
  await expect(release()).rejects.toThrow("the version: must be one version X.Y.Z");
  await expect(release("0.0.9")).rejects.toThrow(/0\.0\.9: must not be below/);
  await git("tag", "v7.8.9");
  await expect(release("7.8.9")).rejects.toThrow("v7.8.9: is a tag already");
  await appendFile(join(folder.path, "CHANGELOG.md"), "- More.\n");
  await expect(release("7.9.0")).rejects.toThrow("the working tree has changes");
  await git("commit", "--quiet", "--all", "--message", "More");
  await release("7.9.0");
  await expect(release("7.9.1")).rejects.toThrow("CHANGELOG.md: nothing is unreleased");
  expect(await git("log", "--format=%s")).toBe("Release 7.9.0\nMore\nBegin\n");
  expect(await git("status", "--porcelain")).toBe("");
});
