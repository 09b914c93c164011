import { randomUUID } from "node:crypto";
import type { Database, Transaction } from "../../ports/database.js";
import { ConflictError, InvalidInputError, NotFoundError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import type { Caller } from "../identity/index.js";
import { onceOnly } from "../operations/index.js";
import type { CurveKind, CurveRow } from "./curve.entity.js";
import { CurveRepository } from "./curve.repository.js";
import type { SnapshotRange } from "./curve.repository.js";
import { assertTenors } from "./tenor.rules.js";

export interface SnapshotInput {
  date: string;
  points: readonly { tenor: string; value?: number | null }[];
}

export interface Snapshot {
  date: string;
  recordedAt: Date;
  points: { tenor: string; value: number | null }[];
}

/** A curve's numbers, dates ascending; NaN where nothing was quoted. */
export interface CurveHistory {
  kind: CurveKind;
  dates: string[];
  tenors: string[];
  /** Row-major [dates, tenors]. */
  values: Float64Array;
}

export interface RecordOutcome {
  created: number;
  replaced: number;
  unchanged: number;
}

const NAME = /^[a-z0-9_-]{1,64}$/;
const MOST_SNAPSHOTS = 10_000;

/** Market curves and their histories. */
export class CurveService {
  constructor(private readonly database: Database) {}

  async define(
    input: { name: string; kind: CurveKind; unit: string; tenors: string[] },
    caller: Caller,
  ): Promise<CurveRow> {
    if (!NAME.test(input.name)) {
      throw InvalidInputError.at("input.name", "lower-case letters, digits, _ and -, at most 64");
    }
    if (input.unit.trim() === "" || input.unit.length > 64) {
      throw InvalidInputError.at("input.unit", "must be 1 to 64 characters long");
    }
    assertTenors(input.tenors, input.kind);
    return this.database.transaction(async (tx) => {
      const curves = new CurveRepository(tx);
      const { name, kind, unit, tenors } = input;
      const inserted = await curves.insert({
        id: randomUUID(),
        name,
        kind,
        unit,
        tenors,
        createdBy: caller.subject,
      });
      if (!inserted) throw new ConflictError(`input.name: a curve "${name}" exists`, { field: "input.name" });
      return (await curves.byName(name))!;
    });
  }

  /** Records all snapshots or none; a date that exists gets a revision where its values differ. */
  async record(
    input: { curve: string; snapshots: readonly SnapshotInput[]; idempotencyKey?: string | null },
    caller: Caller,
  ): Promise<{ curve: CurveRow; outcome: RecordOutcome }> {
    const curve = await this.require(input.curve, "input.curve");
    const snapshots = readSnapshots(input.snapshots, curve.tenors);
    const outcome = await this.database.transaction((tx) =>
      onceOnly(
        tx,
        {
          caller: caller.subject,
          operation: "recordCurve",
          key: input.idempotencyKey,
          body: { curve: input.curve, snapshots: input.snapshots },
        },
        () => this.append(tx, curve, snapshots),
      ),
    );
    return { curve, outcome };
  }

  private async append(
    tx: Transaction,
    curve: CurveRow,
    snapshots: readonly { date: string; values: (number | null)[] }[],
  ): Promise<RecordOutcome> {
    const curves = new CurveRepository(tx);
    await curves.lock(curve.id);
    const known = await curves.revisions(
      curve.id,
      snapshots.map(({ date }) => date),
    );
    const changed = snapshots.filter(({ date, values }) => {
      const latest = known.get(date);
      return !latest || latest.values.some((value, i) => value !== values[i]);
    });
    await curves.append(
      curve.id,
      changed.map(({ date, values }) => ({ date, values, revision: (known.get(date)?.revision ?? 0) + 1 })),
    );
    const created = changed.filter(({ date }) => !known.has(date)).length;
    return { created, replaced: changed.length - created, unchanged: snapshots.length - changed.length };
  }

  find(name: string): Promise<CurveRow | null> {
    return this.read((curves) => curves.byName(name));
  }

  /** @throws {NotFoundError} naming the field that named the curve */
  async require(name: string, field: string): Promise<CurveRow> {
    const curve = await this.find(name);
    if (!curve) throw new NotFoundError(`${field}: no curve "${name}"`, { field });
    return curve;
  }

  async byIds(ids: readonly string[]): Promise<(CurveRow | Error)[]> {
    const rows = await this.read((curves) => curves.byIds(ids));
    const found = new Map(rows.map((curve) => [curve.id, curve]));
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such Curve"));
  }

  list(page: PageRequest): Promise<Page<CurveRow>> {
    return this.read((curves) => curves.list(page));
  }

  async latest(curves: readonly CurveRow[]): Promise<(Snapshot | null)[]> {
    const ids = curves.map(({ id }) => id);
    const latest = await this.read((repository) => repository.latest(ids));
    return curves.map((curve) => {
      const record = latest.get(curve.id);
      return record ? toSnapshot(curve, record) : null;
    });
  }

  async snapshots(curve: CurveRow, range: SnapshotRange, request: PageRequest): Promise<Page<Snapshot>> {
    const page = await this.read((curves) => curves.snapshots(curve.id, range, request));
    return { ...page, items: page.items.map(({ item, keys }) => ({ item: toSnapshot(curve, item), keys })) };
  }

  async history(curve: CurveRow, range: SnapshotRange): Promise<CurveHistory> {
    return toHistory(curve, await this.read((curves) => curves.history(curve.id, range)));
  }

  /** The last `count` dates on or before `asOf`; fewer when there are fewer. */
  async window(curve: CurveRow, asOf: string | null, count: number): Promise<CurveHistory> {
    return toHistory(curve, await this.read((curves) => curves.lastBefore(curve.id, asOf, count)));
  }

  private read<T>(work: (curves: CurveRepository) => Promise<T>): Promise<T> {
    return this.database.read((tx) => work(new CurveRepository(tx)));
  }
}

function toSnapshot(
  curve: CurveRow,
  record: { date: string; recordedAt: Date; values: (number | null)[] },
): Snapshot {
  const points = curve.tenors.map((tenor, i) => ({ tenor, value: record.values[i] ?? null }));
  return { date: record.date, recordedAt: record.recordedAt, points };
}

function toHistory(
  curve: CurveRow,
  records: readonly { date: string; values: (number | null)[] }[],
): CurveHistory {
  const values = new Float64Array(records.length * curve.tenors.length);
  records.forEach((record, row) => {
    curve.tenors.forEach((_, column) => {
      values[row * curve.tenors.length + column] = record.values[column] ?? Number.NaN;
    });
  });
  return { kind: curve.kind, dates: records.map(({ date }) => date), tenors: curve.tenors, values };
}

/** @throws {InvalidInputError} naming the snapshot and point that is wrong */
function readSnapshots(
  snapshots: readonly SnapshotInput[],
  tenors: readonly string[],
): { date: string; values: (number | null)[] }[] {
  if (snapshots.length === 0 || snapshots.length > MOST_SNAPSHOTS) {
    throw InvalidInputError.at("input.snapshots", `needs 1 to ${MOST_SNAPSHOTS} snapshots`);
  }
  const column = new Map(tenors.map((tenor, i) => [tenor, i]));
  const dates = new Set<string>();
  return snapshots.map(({ date, points }, i) => {
    const path = `input.snapshots.${i}`;
    if (dates.has(date)) throw InvalidInputError.at(`${path}.date`, `${date} is there twice`);
    dates.add(date);
    const values = new Array<number | null>(tenors.length).fill(null);
    const seen = new Set<string>();
    points.forEach(({ tenor, value }, j) => {
      const at = column.get(tenor);
      if (at === undefined) {
        throw InvalidInputError.at(
          `${path}.points.${j}.tenor`,
          `${date} has "${tenor}", which the curve does not have: ${tenors.join(", ")}`,
        );
      }
      if (seen.has(tenor))
        throw InvalidInputError.at(`${path}.points.${j}.tenor`, `${date} has "${tenor}" twice`);
      seen.add(tenor);
      values[at] = value ?? null;
    });
    return { date, values };
  });
}
