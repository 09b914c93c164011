import { Field, InputType, Int } from "type-graphql";

@InputType({
  description:
    "Learns an embedder from the collection's own text, as a new version of `model` (created when absent).",
})
export class TrainEmbedderInput {
  @Field()
  model!: string;

  @Field()
  collection!: string;

  @Field(() => Int, { nullable: true, defaultValue: 256, description: "8 to 1024." })
  dimensions?: number | null;

  @Field(() => Int, { nullable: true, defaultValue: 254 })
  seed?: number | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}
