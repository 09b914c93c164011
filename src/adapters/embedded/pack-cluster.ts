import { open, rm } from "node:fs/promises";
import { leaveUnoptimized, openEngine } from "./database-engine.js";

/**
 * Entry of the short-lived process that packs a copied cluster: it opens the copy, which proves that it is one, and
 * leaves one compressed file.
 */

const [folder, file] = process.argv.slice(2) as [string, string];
leaveUnoptimized();
const engine = await openEngine(folder);
const { rows } = await engine.query<{ tables: number }>(
  "SELECT count(*)::int AS tables FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
);
await engine.exec("CHECKPOINT");
const packed = await engine.dumpDataDir("gzip");
await engine.close();
const target = await open(file, "wx");
try {
  for await (const chunk of packed.stream()) await target.write(chunk as Uint8Array);
  await target.sync();
} catch (error) {
  await rm(file, { force: true });
  throw error;
} finally {
  await target.close();
}
process.stdout.write(JSON.stringify({ tables: rows[0]!.tables }));
