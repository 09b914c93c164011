import { Field, Float, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import { PageInfo } from "../graph/index.js";
import { DocumentFilterInput, DocumentType } from "./document.types.js";
import type { SearchMode } from "./search-request.rules.js";
import type { SearchAnswer, SearchResult } from "./search.service.js";

export const SearchModeEnum = { HYBRID: "HYBRID", SEMANTIC: "SEMANTIC", LEXICAL: "LEXICAL" } as const;
registerEnumType(SearchModeEnum, { name: "SearchMode" });

@InputType()
export class SearchInput {
  @Field()
  collection!: string;

  @Field({ description: "At most 10,000 characters, and not only white space." })
  query!: string;

  @Field(() => SearchModeEnum, { nullable: true, defaultValue: "HYBRID" })
  mode?: SearchMode | null;

  @Field(() => DocumentFilterInput, { nullable: true })
  filter?: DocumentFilterInput | null;

  @Field(() => [String], {
    nullable: true,
    defaultValue: [],
    description: "Metadata keys to count over the matches; at most 10.",
  })
  facets?: string[] | null;
}

@ObjectType()
export class FacetValue {
  @Field()
  value!: string;

  @Field(() => Int)
  count!: number;
}

@ObjectType()
export class Facet {
  @Field()
  key!: string;

  @Field(() => [FacetValue])
  values!: FacetValue[];
}

@ObjectType({ description: "How the answer was found; exhausted: fewer than asked for exist." })
export class SearchPlan {
  @Field(() => SearchModeEnum)
  mode!: SearchMode;

  @Field()
  strategy!: string;

  @Field()
  exhausted!: boolean;

  @Field(() => Float)
  tookMs!: number;
}

@ObjectType("SearchEdge")
export class SearchEdgeType {
  @Field()
  cursor: string;

  @Field(() => Float)
  score: number;

  @Field(() => DocumentType)
  node: DocumentType;

  @Field(() => Int, { nullable: true })
  semanticRank: number | null;

  @Field(() => Int, { nullable: true })
  lexicalRank: number | null;

  constructor(
    { cursor, document, ranked }: SearchResult,
    private readonly highlights: () => Promise<string[]>,
    private readonly place: number,
  ) {
    this.cursor = cursor;
    this.score = ranked.score;
    this.node = new DocumentType(document);
    this.semanticRank = ranked.semanticRank;
    this.lexicalRank = ranked.lexicalRank;
  }

  @Field(() => String, {
    description: "The best passage, with matches between <em> and </em>, everything else escaped.",
  })
  async highlight(): Promise<string> {
    return (await this.highlights())[this.place]!;
  }
}

@ObjectType("SearchConnection")
export class SearchConnectionType {
  @Field(() => [SearchEdgeType])
  edges: SearchEdgeType[];

  @Field(() => PageInfo)
  pageInfo: PageInfo;

  @Field(() => [Facet])
  facets: Facet[];

  @Field(() => SearchPlan)
  plan: SearchPlan;

  constructor(answer: SearchAnswer, tookMs: number) {
    const { results, hasNextPage, hasPreviousPage, mode, strategy, exhausted } = answer;
    const highlights = () => answer.highlights();
    this.edges = results.map((result, i) => new SearchEdgeType(result, highlights, i));
    const startCursor = this.edges[0]?.cursor ?? null;
    const endCursor = this.edges.at(-1)?.cursor ?? null;
    this.pageInfo = { hasNextPage, hasPreviousPage, startCursor, endCursor };
    this.facets = answer.facets;
    this.plan = { mode, strategy, exhausted, tookMs };
  }
}
