import { randomUUID } from "node:crypto";
import { In } from "typeorm";
import type { Transaction } from "../../ports/database.js";
import { PromotionRequestRow } from "./promotion-request.entity.js";
import type { TransitionStatus } from "./promotion-request.entity.js";

export type NewPromotionRequest = Pick<
  PromotionRequestRow,
  "modelId" | "versionId" | "from" | "to" | "expectedCurrent" | "reason" | "requestedBy" | "requester"
>;

/** Promotions that wait for a second person. The model's lock serializes what is done with them. */
export class PromotionRequestRepository {
  constructor(private readonly tx: Transaction) {}

  /** Takes the place of one that waits. */
  async insert(request: NewPromotionRequest): Promise<PromotionRequestRow> {
    await this.closePending(request.modelId, "SUPERSEDED", request.requestedBy);
    const id = randomUUID();
    await this.tx.insert(PromotionRequestRow, { id, ...request, requestedAt: new Date() });
    return this.tx.findOneByOrFail(PromotionRequestRow, { id });
  }

  find(id: string): Promise<PromotionRequestRow | null> {
    return this.tx.findOneBy(PromotionRequestRow, { id });
  }

  async pendingOf(modelIds: readonly string[]): Promise<Map<string, PromotionRequestRow>> {
    const rows = await this.tx.findBy(PromotionRequestRow, { modelId: In([...modelIds]), status: "PENDING" });
    return new Map(rows.map((row) => [row.modelId, row]));
  }

  async closePending(modelId: string, status: TransitionStatus, closedBy: string): Promise<void> {
    const closed = { status, closedBy, closedAt: new Date() };
    await this.tx.update(PromotionRequestRow, { modelId, status: "PENDING" }, closed);
  }
}
