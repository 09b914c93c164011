import type { Database } from "../../ports/database.js";
import type { JobQueue } from "../../ports/job-queue.js";
import type { Logger } from "../../telemetry/logger.js";
import type { NodeSource } from "../graph/index.js";
import { EventFeed } from "./event-feed.service.js";
import { IdempotencyKey } from "./idempotency-key.entity.js";
import { JobRow } from "./job.entity.js";
import { JobResolver } from "./job.resolver.js";
import { JobDeliveryService } from "./job-delivery.service.js";
import { JobLifecycle } from "./job-lifecycle.js";
import { JobRegistry } from "./job-registry.js";
import { JobService } from "./job.service.js";
import { JobType } from "./job.types.js";
import { RetentionService } from "./retention.service.js";
import { OutboxEvent } from "./outbox-event.entity.js";
import type { PartitionedTable } from "./partitioned-table.js";

export const operationsEntities = [JobRow, OutboxEvent, IdempotencyKey];

/** @param keepDays how long a subscriber may be away and still get what it missed */
export const outboxPartitions = (keepDays: number): PartitionedTable => ({
  table: "outbox_events",
  column: "at",
  span: "week",
  ahead: 2,
  keepDays,
});

export interface OperationsModule {
  jobs: JobService;
  deliveries: JobDeliveryService;
  feed: EventFeed;
  retention: RetentionService;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export function createOperationsModule(
  database: Database,
  queue: JobQueue,
  logger: Logger,
  jobLeaseMs: number,
): OperationsModule {
  const registry = new JobRegistry(jobLeaseMs);
  const lifecycle = new JobLifecycle(registry);
  const jobs = new JobService(database, queue, registry, lifecycle, logger);
  queue.onRecovered(() => void jobs.redispatch());
  return {
    jobs,
    deliveries: new JobDeliveryService(database, queue, registry, lifecycle, logger),
    feed: new EventFeed(database),
    retention: new RetentionService(database),
    resolvers: [new JobResolver(jobs)],
    nodeSources: [
      {
        type: "Job",
        find: async (id) => {
          const row = await jobs.find(id);
          return row ? JobType.from(row) : undefined;
        },
      },
    ],
  };
}

export { EventFeed } from "./event-feed.service.js";
export { defineJob } from "./job-definition.js";
export type { JobDefinition, JobRun } from "./job-definition.js";
export type { JobRow } from "./job.entity.js";
export { CHILDREN_SHARE } from "./job-lifecycle.js";
export { JobRepository } from "./job.repository.js";
export { JobService } from "./job.service.js";
export type { JobHooks } from "./job-registry.js";
export { JobPayload, JobType } from "./job.types.js";
export { PartitionService } from "./partition.service.js";
export type { PartitionedTable } from "./partitioned-table.js";
export { newestFirst } from "./newest-first.repository.js";
export { onceOnly } from "./once-only.js";
export {
  CONTINUE_RESTORED,
  OUTBOX_CHANNEL,
  OutboxRepository,
  cursorBefore,
  toEventCursor,
} from "./outbox.repository.js";
export type { EventPosition, StoredEvent } from "./outbox.repository.js";
