import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import type { Logger } from "../../telemetry/logger.js";
import type { JobRun, JobService } from "../operations/index.js";
import { passageTable } from "./passage-table.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { HnswIndexRepository } from "./hnsw-index.repository.js";
import type { HnswOptions } from "./hnsw-index.repository.js";

export interface Probed {
  recall: number;
  /** null: searched row by row. */
  efSearch: number | null;
}

/** Below, reading every row answers as quickly, and never wrongly. */
const FEWEST_PASSAGES = 2_000;
/** pgvector builds no HNSW index over wider halfvecs. */
const MOST_DIMENSIONS = 4_000;
const WANTED_RECALL = 0.98;
const LEAST_RECALL = 0.95;
const PROBES = 50;
/** hnsw.ef_search, the cheapest first. */
const EFFORTS = [40, 80, 160, 320];
/** The usual graph, and a denser one for vectors that it does not separate. */
const GRAPHS: HnswOptions[] = [
  { m: 16, efConstruction: 64 },
  { m: 32, efConstruction: 200 },
];
const POLL_MS = 1_000;

/** Builds the indexes that find near vectors without reading all of them, and measures what they miss. */
export class HnswIndexService {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobService,
    private readonly logger: Logger,
  ) {}

  /**
   * Searches and writes go on meanwhile.
   * @throws {UnrecoverableJobError} when the index finds too little
   */
  async buildAndProbe(index: SearchIndexRow, run: JobRun): Promise<Probed> {
    const hnsw = new HnswIndexRepository(this.database, index);
    if (!(await this.isWorthwhile(index))) return exact;
    let best: Probed = { recall: 0, efSearch: null };
    // After a kill, a graph that stands is not built again.
    const standing = (await hnsw.stands(GRAPHS.at(-1)!)) ? GRAPHS.slice(-1) : GRAPHS;
    for (const graph of standing) {
      await this.build(hnsw, index, graph, run);
      best = await this.probe(hnsw, run.signal);
      this.logger.info(
        { event: "search_index.probed", index: index.id, recall: best.recall },
        "the recall of an HNSW index was probed",
      );
      if (best.recall >= WANTED_RECALL) return best;
    }
    if (best.recall >= LEAST_RECALL) return best;
    await this.drop(hnsw, run);
    throw new UnrecoverableJobError(
      `the index of ${passageTable(index.id)} finds only ${best.recall.toFixed(3)} of the nearest passages`,
    );
  }

  /** Whether reading every row takes longer than an HNSW index would. */
  async isWorthwhile(index: SearchIndexRow): Promise<boolean> {
    if (this.database.vectorSearch === "exact" || index.dimensions > MOST_DIMENSIONS) return false;
    const hnsw = new HnswIndexRepository(this.database, index);
    return (await hnsw.countPassages(FEWEST_PASSAGES)) === FEWEST_PASSAGES;
  }

  private async build(
    hnsw: HnswIndexRepository,
    index: SearchIndexRow,
    graph: HnswOptions,
    run: JobRun,
  ): Promise<void> {
    const { signal } = run;
    // A process that was killed may have left a build behind that the server goes on with.
    while (await hnsw.isBeingBuilt()) await delay(POLL_MS, undefined, { signal });
    if (await hnsw.stands(graph)) return;
    await this.drop(hnsw, run);
    const start = performance.now();
    await hnsw.create(graph, signal);
    const durationMs = Math.round(performance.now() - start);
    this.logger.info({ event: "search_index.built", index: index.id, durationMs }, "an HNSW index was built");
  }

  /** Not the index that another worker has built after it took the job over. */
  private drop(hnsw: HnswIndexRepository, run: JobRun): Promise<void> {
    return this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, run);
      await hnsw.drop(tx);
    });
  }

  private async probe(hnsw: HnswIndexRepository, signal: AbortSignal): Promise<Probed> {
    const probes = await hnsw.nearest(PROBES, signal);
    let best: Probed = { recall: 0, efSearch: null };
    for (const efSearch of EFFORTS) {
      best = { recall: await hnsw.recall(probes, efSearch), efSearch };
      if (best.recall >= WANTED_RECALL) break;
    }
    return best;
  }
}

const exact: Probed = { recall: 1, efSearch: null };
