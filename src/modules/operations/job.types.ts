import { Field, Float, ID, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { DateTimeScalar, JsonScalar, Node, connectionType } from "../graph/index.js";
import type { JobRow, JobState } from "./job.entity.js";

const JobStateEnum = {
  WAITING: "WAITING",
  ACTIVE: "ACTIVE",
  DELAYED: "DELAYED",
  COMPLETED: "COMPLETED",
  FAILED: "FAILED",
  CANCELLED: "CANCELLED",
} as const;
registerEnumType(JobStateEnum, { name: "JobState" });
export { JobStateEnum };

@ObjectType("Job", { implements: Node })
export class JobType extends Node {
  @Field()
  kind!: string;

  @Field(() => JobStateEnum)
  state!: JobState;

  @Field(() => Float, { description: "0 to 1." })
  progress!: number;

  @Field(() => Int, { description: "Deliveries since its last checkpoint." })
  attempts!: number;

  @Field(() => Int, { description: "How many of them may fail before the job does." })
  maxAttempts!: number;

  @Field(() => String, { nullable: true })
  error!: string | null;

  @Field(() => JsonScalar, { nullable: true })
  result!: Record<string, unknown> | null;

  @Field(() => DateTimeScalar)
  createdAt!: Date;

  @Field(() => DateTimeScalar, { nullable: true })
  startedAt!: Date | null;

  @Field(() => DateTimeScalar, { nullable: true })
  finishedAt!: Date | null;

  /** Of the row, as the job that it is part of. */
  rowId!: string;
  parentId!: string | null;

  static from(row: JobRow): JobType {
    const { kind, state, progress, attempts, maxAttempts, error, result, parentId } = row;
    const { createdAt, startedAt, finishedAt } = row;
    const ids = { id: toNodeId("Job", row.id), rowId: row.id, parentId };
    const fields = { kind, state, progress, attempts, maxAttempts, error, result };
    return Object.assign(new JobType(), { ...ids, ...fields, createdAt, startedAt, finishedAt });
  }
}

export const JobConnection = connectionType("Job", JobType);

@InputType()
export class RetryJobInput {
  @Field(() => ID)
  job!: string;
}

@InputType()
export class CancelJobInput {
  @Field(() => ID)
  job!: string;
}

@ObjectType({ description: "cursor: subscribe after it to miss nothing." })
export class JobPayload {
  @Field(() => JobType)
  job!: JobType;

  @Field()
  cursor!: string;
}

@ObjectType({ description: "state and progress are those of the event; job shows it as it is now." })
export class JobEvent {
  @Field()
  cursor!: string;

  @Field(() => DateTimeScalar)
  at!: Date;

  @Field(() => JobType)
  job!: JobType;

  @Field(() => JobStateEnum)
  state!: JobState;

  @Field(() => Float)
  progress!: number;
}
