import { askForecast, FORECAST, forecastOf } from "../support/forecasts.js";
import type { Forecast } from "../support/forecasts.js";
import { GraphListener } from "../support/graph-listener.js";
import {
  curveWithHistory,
  datesOf,
  defineCurve,
  finished,
  runOf,
  snapshotsOf,
  startTraining,
  TENORS,
  trained,
} from "../support/market-curves.js";
import { eventually, readAll, refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Connection, Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";
import { linearModel } from "../support/onnx-models.js";

let platform: Platform;
const DATES = datesOf(160);

beforeAll(async () => {
  platform = await startPlatform();
  await curveWithHistory(platform, "yields", snapshotsOf(DATES));
});

afterAll(() => platform.remove());

interface TrainingEvent {
  cursor: string;
  status: string;
  progress: number;
  message: string;
  run: { id: string; status: string };
}

const EVENTS = `subscription Events($run: ID, $after: String) {
  trainingEvents(run: $run, after: $after) { cursor status progress message run { id status } }
}`;

/** A training that takes long enough to be stopped: many trees, refitted at every origin. */
const LONG = {
  curve: "yields",
  type: "GRADIENT_BOOSTING",
  horizons: [1, 2, 3, 4, 5],
  refitEvery: 1,
  options: { trees: 500, depth: 6 },
};

async function started(input: Record<string, unknown>): Promise<{ id: string; cursor: string }> {
  const { data, errors } = await startTraining(platform, input);
  if (errors) throw new Error(JSON.stringify(errors));
  return { id: data!.startTraining.run.id, cursor: data!.startTraining.cursor };
}

async function jobOf(kind: string): Promise<{ id: string; state: string }> {
  const { jobs } = await platform.query<{ jobs: { edges: [{ node: { id: string; state: string } }] } }>(
    `query Newest($kind: String!) { jobs(first: 1, kind: $kind) { edges { node { id state } } } }`,
    { kind },
  );
  return jobs.edges[0].node;
}

function operate(operation: "retryJob" | "cancelJob", job: string): Promise<Answer<unknown>> {
  return platform.ask(
    `mutation Operate($job: ID!) { ${operation}(input: { job: $job }) { cursor job { id state } } }`,
    { job },
  );
}

function cancel(run: string): Promise<Answer<{ cancelTraining: { run: { status: string } } }>> {
  return platform.ask(
    "mutation Cancel($run: ID!) { cancelTraining(input: { run: $run }) { run { status } cursor } }",
    { run },
  );
}

test("a training tells of itself from start to end, and its version forecasts", async () => {
  const { id, cursor } = await started({
    model: "story",
    curve: "yields",
    type: "NELSON_SIEGEL",
    horizons: [1, 5],
    coverage: 0.8,
  });
  const listener = new GraphListener<TrainingEvent>(platform, EVENTS, { run: id, after: cursor });
  const events = await listener.until((seen) => seen.at(-1)?.status === "SUCCEEDED");
  await listener.close();
  const statuses = events.map(({ status }) => status);
  expect([...new Set(statuses)]).toEqual(["QUEUED", "RUNNING", "SUCCEEDED"]);
  expect(statuses.filter((status) => status !== "RUNNING")).toEqual(["QUEUED", "SUCCEEDED"]);
  const shares = events.map(({ progress }) => progress);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  expect([shares[0], shares.at(-1)]).toEqual([0, 1]);
  expect(new Set(events.map((event) => event.cursor)).size).toBe(events.length);
  expect(events.every((event) => event.run.id === id)).toBe(true);

  const run = await runOf(platform, id);
  expect(run).toMatchObject({ status: "SUCCEEDED", progress: 1, error: null, version: { status: "READY" } });
  expect(run.dataSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(run.metrics.length).toBeGreaterThan(0);
  expect(run.backtest!.origins).toBeGreaterThan(0);
  expect(run.backtest!.scores.map(({ horizon, tenor }) => `${horizon} ${tenor}`)).toEqual(
    [1, 5].flatMap((horizon) => TENORS.map((tenor) => `${horizon} ${tenor}`)),
  );

  expect(refusalOf(await askForecast(platform, { curve: "yields", model: "story" }))).toBe(
    "NOT_FOUND input.version",
  );
  await promote(platform, { model: "story", number: 1 });
  const made = await forecastOf(platform, { curve: "yields", model: "story" });
  expect(made).toMatchObject({ asOf: DATES.at(-1), coverage: 0.8, version: { number: 1 } });
  for (const { points } of made.horizons) {
    expect(points.map(({ tenor }) => tenor)).toEqual(TENORS);
    for (const { lower, mean, upper } of points)
      expect([lower, mean, upper]).toEqual([lower, mean, upper].sort((a, b) => a - b));
  }
  const { node } = await platform.query<{ node: Forecast }>(
    `query Find($id: ID!) { node(id: $id) { ...Forecast } } ${FORECAST}`,
    { id: made.id },
  );
  expect(node).toEqual(made);
  const { model } = await platform.query<{ model: object }>(
    `{ model(name: "story") { kind production { curve { name } trainingRun { id } parameters { name } signature { inputs { name } } } } }`,
  );
  expect(model).toMatchObject({
    kind: "CURVE_FORECASTER",
    production: {
      curve: { name: "yields" },
      trainingRun: { id },
      signature: { inputs: [{ name: "history" }] },
    },
  });
});

test("the artifact, fed with the same history, says the same as forecast", async () => {
  await trained(platform, { model: "agreeing", curve: "yields", type: "NELSON_SIEGEL", horizons: [1, 5] });
  const asOf = DATES[120]!;
  const said = await forecastOf(platform, {
    curve: "yields",
    model: "agreeing",
    version: { number: 1 },
    asOf,
  });
  expect(said.asOf).toBe(asOf);

  const { model } = await platform.query<{
    model: { version: { signature: { inputs: [{ shape: (number | null)[] }] } } };
  }>(`{ model(name: "agreeing") { version(number: 1) { signature { inputs { shape } } } } }`);
  const rows = model.version.signature.inputs[0].shape[1] ?? 64;
  const known = snapshotsOf(DATES)
    .slice(0, 121)
    .map(({ points }) => points.map(({ value }) => value as number | string));
  const blank = new Array<string>(TENORS.length).fill("NaN");
  const history = [...Array.from({ length: rows }, () => blank), ...known].slice(-rows);
  const { predict } = await platform.query<{
    predict: { outputs: { name: string; values: number[][][] }[] };
  }>(
    `query Same($values: JSON!) {
      predict(input: { model: "agreeing", version: { number: 1 }, inputs: [{ name: "history", values: $values }] }) {
        outputs { name values }
      }
    }`,
    { values: [history] },
  );
  for (const { name, values } of predict.outputs) {
    const told = said.horizons.map(({ points }) => points.map((point) => point[name as "mean"]));
    expect([name, values[0]]).toEqual([name, told]);
  }
  expect(predict.outputs.map(({ name }) => name).sort()).toEqual(["lower", "mean", "upper"]);
});

test("equal data, options and seed make equal artifacts", async () => {
  const input = { curve: "yields", type: "RIDGE", horizons: [1], seed: 7 };
  const [one, two] = [
    await trained(platform, { model: "twin-a", ...input }),
    await trained(platform, { model: "twin-b", ...input }),
  ];
  expect(one.dataSha256).toBe(two.dataSha256);
  const { a, b } = await platform.query<Record<"a" | "b", { version: { artifact: { sha256: string } } }>>(
    `{ a: model(name: "twin-a") { version(number: 1) { artifact { sha256 } } }
       b: model(name: "twin-b") { version(number: 1) { artifact { sha256 } } } }`,
  );
  expect(a).toEqual(b);
});

describe("a training is refused before it starts:", () => {
  beforeAll(async () => {
    await defineCurve(platform, { name: "empty" });
    await curveWithHistory(platform, "short", snapshotsOf(datesOf(30)));
    await uploadVersion(platform, "tensor", linearModel());
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["an unknown curve", { curve: "absent" }, "NOT_FOUND input.curve"],
    ["a curve without data", { curve: "empty" }, "INVALID_INPUT input.curve"],
    ["too little data", { curve: "short" }, "INVALID_INPUT input.curve"],
    ["too little data since", { from: DATES[140] }, "INVALID_INPUT input.from"],
    ["too little data until", { to: DATES[20] }, "INVALID_INPUT input.to"],
    ["a backtest that starts too early", { backtestFrom: DATES[5] }, "INVALID_INPUT input.backtestFrom"],
    ["a backtest after the data", { backtestFrom: "2099-01-01" }, "INVALID_INPUT input.backtestFrom"],
    ["an end before the start", { from: DATES[100], to: DATES[90] }, "INVALID_INPUT input.from"],
    ["a horizon beyond the data", { horizons: [1, 100] }, "INVALID_INPUT input.curve"],
    ["no horizons", { horizons: [] }, "INVALID_INPUT input.horizons"],
    ["horizon 0", { horizons: [1, 0] }, "INVALID_INPUT input.horizons.1"],
    ["a horizon twice", { horizons: [1, 1] }, "INVALID_INPUT input.horizons.1"],
    ["a horizon that is no Int", { horizons: [1.5] }, "INVALID_INPUT input.horizons.0"],
    ["coverage of 1", { coverage: 1 }, "INVALID_INPUT input.coverage"],
    ["no refits", { refitEvery: 0 }, "INVALID_INPUT input.refitEvery"],
    ["an unknown type", { type: "ORACLE" }, "INVALID_INPUT input.type"],
    ["an unknown option", { options: { decay: 1 } }, "INVALID_INPUT input.options.decay"],
    [
      "an option out of range",
      { type: "NELSON_SIEGEL", options: { decay: 99 } },
      "INVALID_INPUT input.options.decay",
    ],
    [
      "an option of another type",
      { type: "NELSON_SIEGEL", options: { decay: "slow" } },
      "INVALID_INPUT input.options.decay",
    ],
    ["options that are a list", { options: [] }, "INVALID_INPUT input.options"],
    ["a bad model name", { model: "My Model" }, "INVALID_INPUT input.model"],
    ["a model of another kind", { model: "tensor" }, "INVALID_INPUT input.model"],
  ])("%s", async (_what, input, refusal) => {
    const answer = await startTraining(platform, { model: "never", curve: "yields", ...input });
    expect(refusalOf(answer)).toBe(refusal);
    expect(await platform.query(`{ model(name: "never") { id } }`)).toEqual({ model: null });
  });

  test("explicit nulls mean the defaults", async () => {
    await curveWithHistory(platform, "long", snapshotsOf(datesOf(340)));
    const nulls = Object.fromEntries(
      ["horizons", "from", "to", "backtestFrom", "refitEvery", "coverage", "options", "seed"].map((name) => [
        name,
        null,
      ]),
    );
    const run = await trained(platform, { model: "nulls", curve: "long", ...nulls });
    expect(run.status).toBe("SUCCEEDED");
    expect([...new Set(run.backtest!.scores.map(({ horizon }) => horizon))]).toEqual([1, 5, 21, 63]);
  });

  test("an idempotency key starts one run", async () => {
    const input = { model: "keyed", curve: "yields", idempotencyKey: "nightly" };
    const [first, again] = await Promise.all([started(input), started(input)]);
    expect(again).toEqual(first);
    expect(refusalOf(await startTraining(platform, { ...input, seed: 1 }))).toBe(
      "CONFLICT input.idempotencyKey",
    );
    await finished(platform, first.id);
    expect(await platform.query(`{ trainingRuns(model: "keyed") { totalCount } }`)).toEqual({
      trainingRuns: { totalCount: 1 },
    });
  });
});

describe("a run", () => {
  test("can be cancelled while it runs, and tried again", async () => {
    const { id, cursor } = await started({ ...LONG, model: "cancelled" });
    const listener = new GraphListener<TrainingEvent>(platform, EVENTS, { run: id, after: cursor });
    await listener.until((events) => events.some(({ status }) => status === "RUNNING"));
    const { data } = await cancel(id);
    expect(data!.cancelTraining.run.status).toBe("CANCELLED");
    const job = await jobOf("train-forecaster");
    expect(job.state).toBe("CANCELLED");
    expect(refusalOf(await cancel(id))).toBe("PRECONDITION_FAILED");

    expect(await operate("retryJob", job.id)).toMatchObject({
      data: { retryJob: { job: { state: "WAITING" } } },
    });
    expect((await runOf(platform, id)).finishedAt).toBeNull();
    await listener.until((events) => {
      const since = events.slice(events.findIndex(({ status }) => status === "CANCELLED"));
      return since.some(({ status }) => status === "RUNNING");
    });
    expect(refusalOf(await operate("retryJob", job.id))).toBe("PRECONDITION_FAILED");
    expect((await cancel(id)).data!.cancelTraining.run.status).toBe("CANCELLED");
    await listener.until((events) => events.filter(({ status }) => status === "CANCELLED").length === 2);
    await listener.close();
    expect(listener.events.map(({ status }) => status).filter((s, i, all) => s !== all[i - 1])).toEqual([
      "QUEUED",
      "RUNNING",
      "CANCELLED",
      "QUEUED",
      "RUNNING",
      "CANCELLED",
    ]);
    expect(await runOf(platform, id)).toMatchObject({ status: "CANCELLED", version: null, error: null });
  });

  test("that is cancelled and tried again in one breath does run again", async () => {
    const { id, cursor } = await started({ ...LONG, model: "hasty" });
    const listener = new GraphListener<TrainingEvent>(platform, EVENTS, { run: id, after: cursor });
    await listener.until((events) => events.some(({ status }) => status === "RUNNING"));
    const job = await jobOf("train-forecaster");
    await platform.query(
      `mutation Hasty($run: ID!, $job: ID!) {
        cancelTraining(input: { run: $run }) { cursor } retryJob(input: { job: $job }) { cursor }
      }`,
      { run: id, job: job.id },
    );
    const statuses = (events: TrainingEvent[]) =>
      events.map(({ status }) => status).filter((status, i, all) => status !== all[i - 1]);
    const events = await listener.until((seen) => statuses(seen).length === 5);
    expect(statuses(events)).toEqual(["QUEUED", "RUNNING", "CANCELLED", "QUEUED", "RUNNING"]);
    await cancel(id);
    await listener.close();
  });

  test("waits its turn, can be cancelled there, and does run when tried again", async () => {
    const long = await started({ ...LONG, model: "first-in-line" });
    const next = await started({ model: "next-in-line", curve: "yields" });
    const job = await jobOf("train-forecaster");
    expect(job.state).toBe("WAITING");
    expect(await operate("cancelJob", job.id)).toMatchObject({
      data: { cancelJob: { job: { state: "CANCELLED" } } },
    });
    expect((await runOf(platform, next.id)).status).toBe("CANCELLED");
    await operate("retryJob", job.id);
    await cancel(long.id);
    expect(await finished(platform, next.id)).toMatchObject({ status: "SUCCEEDED", version: { number: 1 } });
    expect(await jobOf("train-forecaster")).toEqual({ id: job.id, state: "COMPLETED" });
    expect(refusalOf(await operate("retryJob", job.id))).toBe("PRECONDITION_FAILED");
    expect(refusalOf(await operate("cancelJob", job.id))).toBe("PRECONDITION_FAILED");
  });

  test("is not found by the id of something else", async () => {
    const job = await jobOf("train-forecaster");
    expect(refusalOf(await cancel(job.id))).toBe("NOT_FOUND input.run");
    expect(refusalOf(await operate("retryJob", "nonsense"))).toBe("NOT_FOUND input.job");
    expect(await platform.query("query R($id: ID!) { trainingRun(id: $id) { id } }", { id: job.id })).toEqual(
      {
        trainingRun: null,
      },
    );
  });

  test("sees the curve as it was when it was asked for", async () => {
    await curveWithHistory(platform, "moving", snapshotsOf(DATES));
    const long = await started({ ...LONG, model: "blocker" });
    const before = await started({ model: "moving", curve: "moving" });
    await platform.query(
      `mutation { recordCurve(input: { curve: "moving", snapshots: [{ date: "${DATES[9]}", points: [] }] }) { replaced } }`,
    );
    const after = await started({ model: "moving", curve: "moving" });
    const same = await started({ model: "moving", curve: "yields" });
    await cancel(long.id);
    const digests = await Promise.all(
      [before, after, same].map(async ({ id }) => (await finished(platform, id)).dataSha256),
    );
    expect(digests[0]).toBe(digests[2]);
    expect(digests[1]).not.toBe(digests[0]);
  });
});

test("lists of runs and jobs are read page by page and check their cursors", async () => {
  const runs = await readAll(async (after) => {
    const answer = await platform.query<{ trainingRuns: Connection<{ id: string }> }>(
      `query Runs($after: String) { trainingRuns(first: 3, after: $after) {
        edges { cursor node { id } } pageInfo { hasNextPage } totalCount
      } }`,
      { after },
    );
    return answer.trainingRuns;
  });
  expect(new Set(runs.map(({ id }) => id)).size).toBe(runs.length);
  for (const keys of [["x", "y"], ["2024-01-01T00:00:00.000Z", "y"], [1, 2], ["2024-01-01T00:00:00.000Z"]]) {
    const after = Buffer.from(JSON.stringify(keys)).toString("base64url");
    for (const list of ["trainingRuns", "jobs"]) {
      const answer = await platform.ask(
        `query L($after: String) { ${list}(after: $after) { edges { cursor } } }`,
        {
          after,
        },
      );
      expect(refusalOf(answer)).toBe("INVALID_INPUT after");
    }
  }
  expect(refusalOf(await platform.ask(`{ trainingRuns(model: "absent") { totalCount } }`))).toBe(
    "NOT_FOUND model",
  );
});

test("nothing is left running", async () => {
  const unfinished = await eventually(
    () =>
      platform.query<Record<string, { totalCount: number }>>(
        "{ waiting: jobs(state: WAITING) { totalCount } active: jobs(state: ACTIVE) { totalCount } }",
      ),
    ({ waiting, active }) => waiting!.totalCount + active!.totalCount === 0,
  );
  expect(unfinished).toBeDefined();
});
