import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { storedObjects } from "../support/platform-engines.js";
import { digestOf } from "../support/registry.js";
import { cleanUp } from "../support/upkeep.js";

const HOUR_MS = 3_600_000;
const bytes = new TextEncoder().encode("stored by a training that another database knows");
const digest = digestOf(bytes);

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

test("an object that no row refers to goes when it has been there for the days asked for, not before", async () => {
  const file = join(platform.dataDir, "objects/objects", digest.slice(0, 2), digest);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
  const storedBefore = (hours: number) => {
    const at = new Date(Date.now() - hours * HOUR_MS);
    return utimes(file, at, at);
  };
  await storedBefore(23);
  expect((await cleanUp(platform, 1, false)).artifacts).toEqual([]);
  expect(await storedObjects(platform)).toEqual([digest]);
  await storedBefore(25);
  expect((await cleanUp(platform, 1, false)).artifacts).toMatchObject([{ sha256: digest }]);
  expect(await storedObjects(platform)).toEqual([]);
});
