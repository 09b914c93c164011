import type { CliCommand } from "../command.js";
import { audit } from "./audit.command.js";
import { backup } from "./backup.command.js";
import { backups } from "./backups.command.js";
import { cancel } from "./cancel.command.js";
import { cleanup } from "./cleanup.command.js";
import { collections } from "./collections.command.js";
import { deleteDocuments } from "./delete-documents.command.js";
import { demo } from "./demo.command.js";
import { exportPlatform } from "./export.command.js";
import { forecast } from "./forecast.command.js";
import { importPlatform } from "./import.command.js";
import { importCurve } from "./import-curve.command.js";
import { importEmbedder } from "./import-embedder.command.js";
import { importMlflow } from "./import-mlflow.command.js";
import { ingest } from "./ingest.command.js";
import { jobs } from "./jobs.command.js";
import { keys } from "./keys.command.js";
import { mirror } from "./mirror.command.js";
import { models } from "./models.command.js";
import { predict } from "./predict.command.js";
import { promote } from "./promote.command.js";
import { register } from "./register.command.js";
import { reindex } from "./reindex.command.js";
import { restore } from "./restore.command.js";
import { rollback } from "./rollback.command.js";
import { runs } from "./runs.command.js";
import { search } from "./search.command.js";
import { testRestore } from "./test-restore.command.js";
import { token } from "./token.command.js";
import { train } from "./train.command.js";
import { trainEmbedder } from "./train-embedder.command.js";
import { vacuum } from "./vacuum.command.js";

/** Every command, in the order of the help. */
export const commands: CliCommand[] = [
  train,
  trainEmbedder,
  promote,
  rollback,
  forecast,
  predict,
  register,
  importEmbedder,
  importMlflow,
  importCurve,
  ingest,
  search,
  deleteDocuments,
  reindex,
  collections,
  models,
  runs,
  cancel,
  jobs,
  keys,
  token,
  backup,
  backups,
  restore,
  testRestore,
  mirror,
  cleanup,
  vacuum,
  audit,
  exportPlatform,
  importPlatform,
  demo,
];
