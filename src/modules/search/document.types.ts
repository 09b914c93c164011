import { Field, InputType, ObjectType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { DateTimeScalar, JsonScalar, Node, connectionType } from "../graph/index.js";
import type { DocumentRow } from "./document.entity.js";

@ObjectType("Document", { implements: Node })
export class DocumentType extends Node {
  readonly row: DocumentRow;

  @Field({ description: "The caller's own key, unique in the collection." })
  key: string;

  @Field(() => String, { nullable: true })
  title: string | null;

  @Field()
  text: string;

  @Field(() => JsonScalar)
  metadata: Record<string, unknown>;

  @Field(() => DateTimeScalar, { nullable: true })
  publishedAt: Date | null;

  constructor(row: DocumentRow) {
    super();
    this.row = row;
    this.id = toNodeId("Document", row.id);
    this.key = row.key;
    this.title = row.title;
    this.text = row.text;
    this.metadata = row.metadata;
    this.publishedAt = row.publishedAt;
  }
}

export const DocumentConnection = connectionType("Document", DocumentType);

@InputType("DocumentFilter", {
  description: "Both ends of the dates are included; a document without a date has no place between them.",
})
export class DocumentFilterInput {
  @Field(() => JsonScalar, {
    nullable: true,
    description: 'Exact match on metadata, e.g. {"commodity": "gas"}; a list means any of.',
  })
  metadata?: unknown;

  @Field(() => DateTimeScalar, { nullable: true })
  publishedFrom?: Date | null;

  @Field(() => DateTimeScalar, { nullable: true })
  publishedTo?: Date | null;
}
