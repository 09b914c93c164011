import { ArgsType, Field, ObjectType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { DateTimeScalar, JsonScalar, Node, PageArgs, connectionType } from "../graph/index.js";
import type { AuditEntryRow } from "./audit-entry.entity.js";

@ObjectType("AuditEntry", {
  implements: Node,
  description: "Who did what, or tried to; never edited, never deleted before its time.",
})
export class AuditEntryType extends Node {
  @Field(() => DateTimeScalar)
  at!: Date;

  @Field()
  actor!: string;

  @Field({
    description: "A mutation's name, query, subscription, artifact.link, artifact.read, authenticate.",
  })
  action!: string;

  @Field(() => String, { nullable: true, description: "What it was about, e.g. model:power-day-ahead#3." })
  target!: string | null;

  @Field({ description: "OK, or the code of the error." })
  outcome!: string;

  @Field()
  requestId!: string;

  @Field(() => JsonScalar, {
    description: "What may be shown of the input, names of the rest, and what came of it.",
  })
  detail!: unknown;

  static from({ id, at, actor, action, target, outcome, requestId, detail }: AuditEntryRow): AuditEntryType {
    const fields = { at, actor, action, target, outcome, requestId, detail };
    return Object.assign(new AuditEntryType(), { id: toNodeId("AuditEntry", id), ...fields });
  }
}

export const AuditEntryConnection = connectionType("AuditEntry", AuditEntryType);

@ArgsType()
export class AuditArgs extends PageArgs {
  @Field(() => String, { nullable: true })
  actor?: string | null;

  @Field(() => String, { nullable: true })
  action?: string | null;

  @Field(() => DateTimeScalar, { nullable: true, description: "The first instant that is part of it." })
  from?: Date | null;

  @Field(() => DateTimeScalar, { nullable: true, description: "The first that no longer is." })
  to?: Date | null;
}
