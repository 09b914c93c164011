import { workerData } from "node:worker_threads";
import { openEngine } from "./database-engine.js";

/** Entry of the short-lived thread that initialises a data folder; its memory goes when it ends. */

const engine = await openEngine((workerData as { folder: string }).folder);
await engine.exec("CREATE EXTENSION vector; CREATE EXTENSION pg_trgm; CHECKPOINT");
await engine.close();
process.exit(0);
