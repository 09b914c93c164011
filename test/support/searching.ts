import type { Answer, Platform } from "./platform.js";

export interface FoundDocument {
  cursor: string;
  score: number;
  semanticRank: number | null;
  lexicalRank: number | null;
  highlight: string;
  node: { key: string };
}

export interface Search {
  edges: FoundDocument[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
  facets: { key: string; values: { value: string; count: number }[] }[];
  plan: { mode: string; strategy: string; exhausted: boolean; tookMs: number };
}

export interface SearchPage {
  first?: number;
  after?: string | null;
}

const SEARCH = `query Search($input: SearchInput!, $first: Int, $after: String) {
  search(input: $input, first: $first, after: $after) {
    edges { cursor score semanticRank lexicalRank highlight node { key } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    facets { key values { value count } }
    plan { mode strategy exhausted tookMs }
  }
}`;

export function askSearch(
  platform: Platform,
  input: Record<string, unknown>,
  page: SearchPage = {},
): Promise<Answer<{ search: Search }>> {
  return platform.ask(SEARCH, { input, ...page });
}

/** @throws when it is refused */
export async function search(
  platform: Platform,
  input: Record<string, unknown>,
  page: SearchPage = {},
): Promise<Search> {
  const { data, errors } = await askSearch(platform, input, page);
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.search;
}

export const keysOf = ({ edges }: Search): string[] => edges.map(({ node }) => node.key);
