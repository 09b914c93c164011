/** Variables and answer of a document in `schema/operations`. */
export interface Operation<V, A> {
  variables: V;
  answer: A;
}

export interface Connection<T> {
  edges: { node: T }[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  totalCount: number;
}
