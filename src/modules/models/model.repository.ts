import type { Transaction } from "../../ports/database.js";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { ModelRow } from "./model.entity.js";
import type { ModelKind } from "./model.entity.js";

/** Registered models. */
export class ModelRepository {
  constructor(private readonly tx: Transaction) {}

  byName(name: string): Promise<ModelRow | null> {
    return this.tx.findOneBy(ModelRow, { name });
  }

  /** Serializes everything that changes a model's versions and stages. */
  lockByName(name: string): Promise<ModelRow | null> {
    return this.tx.findOne(ModelRow, { where: { name }, lock: { mode: "pessimistic_write" } });
  }

  async byIds(ids: readonly string[]): Promise<Map<string, ModelRow>> {
    const rows = await this.tx
      .createQueryBuilder(ModelRow, "model")
      .where("model.id = ANY(:ids)", { ids })
      .getMany();
    return new Map(rows.map((row) => [row.id, row]));
  }

  async update(model: ModelRow, changes: Partial<ModelRow>): Promise<void> {
    Object.assign(model, changes);
    await this.tx.update(ModelRow, model.id, changes as never);
  }

  /** Does nothing when the name is taken. */
  async insert(
    model: Pick<ModelRow, "id" | "name" | "kind" | "description" | "tags" | "createdBy">,
  ): Promise<boolean> {
    const { raw } = await this.tx
      .createQueryBuilder()
      .insert()
      .into(ModelRow)
      .values(model)
      .orIgnore()
      .returning("id")
      .execute();
    return (raw as unknown[]).length > 0;
  }

  /** @returns the number of the next version */
  async nextNumber(model: ModelRow): Promise<number> {
    const [rows] = await this.tx.query<[{ last_number: number }[], number]>(
      "UPDATE models SET last_number = last_number + 1 WHERE id = $1 RETURNING last_number",
      [model.id],
    );
    return rows[0]!.last_number;
  }

  /** Names of the models of a kind that have a version in production. */
  async namesInProduction(kind: ModelKind): Promise<string[]> {
    const rows = await this.tx.query<{ name: string }[]>(
      `SELECT name FROM models
       WHERE kind = $1 AND EXISTS (SELECT FROM model_versions WHERE model_id = models.id AND stage = 'PRODUCTION')
       ORDER BY name`,
      [kind],
    );
    return rows.map(({ name }) => name);
  }

  async list(kind: ModelKind | undefined, page: PageRequest): Promise<Page<ModelRow>> {
    const query = this.tx.createQueryBuilder(ModelRow, "model");
    if (kind !== undefined) query.where("model.kind = :kind", { kind });
    const count = query.clone();
    if (page.after) query.andWhere("model.name > :after", { after: page.after[0] });
    const rows = await query
      .orderBy("model.name")
      .limit(page.limit + 1)
      .getMany();
    return toPage(
      rows,
      page,
      (row) => [row.name],
      () => count.getCount(),
    );
  }
}
