import { startCluster } from "../support/cluster.js";
import type { Cluster } from "../support/cluster.js";
import { madeBy, newestFamily, partsOf } from "../support/job-families.js";
import { curveWithHistory, datesOf, runOf, snapshotsOf, startTraining } from "../support/market-curves.js";
import { eventually } from "../support/platform.js";

const LIMIT_MS = 240_000;
/** Small enough that the training below is cut into ten parts or so, and comes back soon from a dead worker. */
const ENVIRONMENT = { ML_TRAINING_SEGMENT_MS: "200", ML_JOB_LEASE_MS: "3000" };

let cluster: Cluster;
let whole: unknown;

const gateway = () => cluster.gateways[0]!;
const family = () => newestFamily(gateway(), "train-forecaster");

async function train(): Promise<string> {
  const { data, errors } = await startTraining(gateway(), {
    model: "parted",
    curve: "yields",
    type: "ENSEMBLE",
    horizons: [1, 5],
    refitEvery: 4,
  });
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.startTraining.run.id;
}

const ended = (run: string) =>
  eventually(
    () => runOf(gateway(), run),
    ({ finishedAt }) => finishedAt !== null,
    LIMIT_MS,
  );

beforeAll(async () => {
  const workers = [
    ["--queues", "training"],
    ["--queues", "training,validation"],
  ];
  cluster = await startCluster({ gateways: 1, workers, environment: ENVIRONMENT });
  await curveWithHistory(gateway(), "yields", snapshotsOf(datesOf(500)));
}, LIMIT_MS);

afterAll(() => cluster.remove());

test(
  "both workers compute parts of a backtest",
  async () => {
    expect(await ended(await train())).toMatchObject({ status: "SUCCEEDED", progress: 1 });
    const { children } = await family();
    expect(children.totalCount).toBeGreaterThan(3);
    whole = await madeBy(gateway(), "parted", 1);
    for (const worker of cluster.workers) {
      const text = await (await fetch(`${worker.url}/metrics`)).text();
      expect(text).toMatch(/job_duration_seconds_count\{[^}]*kind="backtest-segment"[^}]*\} [1-9]/);
    }
  },
  LIMIT_MS,
);

test(
  "one that is killed in the middle leaves the rest to the other, and nothing is computed twice",
  async () => {
    const run = await train();
    const before = await eventually(family, (job) => partsOf(job, "COMPLETED").length >= 2);
    await cluster.workers[0]!.kill();
    expect(await ended(run)).toMatchObject({ status: "SUCCEEDED" });
    const after = await family();
    expect(partsOf(after)).toEqual(expect.arrayContaining(partsOf(before, "COMPLETED")));
    expect(await madeBy(gateway(), "parted", 2)).toEqual(whole);
    await cluster.workers[0]!.restart();
  },
  LIMIT_MS,
);

test(
  "one that is silent beyond its lease writes nothing over its successor",
  async () => {
    const run = await train();
    await eventually(family, (job) => partsOf(job, "COMPLETED").length >= 1);
    cluster.workers[0]!.pause();
    expect(await ended(run)).toMatchObject({ status: "SUCCEEDED" });
    const done = await family();
    cluster.workers[0]!.resume();
    const next = await train();
    expect(await ended(next)).toMatchObject({ status: "SUCCEEDED" });
    for (const number of [3, 4]) expect(await madeBy(gateway(), "parted", number)).toEqual(whole);
    const { job } = await gateway().query<{ job: { state: string; finishedAt: string } }>(
      "query Job($id: ID!) { job(id: $id) { state finishedAt } }",
      { id: done.id },
    );
    expect(job).toEqual({ state: "COMPLETED", finishedAt: done.finishedAt });
    const { model } = await gateway().query<{ model: { versions: { totalCount: number } } }>(
      `{ model(name: "parted") { versions { totalCount } } }`,
    );
    expect(model.versions.totalCount).toBe(4);
  },
  2 * LIMIT_MS,
);
