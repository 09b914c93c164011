import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where programs that tests fetch are kept between runs. Root's home is closed to the unprivileged user that servers
 * run as, so root keeps them where everybody may read.
 */
function cacheRoot(): string {
  if (process.getuid?.() === 0) return "/var/cache/254carbon";
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "254carbon");
}

/**
 * A folder of the cache, made once: `make` fills a draft that takes its name only when it is whole, so that a run that
 * was killed leaves nothing half done and two runs at once do no harm.
 */
export async function cachedFolder(name: string, make: (draft: string) => Promise<void>): Promise<string> {
  const root = cacheRoot();
  const folder = join(root, name);
  if (existsSync(folder)) return folder;
  await mkdir(root, { recursive: true });
  const draft = await mkdtemp(join(root, `.draft-${name}-`));
  try {
    await make(draft);
    await rename(draft, folder).catch((error: NodeJS.ErrnoException) => {
      // Another run was faster: its folder is as good.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return folder;
}
