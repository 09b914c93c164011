import type { Transaction } from "../../ports/database.js";
import { toHalfvecArray } from "./halfvec.js";
import type { SearchIndexRow } from "./search-index.entity.js";

/** A passage of a document with its vector. */
export interface EmbeddedPassage {
  /** UTF-16 offsets into the document's text, the end exclusive. */
  start: number;
  end: number;
  /** [dimensions], of unit length. */
  vector: Float32Array;
}

type TableOf = Pick<SearchIndexRow, "id" | "dimensions">;

/** Name of the table that holds an index's vectors. */
export function passageTable(indexId: number): string {
  return `vectors.passages_${indexId}`;
}

/** Name of the HNSW index over them, in the same schema. */
export function hnswName(indexId: number): string {
  return `passages_${indexId}_hnsw`;
}

/** Of unit vectors the inner product ranks as the cosine does, for less. */
export const OPERATOR_CLASS = "halfvec_ip_ops";

/** The distance that HNSW indexes know: minus the cosine of two unit vectors. */
export function nearness(column: string, vector: string): string {
  return `${column} <#> ${vector}`;
}

/**
 * Without a foreign key to the documents: it would lock these, and all who read them, whenever an index is made or
 * dropped. Who deletes documents deletes their passages.
 */
export async function createPassageTable(tx: Transaction, index: TableOf): Promise<void> {
  await tx.query(`
    CREATE TABLE ${passageTable(index.id)} (
      document_id bigint NOT NULL,
      ordinal integer NOT NULL,
      start_at integer NOT NULL,
      end_at integer NOT NULL,
      embedding halfvec(${index.dimensions}) NOT NULL,
      PRIMARY KEY (document_id, ordinal)
    )`);
}

export async function dropPassageTable(tx: Transaction, indexId: number): Promise<void> {
  await tx.query(`DROP TABLE IF EXISTS ${passageTable(indexId)}`);
}

export async function deletePassages(
  tx: Transaction,
  indexId: number,
  documentIds: readonly string[],
): Promise<void> {
  await tx.query(`DELETE FROM ${passageTable(indexId)} WHERE document_id = ANY($1::bigint[])`, [documentIds]);
}

/** Puts these passages in the place of all that the index had of their documents. */
export async function replacePassages(
  tx: Transaction,
  indexId: number,
  documents: ReadonlyMap<string, readonly EmbeddedPassage[]>,
): Promise<void> {
  await deletePassages(tx, indexId, [...documents.keys()]);
  const rows = [...documents].flatMap(([id, passages]) =>
    passages.map((passage, ordinal) => ({ id, ordinal, ...passage })),
  );
  const [type] = await tx.query<{ id: number }[]>("SELECT 'halfvec'::regtype::oid AS id");
  await tx.query(
    `INSERT INTO ${passageTable(indexId)} (document_id, ordinal, start_at, end_at, embedding)
     SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::halfvec[])`,
    [
      rows.map(({ id }) => id),
      rows.map(({ ordinal }) => ordinal),
      rows.map(({ start }) => start),
      rows.map(({ end }) => end),
      toHalfvecArray(
        rows.map(({ vector }) => vector),
        type!.id,
      ),
    ],
  );
}
