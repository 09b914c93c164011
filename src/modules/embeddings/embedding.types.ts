import { Field, Float, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import { VersionSelector } from "../models/index.js";
import type { ModelVersionRow } from "../models/index.js";
import type { TextRole } from "./embedding.service.js";
import type { TextEmbedding } from "./embedding-cache.js";

const TextRoleEnum = { QUERY: "QUERY", PASSAGE: "PASSAGE" } as const;
registerEnumType(TextRoleEnum, { name: "TextRole" });

@InputType()
export class EmbedInput {
  @Field(() => [String])
  texts!: string[];

  @Field(() => String, {
    nullable: true,
    description: "By default the only TEXT_EMBEDDER that has a version in production.",
  })
  model?: string | null;

  @Field(() => VersionSelector, { nullable: true })
  version?: VersionSelector | null;

  @Field(() => TextRoleEnum, { nullable: true, defaultValue: "PASSAGE" })
  role?: TextRole | null;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: true,
    description: "false: a text beyond the model's length is INVALID_INPUT.",
  })
  truncate?: boolean | null;
}

@ObjectType({
  simpleResolvers: true,
  description: "Ask for one of vector and base64 (little-endian float32).",
})
export class Embedding {
  @Field(() => Int, { description: "Tokens that the model was given, special ones included." })
  readonly tokens: number;

  @Field(() => Boolean, { description: "Whether the text has more tokens than the model takes." })
  readonly truncated: boolean;

  constructor(private readonly value: TextEmbedding) {
    this.tokens = value.tokens;
    this.truncated = value.truncated;
  }

  @Field(() => [Float])
  get vector(): number[] {
    return Array.from(this.value.vector);
  }

  @Field(() => String)
  get base64(): string {
    const { buffer, byteOffset, byteLength } = this.value.vector;
    return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  }
}

@ObjectType("EmbedResult", { simpleResolvers: true })
export class EmbedResultType {
  @Field(() => Int)
  readonly dimensions: number;

  @Field(() => [Embedding])
  readonly embeddings: Embedding[];

  constructor(
    readonly versionRow: ModelVersionRow,
    embeddings: readonly TextEmbedding[],
  ) {
    this.dimensions = versionRow.embedder!.dimensions;
    this.embeddings = embeddings.map((embedding) => new Embedding(embedding));
  }
}
