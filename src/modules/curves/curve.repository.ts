import type { Transaction } from "../../ports/database.js";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { CurveRow } from "./curve.entity.js";
import type { CurveSnapshotRow } from "./curve-snapshot.entity.js";

export interface SnapshotRange {
  from?: string | null;
  to?: string | null;
  /** As the history stood at that instant. */
  knownAt?: Date | null;
}

type SnapshotRecord = Pick<CurveSnapshotRow, "date" | "values" | "recordedAt">;

/** Latest revision of each date that was known; parameters $1 curve, $2 knownAt, $3 from, $4 to. */
const KNOWN = `
  SELECT DISTINCT ON (date) date::text AS date, values, recorded_at AS "recordedAt", revision
  FROM curve_snapshots
  WHERE curve_id = $1 AND recorded_at <= coalesce($2::timestamptz, 'infinity')
    AND date >= coalesce($3::date, '-infinity') AND date <= coalesce($4::date, 'infinity')`;

/** Curves and their snapshots; revisions are appended, never overwritten. */
export class CurveRepository {
  constructor(private readonly tx: Transaction) {}

  byName(name: string): Promise<CurveRow | null> {
    return this.tx.findOneBy(CurveRow, { name });
  }

  byIds(ids: readonly string[]): Promise<CurveRow[]> {
    return this.tx.createQueryBuilder(CurveRow, "curve").where("curve.id = ANY(:ids)", { ids }).getMany();
  }

  /** @returns false when the name is taken */
  async insert(curve: Omit<CurveRow, "createdAt">): Promise<boolean> {
    const { raw } = await this.tx
      .createQueryBuilder()
      .insert()
      .into(CurveRow)
      .values(curve)
      .orIgnore()
      .returning("id")
      .execute();
    return (raw as unknown[]).length > 0;
  }

  /** Serializes writers of one curve. */
  async lock(id: string): Promise<void> {
    await this.tx.query("SELECT 1 FROM curves WHERE id = $1 FOR UPDATE", [id]);
  }

  async list(page: PageRequest): Promise<Page<CurveRow>> {
    const query = this.tx.createQueryBuilder(CurveRow, "curve").orderBy("curve.name");
    if (page.after) query.where("curve.name > :after", { after: page.after[0] });
    const rows = await query.limit(page.limit + 1).getMany();
    return toPage(
      rows,
      page,
      (row) => [row.name],
      () => this.tx.count(CurveRow),
    );
  }

  async latest(curveIds: readonly string[]): Promise<Map<string, SnapshotRecord>> {
    const rows = await this.tx.query<(SnapshotRecord & { curveId: string })[]>(
      `SELECT c.id AS "curveId", s.* FROM unnest($1::uuid[]) AS c(id) CROSS JOIN LATERAL (
         SELECT date::text AS date, values, recorded_at AS "recordedAt" FROM curve_snapshots
         WHERE curve_id = c.id ORDER BY date DESC, revision DESC LIMIT 1) s`,
      [curveIds],
    );
    return new Map(rows.map((row) => [row.curveId, row]));
  }

  async snapshots(curveId: string, range: SnapshotRange, page: PageRequest): Promise<Page<SnapshotRecord>> {
    const parameters = [curveId, range.knownAt ?? null, range.from ?? null, range.to ?? null];
    const rows = await this.tx.query<SnapshotRecord[]>(
      `${KNOWN} AND date > coalesce($5::date, '-infinity') ORDER BY date, revision DESC LIMIT $6`,
      [...parameters, page.after?.[0] ?? null, page.limit + 1],
    );
    return toPage(
      rows,
      page,
      (row) => [row.date],
      () => this.count(parameters),
    );
  }

  /** The whole known history, oldest first. */
  history(curveId: string, range: SnapshotRange): Promise<SnapshotRecord[]> {
    return this.tx.query<SnapshotRecord[]>(`${KNOWN} ORDER BY date, revision DESC`, [
      curveId,
      range.knownAt ?? null,
      range.from ?? null,
      range.to ?? null,
    ]);
  }

  /** The last snapshots on or before a date, oldest first. */
  async lastBefore(curveId: string, asOf: string | null, count: number): Promise<SnapshotRecord[]> {
    const rows = await this.tx.query<SnapshotRecord[]>(
      `SELECT DISTINCT ON (date) date::text AS date, values, recorded_at AS "recordedAt" FROM curve_snapshots
       WHERE curve_id = $1 AND date <= coalesce($2::date, 'infinity') ORDER BY date DESC, revision DESC LIMIT $3`,
      [curveId, asOf, count],
    );
    return rows.reverse();
  }

  /** Latest revisions of the given dates. */
  async revisions(
    curveId: string,
    dates: readonly string[],
  ): Promise<Map<string, { revision: number; values: (number | null)[] }>> {
    const rows = await this.tx.query<{ date: string; revision: number; values: (number | null)[] }[]>(
      `SELECT DISTINCT ON (date) date::text AS date, revision, values FROM curve_snapshots
       WHERE curve_id = $1 AND date = ANY($2::date[]) ORDER BY date, revision DESC`,
      [curveId, dates],
    );
    return new Map(rows.map((row) => [row.date, row]));
  }

  /** Appends revisions, all recorded at the same instant, as exact as clients are told it. */
  async append(
    curveId: string,
    snapshots: readonly { date: string; revision: number; values: (number | null)[] }[],
  ): Promise<void> {
    await this.tx.query(
      `INSERT INTO curve_snapshots (curve_id, date, revision, values, recorded_at)
       SELECT $1, (s->>'date')::date, (s->>'revision')::int,
         ARRAY(SELECT v::float8 FROM jsonb_array_elements_text(s->'values') WITH ORDINALITY AS e(v, i) ORDER BY i),
         date_trunc('milliseconds', statement_timestamp())
       FROM jsonb_array_elements($2::jsonb) AS s`,
      [curveId, JSON.stringify(snapshots)],
    );
  }

  private async count(parameters: unknown[]): Promise<number> {
    const [row] = await this.tx.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM (${KNOWN} ORDER BY date, revision DESC) known`,
      parameters,
    );
    return row!.count;
  }
}
