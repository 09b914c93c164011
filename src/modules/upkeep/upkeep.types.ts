import { Field, ID, InputType, Int } from "type-graphql";

@InputType()
export class StartBackupInput {
  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@InputType()
export class StartMirrorInput {
  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description: "Reads again, too, what was copied before, and replaces what is damaged.",
  })
  verify?: boolean | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@InputType()
export class StartRestoreTestInput {
  @Field(() => ID, { nullable: true, description: "The newest one, unless told." })
  backup?: string | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@InputType()
export class StartVacuumInput {
  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@InputType()
export class StartCleanupInput {
  @Field(() => Int, {
    nullable: true,
    defaultValue: 30,
    description: "How long a thing must have been out of use; 0 to 36500.",
  })
  days?: number | null;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: true,
    description: "Removes nothing; the job's result lists exactly what would go.",
  })
  dryRun?: boolean | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}
