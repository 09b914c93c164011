import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEMPLATE_VARIABLE } from "./embedded-template.js";
import { startPlatform } from "./platform.js";

/** Before the first test of a run on the embedded tier: the migrated data folder that its platforms start from. */
export default async function startRun(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "254carbon-template-"));
  const platform = await startPlatform({ dataDir });
  await platform.stop();
  // Keys are each platform's own.
  for (const file of await readdir(dataDir)) {
    if (file.endsWith(".key")) await rm(join(dataDir, file));
  }
  process.env[TEMPLATE_VARIABLE] = dataDir;
}

/** After the last test. */
export async function stopRun(): Promise<void> {
  await rm(process.env[TEMPLATE_VARIABLE]!, { recursive: true, force: true });
}
