import type { Database, Transaction } from "../../ports/database.js";
import { distanceTo, hnswName, operatorClass, passageTable } from "./passage-table.js";
import type { SearchIndexRow } from "./search-index.entity.js";

export interface HnswOptions {
  m: number;
  efConstruction: number;
}

/** A stored vector, and how far its tenth nearest by exact search is. */
export interface Probe {
  vector: string;
  tenth: number;
}

const NEAREST = 10;
/** Distances of float16 values that were added up in another order. */
const TOLERANCE = 1e-6;
const MB = 2 ** 20;

/** The HNSW index over an index's passages. */
export class HnswIndexRepository {
  private readonly table: string;
  private readonly name: string;

  constructor(
    private readonly database: Database,
    private readonly index: Pick<SearchIndexRow, "id" | "dimensions" | "vectorType">,
  ) {
    this.table = passageTable(index.id);
    this.name = hnswName(index.id);
  }

  /** Passages, as far as `limit`. */
  async countPassages(limit?: number): Promise<number> {
    const [row] = await this.database.dataSource.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM (SELECT FROM ${this.table} LIMIT $1) p`,
      [limit ?? null],
    );
    return row!.count;
  }

  async isBeingBuilt(): Promise<boolean> {
    const rows = await this.database.dataSource.query<unknown[]>(
      "SELECT FROM pg_stat_progress_create_index WHERE relid = $1::regclass",
      [this.table],
    );
    return rows.length > 0;
  }

  /** Whether it is there, whole, and built like this. */
  async stands({ m, efConstruction }: HnswOptions): Promise<boolean> {
    const rows = await this.database.dataSource.query<unknown[]>(
      `SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE i.indrelid = $1::regclass AND c.relname = $2 AND i.indisvalid AND c.reloptions @> $3::text[]`,
      [this.table, this.name, [`m=${m}`, `ef_construction=${efConstruction}`]],
    );
    return rows.length > 0;
  }

  /** Searches of the passages wait until the transaction ends. */
  async drop(tx: Transaction): Promise<void> {
    await tx.query(`DROP INDEX IF EXISTS vectors.${this.name}`);
  }

  /** Holds up neither searches nor writes. */
  async create({ m, efConstruction }: HnswOptions, signal: AbortSignal): Promise<void> {
    const passages = await this.countPassages();
    await this.database.unhurried(async (session) => {
      const [backend] = await session.query<{ pid: number }[]>("SELECT pg_backend_pid() AS pid");
      const cancel = () => {
        this.database.dataSource.query("SELECT pg_cancel_backend($1)", [backend!.pid]).catch(() => undefined);
      };
      await session.query(`SET maintenance_work_mem = '${this.memoryMb(passages, m)}MB'`);
      signal.throwIfAborted();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        await session.query(
          `CREATE INDEX CONCURRENTLY ${this.name} ON ${this.table}
           USING hnsw (embedding ${operatorClass(this.index)}) WITH (m = ${m}, ef_construction = ${efConstruction})`,
        );
        await session.query(`ANALYZE ${this.table}`);
      } finally {
        signal.removeEventListener("abort", cancel);
      }
    });
  }

  /** Some stored vectors, with what exact search says of them. */
  async nearest(count: number, signal: AbortSignal): Promise<Probe[]> {
    const passages = await this.countPassages();
    const share = Math.min(100, (100 * 40 * count) / Math.max(1, passages));
    const rows = await this.database.dataSource.query<{ vector: string }[]>(
      `SELECT embedding::text AS vector FROM
         (SELECT embedding FROM ${this.table} TABLESAMPLE SYSTEM (${share.toFixed(4)})) p
       ORDER BY random() LIMIT ${count}`,
    );
    const probes: Probe[] = [];
    for (const { vector } of rows) {
      signal.throwIfAborted();
      const distances = await this.search(vector, "SET LOCAL enable_indexscan = off");
      probes.push({ vector, tenth: distances.at(-1)! });
    }
    return probes;
  }

  /** Share of the ten nearest that the index finds. */
  async recall(probes: readonly Probe[], efSearch: number): Promise<number> {
    let found = 0;
    let wanted = 0;
    for (const { vector, tenth } of probes) {
      // As planned for a large table: a probe that reads every row finds everything.
      const distances = await this.search(
        vector,
        `SET LOCAL enable_seqscan = off; SET LOCAL hnsw.ef_search = ${efSearch}`,
      );
      found += distances.filter((distance) => distance <= tenth + TOLERANCE).length;
      wanted += NEAREST;
    }
    return wanted === 0 ? 1 : found / wanted;
  }

  private search(vector: string, settings: string): Promise<number[]> {
    return this.database.transaction(async (tx) => {
      await tx.query(settings);
      await tx.query("SET LOCAL statement_timeout = 0");
      const nearest = distanceTo("$1", this.index);
      const rows = await tx.query<{ distance: number }[]>(
        `SELECT ${nearest} AS distance FROM ${this.table} ORDER BY ${nearest} LIMIT ${NEAREST}`,
        [vector],
      );
      return rows.map(({ distance }) => distance);
    });
  }

  /** What the graph takes while it is built; beyond, building becomes many times slower. */
  private memoryMb(passages: number, m: number): number {
    const bytes = passages * (2 * this.index.dimensions + 2 * m * 16 + 200) * 1.2;
    return Math.round(Math.min(4096, Math.max(64, bytes / MB)));
  }
}
