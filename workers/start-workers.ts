import type { App } from "../src/app.js";
import { apartFromAudit } from "../src/modules/audit/index.js";
import type { Delivery, JobWorker } from "../src/ports/job-queue.js";
import { UnavailableError } from "../src/shared/errors.js";
import { inLogScope } from "../src/telemetry/logger.js";
import { SpanKind, inRemoteSpan } from "../src/telemetry/tracing.js";
import { jobCatalogue } from "./job-catalogue.js";
import type { JobName } from "./job-catalogue.js";
import { jobHandlers } from "./job-handlers.js";
import { jobSchedules } from "./job-schedules.js";

export interface Workers {
  /** @throws {UnavailableError} naming the queues of which no more jobs are taken */
  check(): Promise<void>;
  /** Takes no more jobs; those under way have `graceMs` before they are aborted and queued again. */
  close(graceMs: number): Promise<void>;
}

/** Works on the queues and, with the other workers, on what runs by the clock. */
export async function startWorkers(app: App, queues: readonly string[]): Promise<Workers> {
  const handlers = jobHandlers(app) as Record<
    string,
    (payload: never, run: never) => Promise<Record<string, unknown> | undefined>
  >;
  // Whoever's request woke the worker, what it does is its own.
  const deliver = (delivery: Delivery): Promise<void> => apartFromAudit(() => work(delivery));
  const work = (delivery: Delivery): Promise<void> =>
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
  const workers = new Map<string, JobWorker>();
  for (const queue of queues) {
    const concurrency = concurrencies[queue] ?? 2;
    const rate = app.config.queueRates[queue];
    workers.set(queue, await app.queue.work(queue, { concurrency, rate }, deliver));
  }
  for (const schedules of jobSchedules(app.config)) {
    const plan = schedules.map((schedule) => ({
      ...schedule,
      tick: async () => void (await schedule.tick(app)),
    }));
    const names = plan.map(({ name }) => name).join(", ");
    workers.set(`the schedules ${names}`, await app.queue.schedule(plan));
  }
  return {
    check: async () => {
      const idle = [...workers].filter(([, worker]) => !worker.isWorking()).map(([queue]) => queue);
      if (idle.length > 0) throw new UnavailableError(`no more jobs are taken of ${idle.join(", ")}`);
    },
    close: async (graceMs) => {
      await Promise.all([...workers].map(([queue, worker]) => worker.close(graceOf(queue, graceMs))));
    },
  };
}

/** Jobs that go on where they were are handed back at once: another worker has the rest of them. */
function graceOf(queue: string, graceMs: number): number {
  const jobs = Object.values(jobCatalogue).filter((job) => job.queue === queue);
  return jobs.length > 0 && jobs.every(({ resumes }) => resumes) ? 0 : graceMs;
}
