import type { Transaction } from "../../ports/database.js";
import { PostingRepository } from "./posting.repository.js";

interface Page {
  id: string;
  title: string | null;
  text: string;
}

const PAGE = 64;

/**
 * Makes the lexical index anew from all documents, as this database's dictionaries see them; there are no postings
 * yet. Word counts become those that its searches reckon with.
 * @returns how many documents there are
 */
export async function rebuildLexicalIndex(tx: Transaction): Promise<number> {
  const collections = await tx.query<{ id: number; language: string }[]>(
    "SELECT id, language FROM collections ORDER BY id",
  );
  let documents = 0;
  for (const { id, language } of collections) documents += await indexCollection(tx, id, language);
  return documents;
}

async function indexCollection(tx: Transaction, collectionId: number, language: string): Promise<number> {
  const postings = new PostingRepository(tx);
  let [documents, words, after] = [0, 0, "0"];
  for (;;) {
    const page = await tx.query<Page[]>(
      `SELECT id, title, text FROM documents WHERE collection_id = $1 AND id > $2 ORDER BY id LIMIT ${PAGE}`,
      [collectionId, after],
    );
    if (page.length === 0) break;
    const texts = page.map(({ title, text }) => (title === null ? text : `${title}\n${text}`));
    const found = await postings.words(language, texts);
    await postings.insert(collectionId, new Map(page.map(({ id }, i) => [id, found[i]!])));
    await tx.query(
      `UPDATE documents d SET word_count = found.count FROM unnest($1::bigint[], $2::int[]) AS found(id, count)
       WHERE d.id = found.id AND d.word_count <> found.count`,
      [page.map(({ id }) => id), found.map(({ count }) => count)],
    );
    documents += page.length;
    words += found.reduce((sum, { count }) => sum + count, 0);
    after = page.at(-1)!.id;
  }
  await tx.query("UPDATE collections SET word_count = $2 WHERE id = $1 AND word_count <> $2", [
    collectionId,
    words,
  ]);
  return documents;
}
