export type Pooling = "MEAN" | "CLS" | "LAST" | "NONE";

/** How a TEXT_EMBEDDER's graph is used; kept with its version. */
export interface EmbedderOptions {
  /** How the vectors of tokens become one of the text; NONE: the graph pools by itself. */
  pooling: Pooling;
  /** Scale each vector to unit length. */
  normalize: boolean;
  queryPrefix: string;
  passagePrefix: string;
  /** Most tokens of a text that the graph is given, special ones included. */
  maxTokens: number;
  /** Width of the vectors; at most the graph's own, where only the first ones are kept. */
  dimensions: number;
}

/** What is asked for a version; validation settles what is null, by the version's files. */
export type EmbedderRequest = Pick<EmbedderOptions, "normalize" | "queryPrefix" | "passagePrefix"> & {
  [Option in "pooling" | "maxTokens" | "dimensions"]: EmbedderOptions[Option] | null;
};
