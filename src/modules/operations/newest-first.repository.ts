import type { ObjectLiteral, SelectQueryBuilder } from "typeorm";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";

/** A page of the rows that `query` selects, newest first; rows of the same instant by id. */
export async function newestFirst<Row extends ObjectLiteral & { id: string; createdAt: Date }>(
  query: SelectQueryBuilder<Row>,
  page: PageRequest,
): Promise<Page<Row>> {
  const count = query.clone();
  const { alias } = query;
  if (page.after) {
    query.andWhere(`(${alias}.createdAt, ${alias}.id) < (:at, :id)`, {
      at: page.after[0],
      id: page.after[1],
    });
  }
  const rows = await query
    .orderBy(`${alias}.createdAt`, "DESC")
    .addOrderBy(`${alias}.id`, "DESC")
    .limit(page.limit + 1)
    .getMany();
  return toPage(
    rows,
    page,
    (row) => [row.createdAt.toISOString(), row.id],
    () => count.getCount(),
  );
}
