import { numberToHalf } from "../../shared/half-float.js";

/** Vectors as PostgreSQL sends and takes them in binary: the embedded engine takes 4 us to read a number in text. */

/** A parameter `$n::halfvec`. */
export function toHalfvec(vector: ArrayLike<number>): Buffer {
  const bytes = Buffer.allocUnsafe(halfvecBytes(vector));
  writeHalfvec(bytes, 0, vector);
  return bytes;
}

/**
 * A parameter `$n::halfvec[]`.
 * @param typeId oid of the type halfvec in this database
 */
export function toHalfvecArray(vectors: readonly ArrayLike<number>[], typeId: number): Buffer {
  const size = vectors.reduce((sum, vector) => sum + 4 + halfvecBytes(vector), 0);
  const bytes = Buffer.allocUnsafe(20 + size);
  // Dimensions, whether there are nulls, type, length and lower bound.
  [1, 0, typeId, vectors.length, 1].forEach((field, i) => bytes.writeUInt32BE(field, 4 * i));
  let at = 20;
  for (const vector of vectors) {
    at = bytes.writeUInt32BE(halfvecBytes(vector), at);
    at = writeHalfvec(bytes, at, vector);
  }
  return bytes;
}

function halfvecBytes({ length }: ArrayLike<number>): number {
  return 4 + 2 * length;
}

function writeHalfvec(bytes: Buffer, start: number, vector: ArrayLike<number>): number {
  let at = bytes.writeUInt16BE(vector.length, start);
  at = bytes.writeUInt16BE(0, at);
  for (let i = 0; i < vector.length; i++) at = bytes.writeUInt16BE(numberToHalf(vector[i]!), at);
  return at;
}
