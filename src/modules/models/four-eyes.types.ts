import { Field, ID, InputType } from "type-graphql";

@InputType()
export class SetFourEyesInput {
  @Field()
  model!: string;

  @Field(() => Boolean)
  required!: boolean;
}

@InputType()
export class ApprovePromotionInput {
  @Field(() => ID)
  transition!: string;
}

@InputType()
export class WithdrawPromotionInput {
  @Field(() => ID)
  transition!: string;
}
