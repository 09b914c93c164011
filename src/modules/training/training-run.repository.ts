import type { Transaction } from "../../ports/database.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { OutboxRepository, newestFirst } from "../operations/index.js";
import type { EventPosition } from "../operations/index.js";
import { TrainingRunRow } from "./training-run.entity.js";

type NewRun = Pick<
  TrainingRunRow,
  "id" | "modelId" | "curveId" | "collectionId" | "jobId" | "spec" | "parameters" | "createdBy"
>;

/** Training runs, each change with its event. */
export class TrainingRunRepository {
  constructor(private readonly tx: Transaction) {}

  async insert(run: NewRun, model: string): Promise<EventPosition> {
    await this.tx.insert(TrainingRunRow, run as never);
    return this.announce({ id: run.id, status: "QUEUED", progress: 0 }, model, "queued");
  }

  find(id: string): Promise<TrainingRunRow | null> {
    return this.tx.findOneBy(TrainingRunRow, { id });
  }

  /** Locks the row until the transaction ends. */
  lock(id: string): Promise<TrainingRunRow | null> {
    return this.tx.findOne(TrainingRunRow, { where: { id }, lock: { mode: "pessimistic_write" } });
  }

  findByJob(jobId: string): Promise<TrainingRunRow | null> {
    return this.tx.findOneBy(TrainingRunRow, { jobId });
  }

  async byIds(ids: readonly string[]): Promise<Map<string, TrainingRunRow>> {
    const rows = await this.tx
      .createQueryBuilder(TrainingRunRow, "run")
      .where("run.id = ANY(:ids)", { ids })
      .getMany();
    return new Map(rows.map((row) => [row.id, row]));
  }

  async list(modelId: string | undefined, page: PageRequest): Promise<Page<TrainingRunRow>> {
    const query = this.tx.createQueryBuilder(TrainingRunRow, "run");
    if (modelId !== undefined) query.where("run.modelId = :modelId", { modelId });
    return newestFirst(query, page, "createdAt");
  }

  /** Writes the changes and appends the event that tells of them. */
  async update(
    run: TrainingRunRow,
    model: string,
    changes: Partial<TrainingRunRow>,
    message: string,
  ): Promise<EventPosition> {
    Object.assign(run, changes);
    await this.tx.update(TrainingRunRow, run.id, changes as never);
    return this.announce(run, model, message);
  }

  private announce(
    { id, status, progress }: Pick<TrainingRunRow, "id" | "status" | "progress">,
    model: string,
    message: string,
  ): Promise<EventPosition> {
    return new OutboxRepository(this.tx).append({
      topic: "training",
      subject: { run: id, model },
      payload: { run: id, status, progress, message },
    });
  }
}
