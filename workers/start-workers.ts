import type { App } from "../src/app.js";
import type { Delivery, JobWorker } from "../src/ports/job-queue.js";
import { inLogScope } from "../src/telemetry/logger.js";
import { SpanKind, inRemoteSpan } from "../src/telemetry/tracing.js";
import type { JobName } from "./job-catalogue.js";
import { jobHandlers } from "./job-handlers.js";
import { jobSchedules } from "./job-schedules.js";

export interface Workers {
  /** Takes no more jobs; those under way have `graceMs` before they are aborted and queued again. */
  close(graceMs: number): Promise<void>;
}

/** Works on the queues and, with the other workers, on what runs by the clock. */
export async function startWorkers(app: App, queues: readonly string[]): Promise<Workers> {
  const handlers = jobHandlers(app) as Record<
    string,
    (payload: never, run: never) => Promise<Record<string, unknown> | undefined>
  >;
  const deliver = (delivery: Delivery): Promise<void> =>
    inLogScope({ job: delivery.id }, () =>
      inRemoteSpan(
        delivery.traceContext,
        `job ${delivery.name}`,
        { "job.id": delivery.id, "job.attempt": delivery.attempt },
        () =>
          app.operations.deliveries.deliver(delivery, async (payload, run) => ({
            result: await handlers[delivery.name as JobName]!(payload as never, run as never),
          })),
        SpanKind.CONSUMER,
      ),
    );
  const { trainingConcurrency, embedding } = app.config;
  const concurrencies: Record<string, number> = {
    training: trainingConcurrency,
    embedding: embedding.concurrency,
  };
  const workers: JobWorker[] = [];
  for (const queue of queues) {
    const concurrency = concurrencies[queue] ?? 2;
    workers.push(await app.queue.work(queue, { concurrency, rate: app.config.queueRates[queue] }, deliver));
  }
  for (const { name, when, tick } of jobSchedules(app.config)) {
    workers.push(await app.queue.schedule(name, when, async () => void (await tick(app))));
  }
  return {
    close: async (graceMs) => void (await Promise.all(workers.map((worker) => worker.close(graceMs)))),
  };
}
