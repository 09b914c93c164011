import { randomUUID } from "node:crypto";
import { UnrecoverableJobError } from "../../src/ports/job-queue.js";
import type { Delivery, JobQueue, QueuedJob } from "../../src/ports/job-queue.js";
import { until } from "../support/until.js";

export interface OtherQueue {
  queue: JobQueue;
  /** Holds back what it says, as a network does that has failed; absent where the queue says it cannot. */
  mute?(): void;
  unmute?(): void;
  close(): Promise<void>;
}

export interface QueueUnderTest {
  queue: JobQueue;
  /** Another process's view of the same queues. */
  another(): Promise<OtherQueue>;
  drop(): Promise<void>;
}

/** How the queues under test are set up. */
export const QUICK = { backoffMs: 20, leaseMs: 1_000, stalledIntervalMs: 200 };

function job(queue: string, more: Partial<QueuedJob> = {}): QueuedJob {
  return { id: randomUUID(), name: "measure", queue, attempts: 1, ...more };
}

/** @param mutes whether another's view can be cut off: not where clients find several servers by themselves */
export function describeJobQueue(name: string, open: () => Promise<QueueUnderTest>, mutes = true): void {
  describe(name, () => {
    let subject: QueueUnderTest;
    let queue: JobQueue;
    beforeAll(async () => {
      subject = await open();
      queue = subject.queue;
    });
    afterAll(() => subject.drop());

    async function depth(of: string) {
      return (await queue.depths()).find((each) => each.queue === of)!;
    }

    test("delivers id, name, attempt and trace context", async () => {
      const deliveries: Delivery[] = [];
      const worker = await queue.work("delivery", { concurrency: 2 }, async (delivery) => {
        deliveries.push(delivery);
      });
      const sent = job("delivery", { traceContext: { traceparent: "00-ab-cd-01" } });
      await queue.enqueue([sent, job("delivery")]);
      await until(() => deliveries.length === 2);
      const received = deliveries.find(({ id }) => id === sent.id)!;
      expect(received).toMatchObject({ name: "measure", attempt: 1, lastAttempt: true });
      expect(received.traceContext).toEqual({ traceparent: "00-ab-cd-01" });
      expect(received.signal.aborted).toBe(false);
      await worker.close(1_000);
    });

    test("wakes an idle worker", async () => {
      let delivered = 0;
      const worker = await queue.work("idle", { concurrency: 1 }, async () => void delivered++);
      const waits: number[] = [];
      for (let sent = 1; sent <= 5; sent++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        const started = performance.now();
        await queue.enqueue([job("idle")]);
        await until(() => delivered === sent);
        waits.push(performance.now() - started);
      }
      expect(Math.max(...waits)).toBeLessThan(1_000);
      await worker.close(1_000);
    });

    test("delivers again after a failure, later each time, until the attempts are used up", async () => {
      const seen: { attempt: number; last: boolean; at: number }[] = [];
      const worker = await queue.work("retries", { concurrency: 1 }, async ({ attempt, lastAttempt }) => {
        seen.push({ attempt, last: lastAttempt, at: performance.now() });
        throw new Error("fails each time");
      });
      await queue.enqueue([job("retries", { attempts: 4 })]);
      await until(async () => (await depth("retries")).failed === 1);
      expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
      expect(seen.map(({ last }) => last)).toEqual([false, false, false, true]);
      // 20, 40, 80 ms, less up to half of each.
      expect(seen[3]!.at - seen[0]!.at).toBeGreaterThan(70);
      await worker.close(1_000);
    });

    test("does not deliver an unrecoverable failure again", async () => {
      let deliveries = 0;
      const worker = await queue.work("hopeless", { concurrency: 1 }, async () => {
        deliveries++;
        throw new UnrecoverableJobError("the data is wrong");
      });
      await queue.enqueue([job("hopeless", { attempts: 5 })]);
      await until(async () => (await depth("hopeless")).failed === 1);
      expect(deliveries).toBe(1);
      await worker.close(1_000);
    });

    test("delivers a delayed job when its time has come", async () => {
      const started = performance.now();
      let delivered = 0;
      const worker = await queue.work("delayed", { concurrency: 1 }, async () => {
        delivered = performance.now();
      });
      await queue.enqueue([job("delayed", { delayMs: 300 })]);
      expect((await depth("delayed")).delayed).toBe(1);
      await until(() => delivered > 0);
      expect(delivered - started).toBeGreaterThanOrEqual(290);
      await worker.close(1_000);
    });

    test("delivers the urgent first", async () => {
      const order: string[] = [];
      await queue.enqueue([
        job("urgency", { name: "later", priority: 10 }),
        job("urgency", { name: "soon", priority: 5 }),
        job("urgency", { name: "now", priority: 1 }),
      ]);
      const worker = await queue.work("urgency", { concurrency: 1 }, async ({ name: jobName }) => {
        order.push(jobName);
      });
      await until(() => order.length === 3);
      expect(order).toEqual(["now", "soon", "later"]);
      await worker.close(1_000);
    });

    test("delivers a parent once its children have been, failures and all", async () => {
      const [parent, first, second] = [job("flows"), job("flows"), job("flows", { attempts: 2 })];
      await queue.enqueueFlow(parent, [first, second]);
      const delivered: string[] = [];
      const worker = await queue.work("flows", { concurrency: 3 }, async ({ id, attempt }) => {
        delivered.push(id);
        if (id === second.id && attempt === 1) throw new Error("fails once");
      });
      await until(() => delivered.includes(parent.id));
      expect(delivered.slice(0, 3).sort()).toEqual([first.id, second.id, second.id].sort());
      expect(delivered.slice(3)).toEqual([parent.id]);
      await worker.close(1_000);
    });

    test("lets a parent go that is enqueued by itself, and takes its flow again", async () => {
      const [parent, child] = [job("released"), job("released", { delayMs: 600_000 })];
      await queue.enqueueFlow(parent, [child]);
      const delivered: string[] = [];
      const worker = await queue.work("released", { concurrency: 1 }, async ({ id }) => {
        delivered.push(id);
      });
      await queue.enqueue([{ ...parent, again: true }]);
      await until(() => delivered.includes(parent.id));
      expect((await depth("released")).delayed).toBe(1);
      await queue.remove("released", child.id);
      const again = { ...child, delayMs: undefined };
      await queue.enqueueFlow(parent, [again]);
      await until(() => delivered.length === 3);
      expect(delivered).toEqual([parent.id, child.id, parent.id]);
      await worker.close(1_000);
    });

    test("takes a flow twice as once", async () => {
      const [parent, ...children] = [job("repeated"), job("repeated"), job("repeated")];
      await queue.enqueueFlow(parent, children);
      const anew = <T extends object>(known: T) => ({ ...known, again: true });
      await queue.enqueueFlow(anew(parent), children.map(anew));
      const delivered: string[] = [];
      const worker = await queue.work("repeated", { concurrency: 1 }, async ({ id }) => {
        delivered.push(id);
      });
      await until(() => delivered.includes(parent.id));
      expect(delivered.slice(0, 2).sort()).toEqual(children.map(({ id }) => id).sort());
      expect(delivered.slice(2)).toEqual([parent.id]);
      await worker.close(1_000);
    });

    test("takes a parent out without its children", async () => {
      const [parent, child] = [job("orphans"), job("orphans")];
      await queue.enqueueFlow(parent, [child]);
      await queue.remove("orphans", parent.id);
      const delivered: string[] = [];
      const worker = await queue.work("orphans", { concurrency: 1 }, async ({ id }) => {
        delivered.push(id);
      });
      await until(() => delivered.length > 0);
      await until(async () => (await depth("orphans")).active === 0);
      expect(delivered).toEqual([child.id]);
      await worker.close(1_000);
    });

    test("takes a waiting job out, and does not miss one that is not there", async () => {
      const [gone, stays] = [job("removal"), job("removal")];
      await queue.enqueue([gone, stays]);
      await queue.remove("removal", gone.id);
      await queue.remove("removal", gone.id);
      const delivered: string[] = [];
      const worker = await queue.work("removal", { concurrency: 1 }, async ({ id }) => {
        delivered.push(id);
      });
      await until(() => delivered.length > 0);
      await until(async () => (await depth("removal")).active === 0);
      expect(delivered).toEqual([stays.id]);
      await worker.close(1_000);
    });

    test("enqueues a waiting job once, and a finished or failed one again", async () => {
      const succeeding = job("again");
      const failing = job("again", { name: "fail" });
      await queue.enqueue([succeeding, failing, succeeding]);
      await queue.enqueue([succeeding]);
      expect((await depth("again")).waiting).toBe(2);
      const delivered: string[] = [];
      const worker = await queue.work("again", { concurrency: 1 }, async (delivery) => {
        delivered.push(delivery.id);
        if (delivery.name === "fail") throw new Error("as told");
      });
      const idle = async () => {
        const { waiting, active, delayed } = await depth("again");
        return waiting + active + delayed === 0;
      };
      await until(idle);
      await queue.enqueue([succeeding, failing].map((known) => ({ ...known, again: true })));
      await until(() => delivered.length === 4);
      await until(idle);
      expect(delivered.filter((id) => id === failing.id)).toHaveLength(2);
      await worker.close(1_000);
    });

    test("reports depths and the age of the oldest", async () => {
      await queue.enqueue([
        job("depths"),
        job("depths", { priority: 3 }),
        job("depths", { delayMs: 60_000 }),
      ]);
      await until(async () => (await depth("depths")).oldestAgeSeconds > 0.1);
      expect(await depth("depths")).toMatchObject({ waiting: 2, delayed: 1, active: 0, failed: 0 });
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      const worker = await queue.work("depths", { concurrency: 1 }, () => held);
      await until(async () => (await depth("depths")).active === 1);
      release();
      await until(async () => (await depth("depths")).waiting === 0);
      expect((await depth("depths")).oldestAgeSeconds).toBe(0);
      await worker.close(1_000);
    });

    test("begins no more jobs a second than the queue may, over all its workers", async () => {
      const other = await subject.another();
      const begun: number[] = [];
      const note = async () => void begun.push(performance.now());
      const limits = { concurrency: 4, rate: 10 };
      const workers = [
        await queue.work("limited", limits, note),
        await other.queue.work("limited", limits, note),
      ];
      await queue.enqueue(Array.from({ length: 25 }, () => job("limited")));
      await until(() => begun.length === 25);
      // Two windows are full, and the third begins after them.
      expect(begun.at(-1)! - begun[0]!).toBeGreaterThan(1_000);
      for (let first = 0; first + 20 < begun.length; first++) {
        expect(begun[first + 20]! - begun[first]!).toBeGreaterThan(700);
      }
      await Promise.all(workers.map((worker) => worker.close(1_000)));
      await other.close();
    });

    test("ticks on one worker only", async () => {
      const other = await subject.another();
      const ticks: string[] = [];
      const name = `tick-${randomUUID()}`;
      const started = performance.now();
      const every = (who: string) => ({
        name,
        when: { everyMs: 150 },
        tick: async () => void ticks.push(who),
      });
      const here = await queue.schedule([every("here")]);
      const there = await other.queue.schedule([every("there")]);
      await until(() => ticks.length >= 4);
      const elapsed = performance.now() - started;
      expect(ticks.length).toBeLessThanOrEqual(Math.ceil(elapsed / 150) + 2);
      await Promise.all([here.close(1_000), there.close(1_000)]);
      await other.close();
    });

    test("ticks by cron pattern, on although a tick fails", async () => {
      let ticks = 0;
      const failing = async () => {
        ticks++;
        throw new Error("a tick that fails");
      };
      const clock = await queue.schedule([
        { name: "each-second", when: { cron: "* * * * * *" }, tick: failing },
      ]);
      await until(() => ticks >= 2);
      await clock.close(1_000);
    });

    test("a tick that takes long is not begun again, and holds up no other schedule", async () => {
      let begun = 0;
      let others = 0;
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      const clock = await queue.schedule([
        { name: "long", when: { everyMs: 100 }, tick: () => (begun++, held) },
        { name: "short", when: { everyMs: 100 }, tick: async () => void others++ },
      ]);
      await until(() => begun === 1);
      const before = others;
      await until(() => others >= before + 5);
      expect(begun).toBe(1);
      release();
      await until(() => begun >= 2);
      await clock.close(1_000);
    });

    (mutes ? test : test.skip)(
      "hands a job over whose worker fell silent, and tells that worker",
      async () => {
        const other = await subject.another();
        let lost: AbortSignal | undefined;
        let release = (): void => undefined;
        const held = new Promise<void>((resolve) => (release = resolve));
        const silent = await other.queue.work("stalled", { concurrency: 1 }, async ({ signal }) => {
          lost = signal;
          await held;
        });
        await queue.enqueue([job("stalled", { attempts: 1 })]);
        await until(() => lost !== undefined);
        other.mute!();
        let recovered: Delivery | undefined;
        const worker = await queue.work("stalled", { concurrency: 1 }, async (delivery) => {
          recovered = delivery;
        });
        await until(() => recovered !== undefined);
        expect(recovered).toMatchObject({ attempt: 1, lastAttempt: true });
        expect(lost!.aborted).toBe(false);
        other.unmute!();
        await until(() => lost!.aborted);
        release();
        await Promise.all([silent.close(0), worker.close(1_000)]);
        await other.close();
      },
    );

    test("closing waits for deliveries under way, then aborts them and hands them back", async () => {
      let begun = false;
      let finished = false;
      const patient = await queue.work("grace", { concurrency: 1 }, async () => {
        begun = true;
        await new Promise((resolve) => setTimeout(resolve, 100));
        finished = true;
      });
      await queue.enqueue([job("grace")]);
      await until(() => begun);
      await patient.close(10_000);
      expect(finished).toBe(true);

      const aborted = job("grace", { attempts: 1 });
      let signal: AbortSignal | undefined;
      const stubborn = await queue.work("grace", { concurrency: 1 }, async (delivery) => {
        signal = delivery.signal;
        await new Promise((_resolve, reject) =>
          delivery.signal.addEventListener("abort", () => reject(delivery.signal.reason)),
        );
      });
      await queue.enqueue([aborted]);
      await until(() => signal !== undefined);
      await stubborn.close(50);
      expect(signal!.aborted).toBe(true);
      expect(await depth("grace")).toMatchObject({ waiting: 1, failed: 0 });

      let again: Delivery | undefined;
      const successor = await queue.work("grace", { concurrency: 1 }, async (delivery) => {
        again = delivery;
      });
      await until(() => again !== undefined);
      expect(again).toMatchObject({ id: aborted.id, attempt: 1 });
      await successor.close(1_000);
    });

    test("delivers 200 jobs once each to two workers", async () => {
      const delivered: string[] = [];
      const note = async ({ id }: Delivery) => void delivered.push(id);
      const other = await subject.another();
      const workers = [
        await queue.work("many", { concurrency: 4 }, note),
        await other.queue.work("many", { concurrency: 4 }, note),
      ];
      const jobs = Array.from({ length: 200 }, () => job("many"));
      await queue.enqueue(jobs);
      await until(() => delivered.length >= 200);
      expect(new Set(delivered)).toEqual(new Set(jobs.map(({ id }) => id)));
      expect(delivered).toHaveLength(200);
      await Promise.all(workers.map((worker) => worker.close(1_000)));
      await other.close();
    });

    test("answers check", () => queue.check());
  });
}
