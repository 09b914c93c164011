import { constants, cpSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Variable in which a run on the embedded tier tells its tests where the data folder lies that they start from. */
export const TEMPLATE_VARIABLE = "TEST_TEMPLATE";

/** An empty data folder whose database has been migrated: what that takes, a run takes once. */
export async function newDataDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "254carbon-test-"));
  const template = process.env[TEMPLATE_VARIABLE];
  // More than a thousand small files: one by one through promises takes twice the CPU.
  if (template) cpSync(template, folder, { recursive: true, mode: constants.COPYFILE_FICLONE });
  return folder;
}
