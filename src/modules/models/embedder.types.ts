import { Field, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import type { Pooling } from "../../shared/embedder-options.js";

const PoolingEnum = { MEAN: "MEAN", CLS: "CLS", LAST: "LAST", NONE: "NONE" } as const;
registerEnumType(PoolingEnum, { name: "Pooling" });

@ObjectType({ description: "How a TEXT_EMBEDDER's graph is used, as validation settled it." })
export class Embedder {
  @Field(() => PoolingEnum)
  pooling!: Pooling;

  @Field()
  normalize!: boolean;

  @Field()
  queryPrefix!: string;

  @Field()
  passagePrefix!: string;

  @Field(() => Int, {
    description: "Most tokens of a text that the graph is given, prefix and special ones included.",
  })
  maxTokens!: number;

  @Field(() => Int)
  dimensions!: number;
}

@InputType()
export class EmbedderInput {
  @Field(() => PoolingEnum, { defaultValue: "MEAN", description: "NONE: the graph pools by itself." })
  pooling!: Pooling;

  @Field(() => Boolean, { nullable: true, defaultValue: true })
  normalize?: boolean | null;

  @Field(() => String, { nullable: true })
  queryPrefix?: string | null;

  @Field(() => String, { nullable: true })
  passagePrefix?: string | null;

  @Field(() => Int, {
    nullable: true,
    description:
      "At most what the graph can take; read from the files when absent, up to 512. Special tokens count.",
  })
  maxTokens?: number | null;

  @Field(() => Int, { nullable: true, description: "Keep only the first ones (Matryoshka models)." })
  dimensions?: number | null;
}
