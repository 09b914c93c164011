import { ArgsType, Field, Int, ObjectType, registerEnumType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { BigIntScalar, DateTimeScalar, JsonScalar, Node, PageArgs, connectionType } from "../graph/index.js";
import type { AuditEntryRow } from "./audit-entry.entity.js";
import type { AuditFindingKind } from "./audit-verification.js";

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
    description:
      "A mutation's name, query, subscription, artifact.link, artifact.read, artifact.write, authenticate, schedule, " +
      "import; request: one that was refused unread.",
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

const AuditFindingKindEnum: { [K in AuditFindingKind]: K } = {
  ENTRIES_CHANGED: "ENTRIES_CHANGED",
  SEAL_CHANGED: "SEAL_CHANGED",
  SEAL_MISSING: "SEAL_MISSING",
  TRUNCATED: "TRUNCATED",
  REWRITTEN: "REWRITTEN",
  HEAD_FORGED: "HEAD_FORGED",
};
registerEnumType(AuditFindingKindEnum, {
  name: "AuditFindingKind",
  description:
    "ENTRIES_CHANGED: entries are not those that were sealed. TRUNCATED, REWRITTEN: a signed head tells of seals that " +
    "are not there, or of others.",
});

@ObjectType()
export class AuditFinding {
  @Field(() => AuditFindingKindEnum)
  kind!: AuditFindingKind;

  @Field({ description: "The seal with its time, or the head." })
  where!: string;

  @Field()
  message!: string;
}

@ObjectType("AuditVerification")
export class AuditVerificationType {
  @Field({ description: "Nothing was found." })
  ok!: boolean;

  @Field(() => BigIntScalar, { description: "Entries that were compared with their seal." })
  entries!: number;

  @Field(() => BigIntScalar)
  seals!: number;

  @Field(() => Int, { description: "Signed heads in the object store." })
  heads!: number;

  @Field(() => DateTimeScalar, { nullable: true, description: "Of the first seal that was read." })
  from!: string | null;

  @Field(() => DateTimeScalar, { nullable: true, description: "Of the last one." })
  to!: string | null;

  @Field(() => [AuditFinding], { description: "At most 100." })
  findings!: AuditFinding[];

  @Field(() => [String], { description: "What cannot be known." })
  limits!: string[];
}
