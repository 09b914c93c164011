import { Arg, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from "type-graphql";
import { requireNodeOfType } from "../../shared/node-id.js";
import { RequestContext } from "../identity/index.js";
import { ApprovePromotionInput, SetFourEyesInput, WithdrawPromotionInput } from "./four-eyes.types.js";
import { ModelLifecycleService } from "./model-lifecycle.service.js";
import { RegisterModelPayload, StageTransitionPayload } from "./model-mutation.types.js";
import { ModelType, StageTransitionType } from "./model.types.js";
import type { TransitionRecord } from "./transition-record.js";

/** Promotions that two persons have to want. */
@Resolver(() => ModelType)
export class FourEyesResolver {
  constructor(private readonly lifecycle: ModelLifecycleService) {}

  @FieldResolver(() => StageTransitionType, {
    nullable: true,
    description:
      "The promotion that waits for a second person; it is not among the transitions until it is made.",
  })
  async pendingPromotion(
    @Root() { row }: ModelType,
    @Ctx() context: RequestContext,
  ): Promise<StageTransitionType | null> {
    const pending = await context
      .loader<string, TransitionRecord | null>("pendingPromotion", (ids) => this.lifecycle.pendingOf(ids))
      .load(row.id);
    return pending && new StageTransitionType(pending);
  }

  @Authorized("model:govern")
  @Mutation(() => RegisterModelPayload, {
    nullable: true,
    description: "Whether production of the model changes by the word of two persons only.",
  })
  async setFourEyes(
    @Arg("input") { model, required }: SetFourEyesInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<RegisterModelPayload> {
    return { model: new ModelType(await this.lifecycle.setFourEyes(model, required, caller)) };
  }

  @Authorized("model:promote")
  @Mutation(() => StageTransitionPayload, {
    nullable: true,
    description: "The second person's word, where promoteModelVersion answered with a pending transition.",
  })
  async approvePromotion(
    @Arg("input") { transition }: ApprovePromotionInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<StageTransitionPayload> {
    const id = requireNodeOfType(transition, "StageTransition", "input.transition");
    return { transition: new StageTransitionType(await this.lifecycle.approve(id, caller)), pending: false };
  }

  @Authorized("model:promote")
  @Mutation(() => StageTransitionPayload, {
    nullable: true,
    description: "Takes back a promotion that waits for a second person; again changes nothing.",
  })
  async withdrawPromotion(
    @Arg("input") { transition }: WithdrawPromotionInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<StageTransitionPayload> {
    const id = requireNodeOfType(transition, "StageTransition", "input.transition");
    return { transition: new StageTransitionType(await this.lifecycle.withdraw(id, caller)), pending: false };
  }
}
