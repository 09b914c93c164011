import { Field, InputType, Int, ObjectType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { DateTimeScalar, JsonScalar, Node, connectionType } from "../graph/index.js";
import { JobType } from "../operations/index.js";
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

@InputType()
export class DocumentInput {
  @Field()
  key!: string;

  @Field(() => String, { nullable: true })
  title?: string | null;

  @Field()
  text!: string;

  @Field(() => JsonScalar, { nullable: true, description: "An object." })
  metadata?: unknown;

  @Field(() => DateTimeScalar, { nullable: true })
  publishedAt?: Date | null;
}

@InputType({ description: "All or nothing: one bad document rejects the batch and names it." })
export class IngestDocumentsInput {
  @Field()
  collection!: string;

  @Field(() => [DocumentInput], { description: "1 to 1000, each key once." })
  documents!: DocumentInput[];

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@ObjectType({ description: "job: embeds them. cursor: subscribe after it to miss nothing." })
export class IngestDocumentsPayload {
  @Field(() => JobType)
  job!: JobType;

  @Field()
  cursor!: string;

  @Field(() => Int)
  created!: number;

  @Field(() => Int)
  updated!: number;

  @Field(() => Int)
  unchanged!: number;
}

@InputType()
export class DeleteDocumentsInput {
  @Field()
  collection!: string;

  @Field(() => [String], { description: "1 to 1000; those that do not exist are passed over." })
  keys!: string[];
}

@ObjectType()
export class DeleteDocumentsPayload {
  @Field(() => Int)
  deleted!: number;
}
