import type { ObjectLiteral, SelectQueryBuilder } from "typeorm";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";

/** A page of the rows that `query` selects, newest by `instant` first; rows of the same instant by id. */
export async function newestFirst<
  Instant extends string,
  Row extends ObjectLiteral & { id: string } & Record<Instant, Date>,
>(query: SelectQueryBuilder<Row>, page: PageRequest, instant: Instant): Promise<Page<Row>> {
  const count = query.clone();
  const { alias } = query;
  if (page.after) {
    query.andWhere(`(${alias}.${instant}, ${alias}.id) < (:at, :id)`, {
      at: page.after[0],
      id: page.after[1],
    });
  }
  const rows = await query
    .orderBy(`${alias}.${instant}`, "DESC")
    .addOrderBy(`${alias}.id`, "DESC")
    .limit(page.limit + 1)
    .getMany();
  return toPage(
    rows,
    page,
    (row) => [row[instant].toISOString(), row.id],
    () => count.getCount(),
  );
}
