import "reflect-metadata";
import { setTimeout as delay } from "node:timers/promises";
import { migrations } from "../../migrations/index.js";
import { createBullmqJobQueue } from "../../src/adapters/bullmq/bullmq-job-queue.js";
import { entities } from "../../src/app.js";
import { createOperationsModule, defineJob } from "../../src/modules/operations/index.js";
import type { JobRow, JobRun, OperationsModule } from "../../src/modules/operations/index.js";
import type { Delivery, JobQueue } from "../../src/ports/job-queue.js";
import { UnavailableError } from "../../src/shared/errors.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { openTestDatabase } from "../support/embedded-test-database.js";
import type { TestDatabase } from "../support/embedded-test-database.js";
import { until } from "../support/until.js";

const LEASE_MS = 1_000;
const measure = defineJob({ name: "measure", queue: "measuring", attempts: 3, parse: () => ({}) });

let subject: TestDatabase;
let queue: JobQueue;
let here: OperationsModule;
let there: OperationsModule;

/** What another process has over the same database and queue. */
function anotherProcess(): OperationsModule {
  const made = createOperationsModule(subject.database, queue, createLogger("silent"), LEASE_MS);
  made.jobs.register(measure);
  return made;
}

beforeAll(async () => {
  subject = await openTestDatabase({ entities, migrations });
  const transport = { kind: "postgres", connection: subject.database.connection } as const;
  queue = await createBullmqJobQueue({ transport, onError: () => undefined });
  here = anotherProcess();
  there = anotherProcess();
});

afterAll(async () => {
  // Those that played dead end, too.
  for (const release of releases) release();
  await Promise.all(dead);
  await queue.close();
  await subject.drop();
});

async function newJob(): Promise<JobRow> {
  const { job } = await subject.database.transaction((tx) => here.jobs.create(tx, measure, {}, "tester"));
  return job;
}

function deliveryOf({ id }: JobRow): Delivery {
  const signal = new AbortController().signal;
  return { id, name: "measure", attempt: 1, lastAttempt: false, traceContext: {}, signal };
}

const releases: (() => void)[] = [];
const dead: Promise<void>[] = [];

/** A handler that ends when it is told to. */
function held() {
  const runs: JobRun[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  releases.push(() => release());
  const handler = async (_payload: object, run: JobRun) => {
    runs.push(run);
    await released;
    return { result: { fence: run.fence } };
  };
  return { runs, handler, release: () => release() };
}

/** As if its worker had been silent for so long. */
const silence = (job: JobRow, seconds: number) =>
  subject.database.dataSource.query(
    "UPDATE jobs SET touched_at = now() - make_interval(secs => $2) WHERE id = $1",
    [job.id, seconds],
  );

test("five deliveries at once, in two processes, are worked on once", async () => {
  const job = await newJob();
  const work = held();
  const deliveries = [here, there, here, there, there].map(({ deliveries }) =>
    deliveries.deliver(deliveryOf(job), work.handler),
  );
  await until(() => work.runs.length === 1);
  await delay(1.5 * LEASE_MS);
  expect(work.runs).toHaveLength(1);
  work.release();
  await Promise.all(deliveries);
  expect(work.runs).toHaveLength(1);
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "COMPLETED", attempts: 1, fence: 1 });
});

test("a worker whose lease has ended writes nothing over its successor", async () => {
  const job = await newJob();
  const first = held();
  const paused = here.deliveries.deliver(deliveryOf(job), first.handler);
  await until(() => first.runs.length === 1);
  await silence(job, 60);
  const second = held();
  const successor = there.deliveries.deliver(deliveryOf(job), second.handler);
  await until(() => second.runs.length === 1);
  const write = (run: JobRun) => subject.database.transaction((tx) => here.jobs.assertHeld(tx, run));
  await expect(write(first.runs[0]!)).rejects.toThrow("taken over");
  await write(second.runs[0]!);
  first.release();
  await paused;
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "ACTIVE", fence: 2 });
  second.release();
  await successor;
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "COMPLETED", result: { fence: 2 } });
});

