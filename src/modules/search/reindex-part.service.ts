import type { JobRun, JobService } from "../operations/index.js";
import type { DocumentRange } from "./document.repository.js";
import type { DocumentEmbedder, EmbeddingOutcome } from "./document-embedder.service.js";
import { FILL_AT_ONCE } from "./reindex-hold.js";
import type { ReindexHold } from "./reindex-hold.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";

/** The parts of large reindexes: each embeds a range of the documents that were there when its reindex began. */
export class ReindexPartService {
  constructor(
    private readonly jobs: JobService,
    private readonly embedder: DocumentEmbedder,
    private readonly hold: ReindexHold,
  ) {}

  /**
   * The job; started again after a kill, it goes on where it was. Documents of its range that change meanwhile are
   * left to the reindex itself.
   */
  async execute(range: DocumentRange, run: JobRun): Promise<EmbeddingOutcome> {
    const { parentId } = (await this.jobs.find(run.id))!;
    return this.hold.onIndexOf(parentId!, async (index) => {
      await this.fill(index, range, run);
      return this.embedder.embedPending(run, { jobId: run.id });
    });
  }

  private async fill(index: SearchIndexRow, { after, to }: DocumentRange, run: JobRun): Promise<void> {
    let from: string | null = after;
    while (from !== null) {
      run.signal.throwIfAborted();
      const rest: DocumentRange = { after: from, to };
      from = await this.hold.whileHeld(index, run, (tx) =>
        new SearchIndexRepository(tx).fillRange(index, run.id, rest, FILL_AT_ONCE),
      );
    }
  }
}
