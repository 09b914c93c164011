import { leaveUnoptimized, openEngine } from "./database-engine.js";

/** Entry of the short-lived process that makes a cluster: the half gigabyte that it takes goes with it. */

leaveUnoptimized();
const engine = await openEngine(process.argv[2]!);
await engine.exec("CREATE EXTENSION vector; CREATE EXTENSION pg_trgm; CHECKPOINT");
await engine.close();
