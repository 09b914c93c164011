import { fuse, leadersOf, withFeedback } from "./fusion.rules.js";
import type { Candidate, FusedDocument } from "./fusion.rules.js";
import type { TermPlan } from "./bm25.rules.js";
import type { LexicalHit, LexicalRanking, LexicalSearchRepository } from "./lexical-search.repository.js";
import { DEEPEST_RANK } from "./search-request.rules.js";
import type { SearchScope } from "./search-scope.js";
import type { SemanticHit, SemanticRanking, SemanticSearchRepository } from "./semantic-search.repository.js";

export interface RankedDocument {
  documentId: string;
  /** BM25, a cosine, or from 0 to 1 where both are joined. */
  score: number;
  /** From 1; null: not among those that were ranked by meaning. */
  semanticRank: number | null;
  lexicalRank: number | null;
  /** UTF-16 offsets of the nearest passage in the document's text; null: words alone have found it. */
  passage: { start: number; end: number } | null;
}

export interface Ranking {
  /** Best first. */
  documents: RankedDocument[];
  /** How they were found, in words. */
  strategy: string;
}

/** Documents of either kind that are joined; those beyond follow when somebody pages so deep. */
const JOINED = 100;

export interface LexicalSide {
  words: LexicalSearchRepository;
  plan: TermPlan;
}

export interface SemanticSide {
  meaning: SemanticSearchRepository;
  /** Of unit length; null: the embedder finds nothing in the query. */
  vector: Float32Array | null;
}

export async function rankByWords(
  { words, plan }: LexicalSide,
  limit: number,
  scope: SearchScope,
): Promise<Ranking> {
  const { hits, pruned } = await words.best(plan, limit, scope);
  const documents = hits.map(({ documentId, score }, i) => ({
    documentId,
    score,
    semanticRank: null,
    lexicalRank: i + 1,
    passage: null,
  }));
  return { documents, strategy: lexicalStrategy(pruned) };
}

export async function rankByMeaning(
  { meaning, vector }: SemanticSide,
  limit: number,
  scope: SearchScope,
): Promise<Ranking> {
  const { hits, strategy } = await nearest({ meaning, vector }, limit, scope);
  const documents = hits.map(({ documentId, score, start, end }, i) => ({
    documentId,
    score,
    semanticRank: i + 1,
    lexicalRank: null,
    passage: { start, end },
  }));
  return { documents, strategy };
}

/**
 * Joins the best hundred of either kind; a page beyond these finds the rest of the best thousand of either kind behind
 * them. Neither depends on the page that is asked for: pages of another ranking would repeat and skip documents.
 */
export async function rankByBoth(
  sides: LexicalSide & SemanticSide,
  limit: number,
  scope: SearchScope,
): Promise<Ranking> {
  const head = await findBoth(sides, JOINED, scope);
  const strategy = `hybrid (${lexicalStrategy(head.lexical.pruned)}, ${head.semantic.strategy})`;
  const documents = await join(sides, head, { feedback: true });
  const more = head.lexical.hits.length >= JOINED || head.semantic.hits.length >= JOINED;
  if (documents.length >= limit || !more) return { documents, strategy };
  const deep = await findBoth(sides, DEEPEST_RANK, scope);
  const known = new Set(documents.map(({ documentId }) => documentId));
  const tail = await join(sides, deep, { feedback: false, except: known });
  const least = documents.at(-1)?.score ?? 1;
  return { documents: [...documents, ...tail.map((d) => ({ ...d, score: d.score * least }))], strategy };
}

interface BothRankings {
  lexical: LexicalRanking;
  semantic: SemanticRanking;
}

async function findBoth(
  sides: LexicalSide & SemanticSide,
  limit: number,
  scope: SearchScope,
): Promise<BothRankings> {
  const [lexical, semantic] = await Promise.all([
    sides.words.best(sides.plan, limit, scope),
    nearest(sides, limit, scope),
  ]);
  return { lexical, semantic };
}

async function join(
  sides: LexicalSide & SemanticSide,
  { lexical, semantic }: BothRankings,
  { feedback, except }: { feedback: boolean; except?: ReadonlySet<string> },
): Promise<RankedDocument[]> {
  const { scores, passages } = await completed(sides, lexical.hits, semantic.hits);
  const ids = new Set([...semantic.hits, ...lexical.hits].map(({ documentId }) => documentId));
  const candidates = [...ids]
    .filter((id) => !except?.has(id))
    .map((documentId): Candidate => {
      const passage = passages.get(documentId);
      return { documentId, lexical: scores.get(documentId) ?? null, semantic: passage?.score ?? null };
    });
  const fused = feedback ? await fuseWithFeedback(sides, candidates, passages) : fuse(candidates);
  const [lexicalRanks, semanticRanks] = [ranksOf(lexical.hits), ranksOf(semantic.hits)];
  return fused.map(({ documentId, score }) => ({
    documentId,
    score,
    semanticRank: semanticRanks.get(documentId) ?? null,
    lexicalRank: lexicalRanks.get(documentId) ?? null,
    passage: passages.get(documentId) ?? null,
  }));
}

/** Both scores of what only one kind of search has ranked: without them the other kind would count it as nothing. */
async function completed(
  { words, plan, meaning, vector }: LexicalSide & SemanticSide,
  lexical: readonly LexicalHit[],
  semantic: readonly SemanticHit[],
): Promise<{ scores: Map<string, number>; passages: Map<string, SemanticHit> }> {
  const scores = new Map(lexical.map(({ documentId, score }) => [documentId, score]));
  const passages = new Map(semantic.map((hit) => [hit.documentId, hit]));
  const unscored = semantic.map(({ documentId }) => documentId).filter((id) => !scores.has(id));
  const unmeasured = lexical.map(({ documentId }) => documentId).filter((id) => !passages.has(id));
  const [moreScores, morePassages] = await Promise.all([
    words.scores(plan, unscored),
    vector ? meaning.ofDocuments(vector, unmeasured) : [],
  ]);
  for (const [id, score] of moreScores) scores.set(id, score);
  for (const hit of morePassages) passages.set(hit.documentId, hit);
  return { scores, passages };
}

async function fuseWithFeedback(
  { meaning }: SemanticSide,
  candidates: readonly Candidate[],
  passages: ReadonlyMap<string, SemanticHit>,
): Promise<FusedDocument[]> {
  const first = fuse(candidates);
  const leaders = leadersOf(candidates, first).flatMap(({ documentId, weight }) => {
    const passage = passages.get(documentId);
    return passage ? [{ documentId, ordinal: passage.ordinal, weight }] : [];
  });
  if (leaders.length === 0) return first;
  return fuse(withFeedback(candidates, await meaning.likeness([...passages.values()], leaders)));
}

async function nearest(
  { meaning, vector }: SemanticSide,
  limit: number,
  scope: SearchScope,
): Promise<SemanticRanking> {
  return vector ? meaning.nearest(vector, limit, scope) : { hits: [], strategy: "exact" };
}

function ranksOf(hits: readonly { documentId: string }[]): Map<string, number> {
  return new Map(hits.map(({ documentId }, i) => [documentId, i + 1]));
}

function lexicalStrategy(pruned: boolean): string {
  return pruned ? "lexical without the commonest words" : "lexical";
}
