import type { PromotionRequestRow, TransitionStatus } from "./promotion-request.entity.js";
import type { StageTransitionRow } from "./stage-transition.entity.js";

/** A stage change that has been made, or that waits for a second person or has waited in vain. */
export type TransitionRecord = Pick<
  StageTransitionRow,
  "id" | "kind" | "versionId" | "from" | "to" | "retiredId" | "actor" | "approvedBy" | "reason" | "at"
> & {
  /** Absent: made. */
  status?: TransitionStatus;
};

export function toTransitionRecord(request: PromotionRequestRow): TransitionRecord {
  const { id, versionId, from, to, reason, status, requestedBy: actor, requestedAt: at } = request;
  return {
    id,
    kind: "PROMOTION",
    versionId,
    from,
    to,
    reason,
    status,
    actor,
    at,
    retiredId: null,
    approvedBy: null,
  };
}
