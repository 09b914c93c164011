import { Field, ID, InterfaceType } from "type-graphql";

@InterfaceType({ description: "Something with a global id." })
export abstract class Node {
  @Field(() => ID)
  id!: string;
}
