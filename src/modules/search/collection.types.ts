import { Field, InputType, Int, ObjectType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { Node, connectionType } from "../graph/index.js";
import type { CollectionRow } from "./collection.entity.js";

@ObjectType("Collection", { implements: Node })
export class CollectionType extends Node {
  readonly row: CollectionRow;

  @Field()
  name: string;

  @Field({ description: "A text search configuration of PostgreSQL: stemming and stop words." })
  language: string;

  @Field(() => Int)
  documentCount: number;

  constructor(row: CollectionRow) {
    super();
    this.row = row;
    this.id = toNodeId("Collection", row.id);
    this.name = row.name;
    this.language = row.language;
    this.documentCount = row.documentCount;
  }
}

export const CollectionConnection = connectionType("Collection", CollectionType);

@InputType({
  description:
    "embedder: a TEXT_EMBEDDER model, whose production version embeds the collection; without one, " +
    "search is LEXICAL until setCollectionEmbedder. language: a PostgreSQL text-search configuration.",
})
export class CreateCollectionInput {
  @Field()
  name!: string;

  @Field(() => String, { nullable: true })
  embedder?: string | null;

  @Field(() => String, { nullable: true, defaultValue: "english" })
  language?: string | null;
}

@InputType({
  description:
    "A model with a version in production embeds the collection anew, beside the index that goes on answering " +
    "searches; one without does so once it is promoted.",
})
export class SetCollectionEmbedderInput {
  @Field()
  collection!: string;

  @Field()
  embedder!: string;
}

@InputType()
export class ReindexCollectionInput {
  @Field()
  collection!: string;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@ObjectType()
export class CollectionPayload {
  @Field(() => CollectionType)
  collection!: CollectionType;
}
