import { Field, Float, InputType, ObjectType } from "type-graphql";

@ObjectType()
export class Metric {
  @Field()
  name!: string;

  @Field(() => Float)
  value!: number;
}

@ObjectType()
export class Parameter {
  @Field()
  name!: string;

  @Field()
  value!: string;
}

@ObjectType()
export class Tag {
  @Field()
  name!: string;

  @Field()
  value!: string;
}

@InputType()
export class MetricInput {
  @Field()
  name!: string;

  @Field(() => Float)
  value!: number;
}

@InputType()
export class ParameterInput {
  @Field()
  name!: string;

  @Field()
  value!: string;
}

@InputType()
export class TagInput {
  @Field()
  name!: string;

  @Field()
  value!: string;
}
