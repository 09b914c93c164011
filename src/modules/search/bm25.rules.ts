/** Saturation of a word's frequency, and how much a document's length counts (Robertson and Zaragoza, 2009). */
export const K1 = 1.2;
export const B = 0.75;

/** A word of a query. */
export interface QueryTerm {
  lexeme: string;
  /** Documents that hold it. */
  documents: number;
}

export interface WeightedTerm extends QueryTerm {
  idf: number;
}

export interface TermPlan {
  /** Documents that hold one of these are ranked; the rarest first. */
  leading: WeightedTerm[];
  /** So common that they only add to the scores of those documents. */
  common: WeightedTerm[];
  /** Most that the common ones together can add to a score. */
  commonMost: number;
}

/** @returns above 0, also for a word that every document holds */
export function inverseDocumentFrequency(documents: number, total: number): number {
  return Math.log(1 + (total - documents + 0.5) / (documents + 0.5));
}

/**
 * Splits a query so that no more postings are read than `budget`, unless its rarest word alone has more.
 * @param total documents of the collection
 */
export function planTerms(terms: readonly QueryTerm[], total: number, budget: number): TermPlan {
  const weighted = terms
    .filter(({ documents }) => documents > 0)
    .map((term) => ({ ...term, idf: inverseDocumentFrequency(Math.min(term.documents, total), total) }))
    .sort((a, b) => a.documents - b.documents || (a.lexeme < b.lexeme ? -1 : 1));
  let postings = 0;
  const affordable = weighted.findIndex(({ documents }, i) => (postings += documents) > budget && i > 0);
  const split = affordable < 0 ? weighted.length : affordable;
  const common = weighted.slice(split);
  const commonMost = common.reduce((sum, { idf }) => sum + idf * (K1 + 1), 0);
  return { leading: weighted.slice(0, split), common, commonMost };
}

/**
 * Documents that hold a word, from the first ones that do: postings lie in the order of the documents' ids.
 * @param counted how many these are
 * @param lastId of the newest document there is
 */
export function extrapolateDocuments(
  counted: number,
  { firstId, countedToId, lastId }: { firstId: number; countedToId: number; lastId: number },
  total: number,
): number {
  const share = (lastId - firstId + 1) / Math.max(1, countedToId - firstId + 1);
  return Math.min(total, Math.max(counted, Math.round(counted * share)));
}
