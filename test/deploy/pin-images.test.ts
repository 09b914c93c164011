import { copyFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runProgram } from "../support/run-program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

const ROOT = join(import.meta.dirname, "../../..");
const FILES = ["deploy/kubernetes/images/kustomization.yaml", "deploy/helm/ml-platform/values.yaml"];
const DIGEST = `sha256:${"0f".repeat(32)}`;

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await temporaryFolder();
  for (const file of FILES) {
    await mkdir(dirname(join(folder.path, file)), { recursive: true });
    await copyFile(join(ROOT, file), join(folder.path, file));
  }
});
afterEach(() => folder.remove());

const pin = (...images: string[]) =>
  runProgram(process.execPath, [join(ROOT, "deploy/local/pin-images.mjs"), ...images], { cwd: folder.path });

test("a release's digests are written for kustomize and Helm, and nothing else changes", async () => {
  await pin(`254carbon-ml=7.8.9@${DIGEST}`, `254carbon-ml-gpu=7.8.9@${DIGEST}`);
  for (const file of FILES) {
    const before = (await readFile(join(ROOT, file), "utf8")).split("\n");
    const after = (await readFile(join(folder.path, file), "utf8")).split("\n");
    const added = after.filter((line) => !before.includes(line));
    expect(added.length).toBeGreaterThan(0);
    for (const line of added) expect(line).toMatch(/7\.8\.9|0f0f/);
    expect(after.join("\n").split(DIGEST)).toHaveLength(3);
    expect(after.join("\n").split("7.8.9")).toHaveLength(3);
    const gone = before.filter((line) => !after.includes(line));
    for (const line of gone) expect(line).toMatch(/tag|Tag|digest/);
  }
});

test.each([
  ["254carbon-ml=latest", /must be NAME=VERSION@sha256/],
  ["valkey=8.1.4@sha256:00", /must be NAME=VERSION@sha256/],
  [`other=1.2.3@${DIGEST}`, /NAME 254carbon-ml or 254carbon-ml-gpu/],
])("%s is refused", async (image, reason) => {
  await expect(pin(image)).rejects.toThrow(reason);
});