test("a job that kills its workers ends as FAILED, can be found as that and tried again", async () => {
  const job = await newJob();
  for (let death = 1; death <= 3; death++) {
    // A process of its own each time, which says nothing any more once it has claimed the job.
    dead.push(anotherProcess().deliveries.deliver(deliveryOf(job), held().handler));
    await until(async () => (await here.jobs.find(job.id))?.fence === death);
    await silence(job, 60);
  }
  await there.deliveries.deliver(deliveryOf(job), held().handler);
  const failed = await here.jobs.list({ state: "FAILED" }, { limit: 10 });
  expect(failed.items.find(({ item }) => item.id === job.id)?.item).toMatchObject({
    error: "its worker died 3 times while it worked on it",
    attempts: 3,
  });
  await here.jobs.retry(job.id);
  await there.deliveries.deliver(deliveryOf(job), () => Promise.resolve({ result: { well: true } }));
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "COMPLETED", error: null });
});

test("checkpoints forgive what was lost before them", async () => {
  const job = await newJob();
  for (let death = 1; death <= 6; death++) {
    const work = held();
    dead.push(anotherProcess().deliveries.deliver(deliveryOf(job), work.handler));
    await until(() => work.runs.length === 1);
    await subject.database.transaction((tx) => here.jobs.checkpoint(tx, work.runs[0]!));
    await silence(job, 60);
  }
  // The one that died last may give a sign of life in between.
  await until(async () => {
    await silence(job, 60);
    await there.deliveries.deliver(deliveryOf(job), () => Promise.resolve({}));
    return (await here.jobs.find(job.id))?.state === "COMPLETED";
  });
});

test("an engine that is away costs more patience than a mistake", async () => {
  const job = await newJob();
  const away = () => Promise.reject(new UnavailableError("the store does not answer"));
  for (let attempt = 1; attempt <= 9; attempt++) {
    await expect(here.deliveries.deliver(deliveryOf(job), away)).rejects.toThrow("does not answer");
    expect(await here.jobs.find(job.id)).toMatchObject({ state: "DELAYED", attempts: attempt });
  }
  await here.deliveries.deliver(deliveryOf(job), away);
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "FAILED", error: "the store does not answer" });
  const wrong = await newJob();
  const mistake = () => Promise.reject(new Error("a mistake"));
  for (const state of ["DELAYED", "DELAYED", "FAILED"]) {
    await here.deliveries.deliver(deliveryOf(wrong), mistake).catch(() => undefined);
    expect((await here.jobs.find(wrong.id))?.state).toBe(state);
  }
});

test("of several that sweep at once, one hands a lost job over, and takes it from a silent worker", async () => {
  const job = await newJob();
  const work = held();
  const silent = here.deliveries.deliver(deliveryOf(job), work.handler);
  await until(() => work.runs.length === 1);
  const waiting = await newJob();
  await silence(job, 60);
  await silence(waiting, 60);
  const others = [there, anotherProcess(), anotherProcess()];
  const swept = await Promise.all(others.map(({ jobs }) => jobs.sweep()));
  expect(swept.reduce((sum, count) => sum + count)).toBe(2);
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "WAITING", fence: 2, lost: 1 });
  work.release();
  await silent;
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "COMPLETED", result: { fence: 3 } });
});

test("a job of a kind that a process does not know is left to another", async () => {
  const job = await newJob();
  const old = createOperationsModule(subject.database, queue, createLogger("silent"), LEASE_MS);
  await old.deliveries.deliver(deliveryOf(job), () => Promise.resolve({}));
  await silence(job, 60);
  expect(await old.jobs.sweep()).toBe(0);
  expect(await here.jobs.find(job.id)).toMatchObject({ state: "WAITING", attempts: 0 });
  expect(await here.jobs.sweep()).toBe(1);
});
