import type { Transaction } from "../../ports/database.js";
import type { SearchIndexRow } from "./search-index.entity.js";

/** A passage of a document with its vector. */
export interface EmbeddedPassage {
  /** UTF-16 offsets into the document's text, the end exclusive. */
  start: number;
  end: number;
  /** [dimensions], of unit length. */
  vector: Float32Array;
}

type Vectors = Pick<SearchIndexRow, "id" | "dimensions" | "vectorType">;

/** A vector is a parameter, and a statement has 65,535 of these. */
const ROWS_A_STATEMENT = 500;
/** Bytes of a row that a page of the database takes whole. */
const LONGEST_ROW = 8_000;

/** Name of the table that holds an index's vectors. */
export function passageTable(indexId: number): string {
  return `vectors.passages_${indexId}`;
}

/** Name of the HNSW index over them, in the same schema. */
export function hnswName(indexId: number): string {
  return `passages_${indexId}_hnsw`;
}

/** A vector as a parameter of type `vector`: in binary, for which the server has nothing to parse. */
export function toVectorParameter(vector: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + 4 * vector.length);
  bytes.writeInt16BE(vector.length, 0);
  bytes.writeInt16BE(0, 2);
  vector.forEach((x, i) => bytes.writeFloatBE(x, 4 + 4 * i));
  return bytes;
}

/**
 * The distance by which passages are ranked, and which HNSW indexes know: minus the inner product, which of unit
 * vectors is minus the cosine, for less.
 * @param parameter `$1`, bound to a `toVectorParameter`
 */
export function distanceTo(parameter: string, { dimensions, vectorType }: Omit<Vectors, "id">): string {
  const cast = vectorType === "vector" ? "" : `::${vectorType}(${dimensions})`;
  return `embedding <#> ${parameter}::vector${cast}`;
}

/** The operator class of HNSW indexes that rank by `distanceTo`. */
export function operatorClass({ vectorType }: Pick<Vectors, "vectorType">): string {
  return `${vectorType}_ip_ops`;
}

/**
 * Without a foreign key to the documents: it would lock these, and all who read them, whenever an index is made or
 * dropped. Who deletes documents deletes their passages.
 */
export async function createPassageTable(tx: Transaction, index: Vectors): Promise<void> {
  const { id, dimensions, vectorType } = index;
  await tx.query(`
    CREATE TABLE ${passageTable(id)} (
      document_id bigint NOT NULL,
      ordinal integer NOT NULL,
      start_at integer NOT NULL,
      end_at integer NOT NULL,
      embedding ${vectorType}(${dimensions}) NOT NULL,
      PRIMARY KEY (document_id, ordinal)
    )`);
  // Otherwise vectors of 2 kB and more would be fetched one by one from beside the table.
  if (dimensions * (vectorType === "vector" ? 4 : 2) < LONGEST_ROW) {
    await tx.query(`ALTER TABLE ${passageTable(id)} ALTER embedding SET STORAGE PLAIN`);
  }
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
  index: Pick<Vectors, "id" | "vectorType">,
  documents: ReadonlyMap<string, readonly EmbeddedPassage[]>,
): Promise<void> {
  await deletePassages(tx, index.id, [...documents.keys()]);
  const rows = [...documents].flatMap(([id, passages]) =>
    passages.map((passage, ordinal) => ({ id, ordinal, ...passage })),
  );
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
    const part = rows.slice(from, from + ROWS_A_STATEMENT);
    const vectors = part.map((_, i) => `$${i + 5}::vector`).join();
    await tx.query(
      `INSERT INTO ${passageTable(index.id)} (document_id, ordinal, start_at, end_at, embedding)
       SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], ARRAY[${vectors}]::${index.vectorType}[])`,
      [
        part.map(({ id }) => id),
        part.map(({ ordinal }) => ordinal),
        part.map(({ start }) => start),
        part.map(({ end }) => end),
        ...part.map(({ vector }) => toVectorParameter(vector)),
      ],
    );
  }
}
