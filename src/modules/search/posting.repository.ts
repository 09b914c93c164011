import type { Transaction } from "../../ports/database.js";
import { searchableText } from "./searchable-text.rules.js";

/** What the lexical index holds of a document. */
export interface DocumentWords {
  lexemes: string[];
  /** How often each occurs. */
  frequencies: number[];
  /** Sum of the frequencies: the document's length. */
  count: number;
}

/** Lexemes of one statement's text take some 50 ms of the embedded engine. */
const STATEMENT_CHARACTERS = 100_000;
/** A tsvector holds 1 MB and counts 16,383 positions: longer texts are taken apart. */
const PIECE_CHARACTERS = 50_000;
const MOST_FREQUENCY = 32_767;

/** The lexical index: how often which document has which lexeme. */
export class PostingRepository {
  constructor(private readonly tx: Transaction) {}

  /**
   * Words of texts as a text search configuration sees them; writes nothing.
   * @returns one for each text
   */
  async words(language: string, texts: readonly string[]): Promise<DocumentWords[]> {
    const words = texts.map((): DocumentWords => ({ lexemes: [], frequencies: [], count: 0 }));
    for (const batch of batchesOf(texts.map(searchableText))) {
      const rows = await this.tx.query<{ text: number; lexemes: string[]; frequencies: number[] }[]>(
        `SELECT piece.number AS text, found.* FROM unnest($2::int[], $3::text[]) AS piece(number, text),
           LATERAL (SELECT array_agg(lexeme) AS lexemes, array_agg(cardinality(positions)) AS frequencies
             FROM unnest(to_tsvector($1::regconfig, piece.text))) AS found
         WHERE found.lexemes IS NOT NULL`,
        [language, batch.map(({ number }) => number), batch.map(({ text }) => text)],
      );
      for (const { text, lexemes, frequencies } of rows) add(words[text]!, lexemes, frequencies);
    }
    return words;
  }

  /** Adds the postings of documents that have none. */
  async insert(collectionId: number, documents: ReadonlyMap<string, DocumentWords>): Promise<void> {
    const ids: string[] = [];
    const lexemes: string[] = [];
    const frequencies: number[] = [];
    const lengths: number[] = [];
    for (const [id, words] of documents) {
      words.lexemes.forEach((lexeme, i) => {
        ids.push(id);
        lexemes.push(lexeme);
        frequencies.push(Math.min(words.frequencies[i]!, MOST_FREQUENCY));
        lengths.push(words.count);
      });
    }
    await this.tx.query(
      `INSERT INTO postings (collection_id, lexeme, document_id, frequency, document_length)
       SELECT $1, posting.* FROM unnest($2::text[], $3::bigint[], $4::smallint[], $5::int[]) AS posting`,
      [collectionId, lexemes, ids, frequencies, lengths],
    );
  }

  async delete(documentIds: readonly string[]): Promise<void> {
    await this.tx.query("DELETE FROM postings WHERE document_id = ANY($1::bigint[])", [documentIds]);
  }
}

interface Piece {
  /** Of the text that it is from. */
  number: number;
  text: string;
}

function* batchesOf(texts: readonly string[]): Generator<Piece[]> {
  let batch: Piece[] = [];
  let characters = 0;
  for (const [number, text] of texts.entries()) {
    for (const piece of piecesOf(text)) {
      if (batch.length > 0 && characters + piece.length > STATEMENT_CHARACTERS) {
        yield batch;
        [batch, characters] = [[], 0];
      }
      batch.push({ number, text: piece });
      characters += piece.length;
    }
  }
  if (batch.length > 0) yield batch;
}

/** Cuts at the last white space before the limit; a word that is longer than all of it is no word. */
function* piecesOf(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > PIECE_CHARACTERS) {
    const piece = text.slice(start, start + PIECE_CHARACTERS);
    const end = piece.search(/\s\S*$/);
    yield piece.slice(0, end > 0 ? end : PIECE_CHARACTERS);
    start += end > 0 ? end : PIECE_CHARACTERS;
  }
  yield text.slice(start);
}

function add(words: DocumentWords, lexemes: string[], frequencies: number[]): void {
  words.count += frequencies.reduce((sum, frequency) => sum + frequency, 0);
  if (words.lexemes.length === 0) {
    Object.assign(words, { lexemes, frequencies });
    return;
  }
  const positions = new Map(words.lexemes.map((lexeme, i) => [lexeme, i]));
  lexemes.forEach((lexeme, i) => {
    const known = positions.get(lexeme);
    if (known === undefined) {
      words.lexemes.push(lexeme);
      words.frequencies.push(frequencies[i]!);
    } else words.frequencies[known]! += frequencies[i]!;
  });
}
