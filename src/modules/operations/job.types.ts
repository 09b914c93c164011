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

  @Field(() => Int)
  attempts!: number;

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

  static from(row: JobRow): JobType {
    const { kind, state, progress, attempts, error, result, createdAt, startedAt, finishedAt } = row;
    const id = toNodeId("Job", row.id);
    const fields = { id, kind, state, progress, attempts, error, result, createdAt, startedAt, finishedAt };
    return Object.assign(new JobType(), fields);
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
