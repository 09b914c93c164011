import "reflect-metadata";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lexicographicSortSchema, printSchema } from "graphql";
import { createApp } from "./app.js";
import { loadConfig } from "./config/config.js";

/** `npm run schema`: writes the graph as it is served, and the manifest of our clients' operations, to schema/. */
const folder = join(import.meta.dirname, "../../schema");
const dataDir = await mkdtemp(join(tmpdir(), "254carbon-schema-"));
const app = await createApp(
  loadConfig({ ML_DATA_DIR: dataDir, ML_LOG_LEVEL: "silent", ML_SAMPLES: "false" }),
);
try {
  await writeFile(join(folder, "schema.graphql"), `${printSchema(lexicographicSortSchema(app.schema))}\n`);
  await writeFile(join(folder, "operations.json"), `${JSON.stringify(await manifest(), null, 2)}\n`);
} finally {
  await app.close();
  await rm(dataDir, { recursive: true, force: true });
}

/** Every operation's text by its SHA-256. */
async function manifest(): Promise<Record<string, string>> {
  const documents: Record<string, string> = {};
  for (const file of (await readdir(join(folder, "operations"))).sort()) {
    const text = await readFile(join(folder, "operations", file), "utf8");
    documents[createHash("sha256").update(text).digest("hex")] = text;
  }
  return documents;
}
