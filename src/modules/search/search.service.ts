import type { Database, Transaction } from "../../ports/database.js";
import { ConflictError, NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import { reportSearch } from "../../telemetry/events.js";
import { inSpan } from "../../telemetry/tracing.js";
import { CachedAnswers, asJson } from "../caching/index.js";
import type { AnswerStore } from "../caching/index.js";
import type { EmbeddingService } from "../embeddings/index.js";
import type { ServedVersions } from "../models/index.js";
import type { DocumentFilter, DocumentFilterRequest } from "./document-filter.rules.js";
import type { DocumentRow } from "./document.entity.js";
import { DocumentRepository } from "./document.repository.js";
import type { DocumentService } from "./document.service.js";
import { FacetRepository } from "./facet.repository.js";
import type { Facet } from "./facet.repository.js";
import { highlight, wordsToLookUp } from "./highlight.rules.js";
import { LexicalSearchRepository } from "./lexical-search.repository.js";
import { rankByBoth, rankByMeaning, rankByWords } from "./search-ranking.js";
import type { LexicalSide, RankedDocument, Ranking, SemanticSide } from "./search-ranking.js";
import {
  DEEPEST_RANK,
  assertQuery,
  searchDigest,
  toFacetKeys,
  toSearchCursor,
  toSearchPage,
} from "./search-request.rules.js";
import type { SearchMode, SearchPage, Snapshot } from "./search-request.rules.js";
import { SqlParameters, findScope } from "./search-scope.js";
import type { SearchScope } from "./search-scope.js";
import { SearchTargetRepository } from "./search-target.repository.js";
import type { SearchTarget } from "./search-target.repository.js";
import { SemanticSearchRepository, isUndefinedTable } from "./semantic-search.repository.js";
import { WordLexemes } from "./word-lexemes.js";

export interface SearchRequest {
  collection: string;
  query: string;
  mode?: SearchMode | null;
  filter?: DocumentFilterRequest | null;
  facets?: string[] | null;
}

export interface PageArguments {
  first?: number | null;
  after?: string | null;
}

export interface SearchResult {
  document: DocumentRow;
  ranked: RankedDocument;
  cursor: string;
}

/** What a search finds. */
interface SearchFindings {
  results: SearchResult[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  facets: Facet[];
  /** The mode that answered: LEXICAL where HYBRID was asked for, and nothing is embedded. */
  mode: SearchMode;
  strategy: string;
  exhausted: boolean;
}

export interface SearchAnswer extends SearchFindings {
  /** One for each result; made when they are first asked for. */
  highlights(): Promise<string[]>;
}

/** A search whose input is sound. */
interface SoundSearch {
  /** Where all of it is read. */
  tx: Transaction;
  target: SearchTarget;
  query: string;
  mode: SearchMode;
  filter: DocumentFilter;
  facets: string[];
  page: SearchPage;
  digest: string;
  /** Of the first page. */
  snapshot: Snapshot;
}

/** Facets by meaning are counted over this many. */
const FACETED = 1_000;
/** Of those that hold one word; beyond, facets are counted over the newest. */
const FACETED_BY_WORD = 20_000;
/** Times that a passage read out of order costs of one that an HNSW scan visits: see `listable`. */
const LISTING_ADVANTAGE = 7;
const LEAST_LISTABLE = 1_000;

/** Finds documents by their words, by their meaning, or by both. */
export class SearchService {
  private readonly findings: CachedAnswers<SearchFindings>;
  private readonly highlights: CachedAnswers<string[]>;
  private readonly words: WordLexemes;

  constructor(
    private readonly database: Database,
    private readonly served: ServedVersions,
    private readonly embeddings: EmbeddingService,
    private readonly documents: DocumentService,
    answers: AnswerStore,
  ) {
    this.findings = new CachedAnswers("search", answers, asJson(1, withDates));
    this.highlights = new CachedAnswers("highlight", answers, asJson(1));
    this.words = new WordLexemes(database);
  }

  /**
   * @throws {InvalidInputError} naming the part of the input that is wrong
   * @throws {NotFoundError} naming input.collection
   * @throws {PreconditionFailedError} for SEMANTIC where nothing is embedded
   * @throws {ConflictError} naming `after` when the embedder changed since that page
   */
  async search(request: SearchRequest, page: PageArguments): Promise<SearchAnswer> {
    assertQuery(request.query);
    const start = performance.now();
    const { mode } = request;
    return inSpan("search", { collection: request.collection, mode: mode ?? "HYBRID" }, async () => {
      // All of one search is read in one place: what is found belongs to the generation by which it is remembered.
      const attempt = () => this.database.read((tx) => this.attempt(tx, request, page));
      const answer = await attempt().catch((error: unknown) => {
        // The index that was to answer has been replaced and dropped meanwhile.
        if (isUndefinedTable(error)) return attempt();
        throw error;
      });
      reportSearch({ mode: answer.mode, seconds: (performance.now() - start) / 1000 });
      return answer;
    });
  }

  private async attempt(tx: Transaction, request: SearchRequest, args: PageArguments): Promise<SearchAnswer> {
    const search = await this.check(tx, request, args);
    const { target, digest, facets } = search;
    const { id, generation } = target.collection;
    const key = [id, generation, target.index?.id, digest, facets, args.first, args.after];
    const findings = await this.findings.get(key, () => this.find(search));
    const highlight = () => this.highlight(target, findings.results);
    return { ...findings, highlights: once(() => this.highlights.get(key, highlight)) };
  }

  private async check(tx: Transaction, request: SearchRequest, args: PageArguments): Promise<SoundSearch> {
    const { query } = request;
    const facets = toFacetKeys(request.facets);
    const target = await new SearchTargetRepository(tx).find(request.collection, query);
    if (!target) {
      const field = "input.collection";
      throw new NotFoundError(`${field}: no collection "${request.collection}"`, { field });
    }
    const { collection } = target;
    const filter = await this.documents.readFilter(collection, request.filter, "input.filter");
    const asked = request.mode ?? "HYBRID";
    const digest = searchDigest({ collectionId: collection.id, query, mode: asked, filter });
    const page = toSearchPage(args, digest);
    const mode = modeFor(asked, target);
    if (page.after && page.after.indexId !== indexIdFor(mode, target)) {
      const field = "after";
      throw new ConflictError(`${field}: the embedder changed since that page; search from the start`, {
        field,
      });
    }
    const snapshot = page.after?.snapshot ?? target.snapshot;
    return { tx, target, query, mode, filter, facets, page, digest, snapshot };
  }

  private async find(search: SoundSearch): Promise<SearchFindings> {
    const { page, mode, facets } = search;
    const wanted = Math.min(DEEPEST_RANK, (page.after?.rank ?? 0) + page.first + 1);
    const scope = await this.scopeOf(search, wanted);
    const lexical = mode === "SEMANTIC" ? null : await this.lexicalSide(search);
    const semantic = mode === "LEXICAL" ? null : await this.semanticSide(search);
    const depth = facets.length > 0 && semantic ? FACETED : wanted;
    const ranking = await rank(lexical, semantic, depth, scope);
    const shown = await this.read(search, ranking);
    return {
      ...shown,
      facets: await this.countFacets(search, ranking, scope, lexical),
      mode,
      strategy:
        mode === "LEXICAL" && search.target.index === null
          ? `${ranking.strategy}, nothing is embedded`
          : ranking.strategy,
      exhausted: shown.results.length < page.first,
    };
  }

  private async scopeOf({ tx, target, filter }: SoundSearch, wanted: number): Promise<SearchScope> {
    const { id: collectionId, documentCount } = target.collection;
    return findScope(tx, { collectionId, filter }, listable(wanted, documentCount));
  }

  private async lexicalSide({ tx, target, snapshot }: SoundSearch): Promise<LexicalSide> {
    const words = new LexicalSearchRepository(tx, target.collection.id, snapshot);
    return { words, plan: await words.plan(target.lexemes) };
  }

  private async semanticSide({ tx, target, query, snapshot }: SoundSearch): Promise<SemanticSide> {
    const index = target.index!;
    const version = await this.served.byVersionId(index.versionId);
    const [embedding] = await this.embeddings.embed(version, [query], {
      role: "QUERY",
      priority: "interactive",
    });
    const meaning = new SemanticSearchRepository(tx, index, snapshot.lastDocumentId);
    return { meaning, vector: toUnitLength(embedding!.vector) };
  }

  /** The page's part of a ranking, with its documents. */
  private async read(
    { tx, page, digest, snapshot, mode, target }: SoundSearch,
    { documents: ranked }: Ranking,
  ): Promise<Pick<SearchFindings, "results" | "hasNextPage" | "hasPreviousPage">> {
    const start = startOf(page, ranked);
    const end = Math.min(start + page.first, DEEPEST_RANK);
    const shown = ranked.slice(start, end);
    const rows =
      shown.length === 0
        ? []
        : await new DocumentRepository(tx).byIds(shown.map(({ documentId }) => documentId));
    const byId = new Map(rows.map((row) => [row.id, row]));
    const indexId = indexIdFor(mode, target);
    const results = shown.flatMap((item, i) => {
      const document = byId.get(item.documentId);
      const position = { snapshot, indexId, rank: start + i + 1, documentId: item.documentId };
      return document ? [{ document, ranked: item, cursor: toSearchCursor(digest, position) }] : [];
    });
    return {
      results,
      hasNextPage: ranked.length > end && end < DEEPEST_RANK,
      hasPreviousPage: page.after !== undefined,
    };
  }

  private countFacets(
    { tx, facets }: SoundSearch,
    ranking: Ranking,
    scope: SearchScope,
    lexical: LexicalSide | null,
  ): Promise<Facet[]> {
    if (facets.length === 0) return Promise.resolve([]);
    const counted = new FacetRepository(tx);
    const parameters = new SqlParameters();
    const byWords = lexical && ranking.documents.every(({ passage }) => passage === null);
    if (byWords) {
      const matches = lexical.words.matchesSql(lexical.plan, FACETED_BY_WORD, scope, parameters);
      return counted.count(facets, matches, parameters, scope);
    }
    const ids = ranking.documents.slice(0, FACETED).map(({ documentId }) => documentId);
    const matches = `SELECT unnest(${parameters.add(ids)}::bigint[]) AS id`;
    return counted.count(facets, matches, parameters, { kind: "all" });
  }

  private async highlight(target: SearchTarget, results: readonly SearchResult[]): Promise<string[]> {
    const { lexemes } = target;
    const sources = results.map(({ document: { title, text }, ranked: { passage } }) => ({
      title,
      text: passage ? text.slice(passage.start, passage.end) : text,
    }));
    const known = await this.words.of(target.collection.language, wordsToLookUp(sources, lexemes));
    const query = new Set(lexemes);
    return sources.map((source) => highlight(source, (word) => known.get(word), query));
  }
}

/**
 * Documents that are few enough to measure one by one: n of them cost about n, while an HNSW scan that keeps one row
 * in (all / n) visits wanted * all / n rows, each some seven times as dear.
 */
function listable(wanted: number, all: number): number {
  return Math.max(LEAST_LISTABLE, Math.round(Math.sqrt(LISTING_ADVANTAGE * wanted * all)));
}

function modeFor(asked: SearchMode, { index, hasEmbedder, collection }: SearchTarget): SearchMode {
  if (asked === "LEXICAL" || index) return asked;
  if (asked === "HYBRID") return "LEXICAL";
  throw new PreconditionFailedError(
    hasEmbedder
      ? `nothing of collection "${collection.name}" is embedded yet: search it with mode LEXICAL, or wait`
      : `collection "${collection.name}" has no embedder: search it with mode LEXICAL, or give it one (setCollectionEmbedder)`,
    { field: "input.mode" },
  );
}

/** Words do not depend on it. */
function indexIdFor(mode: SearchMode, { index }: SearchTarget): number {
  return mode === "LEXICAL" ? 0 : index!.id;
}

function rank(
  lexical: LexicalSide | null,
  semantic: SemanticSide | null,
  depth: number,
  scope: SearchScope,
): Promise<Ranking> {
  if (lexical && semantic) return rankByBoth({ ...lexical, ...semantic }, depth, scope);
  return lexical ? rankByWords(lexical, depth, scope) : rankByMeaning(semantic!, depth, scope);
}

/** Behind the last result of the page before; where that was deleted meanwhile, all behind it have moved up. */
function startOf({ after }: SearchPage, ranked: readonly RankedDocument[]): number {
  if (!after) return 0;
  const last = ranked.findIndex(({ documentId }) => documentId === after.documentId);
  return last >= 0 ? last + 1 : after.rank - 1;
}

/** Null for a vector of zeros, which is near to nothing. */
function toUnitLength(vector: Float32Array): Float32Array | null {
  const length = Math.hypot(...vector);
  return length === 0 ? null : vector.map((x) => x / length);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

function withDates(findings: SearchFindings): SearchFindings {
  for (const { document } of findings.results) {
    document.publishedAt = document.publishedAt && new Date(document.publishedAt);
    document.createdAt = new Date(document.createdAt);
    document.updatedAt = new Date(document.updatedAt);
  }
  return findings;
}
