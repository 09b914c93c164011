import type { App } from "../src/app.js";
import type { JobRun } from "../src/modules/operations/index.js";
import type { JobName, PayloadOf } from "./job-catalogue.js";

type Handler<N extends JobName> = (
  payload: PayloadOf<N>,
  run: JobRun,
) => Promise<Record<string, unknown> | undefined>;

/** One line a job; a job of the catalogue without a handler does not compile. */
export function jobHandlers({ models, training, search, upkeep }: App): { [N in JobName]: Handler<N> } {
  return {
    "validate-model-version": ({ version }, run) => models.registry.validate(version, run),
    "train-forecaster": ({ run: trainingRun }, run) => training.training.execute(trainingRun, run),
    "backtest-segment": (segment, run) => training.segments.execute(segment, run),
    "embed-documents": async (_, run) => ({
      ...(await search.embedder.embedPending(run, { jobId: run.id })),
    }),
    "train-embedder": ({ run: trainingRun }, run) => search.embedderTraining.execute(trainingRun, run),
    "reindex-collection": ({ partedTo }, run) =>
      search.indexBuilder.build(run, { parted: partedTo !== null }),
    "reindex-part": async (range, run) => ({ ...(await search.reindexParts.execute(range, run)) }),
    "index-vectors": ({ index }, run) => search.indexGrowth.build(index, run),
    backup: (_, run) => upkeep.backups.run(run),
    "mirror-artifacts": (options, run) => upkeep.mirror.run(options, run),
    cleanup: (options, run) => upkeep.cleanup.run(options, run),
    "vacuum-database": () => upkeep.vacuum.run(),
    "test-restore": (options, run) => upkeep.restoreTests.run(options, run),
  };
}
