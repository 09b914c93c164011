import { GraphListener } from "../support/graph-listener.js";
import { madeBy, newestFamily, partsOf } from "../support/job-families.js";
import { curveWithHistory, datesOf, runOf, snapshotsOf, startTraining } from "../support/market-curves.js";
import { eventually, refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";

/** A killed process's jobs come back when their lease of 20 s has run out. */
const RESUMING_MS = 180_000;
/** Small enough that the training below is cut into ten parts or so. */
const CUT = { ML_TRAINING_SEGMENT_MS: "200" };

let platform: Platform;
let whole: unknown;

/** The same training each time, as another version. */
async function train(): Promise<{ run: string; cursor: string }> {
  const { data, errors } = await startTraining(platform, {
    model: "parted",
    curve: "yields",
    type: "ENSEMBLE",
    horizons: [1, 5],
    refitEvery: 4,
  });
  if (errors) throw new Error(JSON.stringify(errors));
  return { run: data!.startTraining.run.id, cursor: data!.startTraining.cursor };
}

/** The run once it has ended; it takes its time where many tests run. */
const ended = (run: string) =>
  eventually(
    () => runOf(platform, run),
    ({ finishedAt }) => finishedAt !== null,
    RESUMING_MS,
  );

const family = () => newestFamily(platform, "train-forecaster");

beforeAll(async () => {
  platform = await startPlatform();
  await curveWithHistory(platform, "yields", snapshotsOf(datesOf(500)));
  const { run } = await train();
  expect(await ended(run)).toMatchObject({ status: "SUCCEEDED" });
  expect((await family()).children.totalCount).toBe(0);
  whole = await madeBy(platform, "parted", 1);
  await platform.stop();
  platform = await startPlatform({ dataDir: platform.dataDir, environment: CUT });
}, RESUMING_MS);

afterAll(() => platform.remove());

test(
  "a training in parts makes the version that one in one go makes, bit by bit",
  async () => {
    const { run, cursor } = await train();
    const waiting = await family();
    expect(waiting.state).toBe("WAITING");
    expect(waiting.children.totalCount).toBeGreaterThan(3);
    expect(await ended(run)).toMatchObject({ status: "SUCCEEDED", progress: 1 });
    expect(await madeBy(platform, "parted", 2)).toEqual(whole);
    const done = await family();
    expect(done).toMatchObject({ state: "COMPLETED", progress: 1, attempts: 1 });
    expect(partsOf(done, "COMPLETED")).toHaveLength(done.children.totalCount);
    expect(done.children.edges.map(({ node }) => node.parent.id)).toEqual(partsOf(done).map(() => done.id));

    const listener = new GraphListener<{ status: string; progress: number }>(
      platform,
      "subscription ($run: ID!, $after: String!) { trainingEvents(run: $run, after: $after) { status progress } }",
      { run, after: cursor },
    );
    const events = await listener.until((heard) => heard.at(-1)?.status === "SUCCEEDED");
    await listener.close();
    const changes = events.map(({ status }) => status).filter((status, i, all) => status !== all[i - 1]);
    expect(changes).toEqual(["QUEUED", "RUNNING", "SUCCEEDED"]);
    const progress = events.map((event) => event.progress);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.filter((each) => each > 0 && each < 0.9).length).toBeGreaterThan(2);
  },
  RESUMING_MS,
);

test(
  "cancelling ends all parts, and trying again or a kill repeats none that was done",
  async () => {
    const { run } = await train();
    await eventually(family, (job) => partsOf(job, "COMPLETED").length >= 2);
    const operate = (mutation: string, job: string) =>
      platform.ask(`mutation Operate($job: ID!) { ${mutation}(input: { job: $job }) { job { state } } }`, {
        job,
      });
    const { id, children } = await family();
    const part = children.edges[0]!.node.id;
    expect(refusalOf(await operate("cancelJob", part))).toBe("PRECONDITION_FAILED input.job");
    await operate("cancelJob", id);
    const cancelled = await family();
    expect(cancelled.state).toBe("CANCELLED");
    const done = partsOf(cancelled, "COMPLETED");
    expect(done.length + partsOf(cancelled, "CANCELLED").length).toBe(cancelled.children.totalCount);
    expect(partsOf(cancelled, "CANCELLED").length).toBeGreaterThan(0);
    expect(await ended(run)).toMatchObject({ status: "CANCELLED" });

    await operate("retryJob", id);
    const again = await eventually(family, (job) => partsOf(job, "COMPLETED").length > done.length);
    expect(partsOf(again, "COMPLETED")).toEqual(expect.arrayContaining(done));
    await platform.stop("SIGKILL");
    platform = await startPlatform({ dataDir: platform.dataDir, environment: CUT });
    const after = await family();
    const kept = partsOf(after, "COMPLETED");
    expect(kept).toEqual(expect.arrayContaining(partsOf(again, "COMPLETED")));
    expect(await ended(run)).toMatchObject({ status: "SUCCEEDED" });
    const last = await family();
    expect(last).toMatchObject({ id, state: "COMPLETED" });
    expect(partsOf(last, "COMPLETED")).toHaveLength(last.children.totalCount);
    expect(partsOf(last)).toEqual(expect.arrayContaining(kept));
    expect(await madeBy(platform, "parted", 3)).toEqual(whole);
  },
  2 * RESUMING_MS,
);
