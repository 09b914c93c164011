/** A document that words or meaning have found. */
export interface Candidate {
  documentId: string;
  /** BM25; null: it holds no word of the query. */
  lexical: number | null;
  /** Cosine of its best passage; null: not embedded yet. */
  semantic: number | null;
}

export interface FusedDocument {
  documentId: string;
  /** 0 to 1. */
  score: number;
}

/**
 * Ranks candidates by both scores. Each kind is stretched to 0..1 over the candidates, and weighs as much as its
 * best stands out from its mean in standard deviations: a rare word that one document holds, or a passage that
 * means the very thing, shows as a peak, and a list without one has little to say. No weight is tuned to a
 * collection.
 * @returns best first, ties in the order of the documents' ids
 */
export function fuse(candidates: readonly Candidate[]): FusedDocument[] {
  const lexical = candidates.map((candidate) => candidate.lexical ?? 0);
  const semantic = withoutGaps(candidates.map((candidate) => candidate.semantic));
  const [words, meaning] = [peak(lexical), peak(semantic)];
  const share = words + meaning > 0 ? words / (words + meaning) : 0.5;
  const [byWords, byMeaning] = [stretched(lexical), stretched(semantic)];
  return candidates
    .map(({ documentId }, i) => ({ documentId, score: share * byWords[i]! + (1 - share) * byMeaning[i]! }))
    .sort(byScore);
}

/** A document from which feedback is taken. */
export interface Leader {
  documentId: string;
  /** Above 0. */
  weight: number;
}

const LEADERS = 3;

/**
 * The best documents of a first ranking, as far as both kinds of search like them: where words and meaning disagree,
 * neither can tell what is relevant, and feedback fades.
 */
export function leadersOf(candidates: readonly Candidate[], fused: readonly FusedDocument[]): Leader[] {
  const byWords = stretched(candidates.map(({ lexical }) => lexical ?? 0));
  const byMeaning = stretched(withoutGaps(candidates.map(({ semantic }) => semantic)));
  const places = new Map(candidates.map(({ documentId }, i) => [documentId, i]));
  return fused
    .slice(0, LEADERS)
    .map(({ documentId }) => {
      const i = places.get(documentId)!;
      return { documentId, weight: Math.min(byWords[i]!, byMeaning[i]!) / LEADERS };
    })
    .filter(({ weight }) => weight > 0);
}

/**
 * Pseudo-relevance feedback (Rocchio): the leaders' vectors are added to the query's. Inner products are linear, so
 * the vectors themselves are not needed.
 * @param likeness inner products of each candidate's vector with those of the leaders, weighted and added
 */
export function withFeedback(
  candidates: readonly Candidate[],
  likeness: ReadonlyMap<string, number>,
): Candidate[] {
  return candidates.map((candidate) => {
    const { documentId, semantic } = candidate;
    return { ...candidate, semantic: semantic === null ? null : semantic + (likeness.get(documentId) ?? 0) };
  });
}

export function byScore(a: FusedDocument, b: FusedDocument): number {
  return b.score - a.score || compareIds(a.documentId, b.documentId);
}

/** Ids are whole numbers, as text. */
export function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** What was not measured counts as the least that was. */
function withoutGaps(values: readonly (number | null)[]): number[] {
  let least = Infinity;
  for (const value of values) if (value !== null && value < least) least = value;
  return values.map((value) => value ?? (least === Infinity ? 0 : least));
}

function peak(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return variance > 0 ? (Math.max(...values) - mean) / Math.sqrt(variance) : 0;
}

/** All 1 where they are equal, unless there is nothing. */
function stretched(values: readonly number[]): number[] {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  return values.map((value) => (range > 0 ? (value - least) / range : value > 0 ? 1 : 0));
}
