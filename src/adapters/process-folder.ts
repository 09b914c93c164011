import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Makes an empty folder of this process in one that processes of this machine share, and removes the folders of those
 * that are no more.
 */
export async function openProcessFolder(shared: string): Promise<string> {
  await mkdir(shared, { recursive: true });
  for (const name of await readdir(shared)) {
    if (!isOtherProcess(Number(name))) await rm(join(shared, name), { recursive: true, force: true });
  }
  const own = join(shared, String(process.pid));
  await mkdir(own);
  return own;
}

function isOtherProcess(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
