import "reflect-metadata";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lexicographicSortSchema, printSchema } from "graphql";
import { createApp } from "./app.js";
import { loadConfig } from "./config/config.js";

/** `npm run schema`: writes the graph as it is served to schema/schema.graphql. */
const target = join(import.meta.dirname, "../../schema/schema.graphql");
const dataDir = await mkdtemp(join(tmpdir(), "254carbon-schema-"));
const app = await createApp(
  loadConfig({ ML_DATA_DIR: dataDir, ML_LOG_LEVEL: "silent", ML_SAMPLES: "false" }),
);
try {
  await writeFile(target, `${printSchema(lexicographicSortSchema(app.schema))}\n`);
} finally {
  await app.close();
  await rm(dataDir, { recursive: true, force: true });
}
