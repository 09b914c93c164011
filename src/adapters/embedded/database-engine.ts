import { setFlagsFromString } from "node:v8";
import { PGlite } from "@electric-sql/pglite";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { vector } from "@electric-sql/pglite-pgvector";

/** Sized for a laptop: the engine's memory lies in one WASM heap that grows and never shrinks. */
const SERVER_SETTINGS = [
  "shared_buffers=32MB",
  "maintenance_work_mem=64MB",
  "work_mem=4MB",
  "max_wal_size=128MB",
];

/** For a process that ends before optimized code has paid for itself: to make a cluster takes a third less CPU. */
export function leaveUnoptimized(): void {
  setFlagsFromString("--liftoff-only");
}

/**
 * Starts the engine on a folder, initialising it when it is empty.
 * @param packed what `dumpDataDir` has made of another folder, to begin with
 */
export async function openEngine(folder: string, packed?: Blob): Promise<PGlite> {
  return PGlite.create({
    dataDir: folder,
    loadDataDir: packed,
    extensions: { vector, pg_trgm },
    startParams: [...PGlite.defaultStartParams, ...SERVER_SETTINGS.flatMap((setting) => ["-c", setting])],
  });
}
