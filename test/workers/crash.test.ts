import { createHash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";
import {
  curveWithHistory,
  datesOf,
  finished,
  runOf,
  snapshotsOf,
  startTraining,
} from "../support/market-curves.js";
import { GraphListener } from "../support/graph-listener.js";
import { metric } from "../support/metrics.js";
import { perceptron } from "../support/onnx-models.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import {
  announce,
  announcementOf,
  complete,
  promote,
  put,
  register,
  transitionsOf,
  uploadVersion,
  validated,
  versionState,
} from "../support/registry.js";
import type { Transition } from "../support/registry.js";

/** A killed process's jobs come back when their lease has run out. */
const RESUMING_MS = 120_000;

/** A training could end within the usual grace, and then a shutdown would have nothing to hand back. */
const environment = { ML_DRAIN_MS: "0" };

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ environment });
  await curveWithHistory(platform, "yields", snapshotsOf(datesOf(1500)));
});

afterAll(() => platform.remove());

/** Ends the process in that way, and starts another on what it has left. */
async function startAgainAfter(signal: NodeJS.Signals): Promise<void> {
  const code = await platform.stop(signal);
  expect(code).toBe(signal === "SIGKILL" ? null : 0);
  platform = await startPlatform({ dataDir: platform.dataDir, environment });
}

/** Starts a training that takes the longer the more often it refits, and waits until it is under way. */
async function longTraining(model: string, refitEvery: number): Promise<{ run: string; cursor: string }> {
  const { data, errors } = await startTraining(platform, {
    model,
    curve: "yields",
    type: "GRADIENT_BOOSTING",
    horizons: [1, 5],
    refitEvery,
  });
  if (errors) throw new Error(JSON.stringify(errors));
  const { run, cursor } = data!.startTraining;
  await eventually(
    () => runOf(platform, run.id),
    ({ status, progress }) => status === "RUNNING" && progress > 0,
  );
  return { run: run.id, cursor };
}

/** y = x + offset */
function offsetModel(offset: number): Uint8Array {
  const graph = new OnnxGraph("offset");
  const x = graph.input("x", OnnxType.FLOAT32, ["N", 1]);
  graph.node("Add", [x, graph.float32([1], [offset])], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 1]);
  return graph.encode();
}

/** What is downloaded has the digest and size that the version tells. */
async function expectWholeArtifact(model: string, number: number): Promise<void> {
  const answer = await platform.query<{
    model: { version: { artifact: { sha256: string; bytes: number; downloadUrl: string } } };
  }>(
    `query Artifact($model: String!, $number: Int!) {
      model(name: $model) { version(number: $number) { artifact { sha256 bytes downloadUrl } } }
    }`,
    { model, number },
  );
  const { sha256, bytes, downloadUrl } = answer.model.version.artifact;
  const content = Buffer.from(await (await fetch(downloadUrl)).arrayBuffer());
  expect(content.byteLength).toBe(bytes);
  expect(createHash("sha256").update(content).digest("hex")).toBe(sha256);
}

interface TrainingJob {
  state: string;
  attempts: number;
}

async function newestTrainingJob(): Promise<TrainingJob> {
  const { jobs } = await platform.query<{ jobs: { edges: [{ node: TrainingJob }] } }>(
    `{ jobs(first: 1, kind: "train-forecaster") { edges { node { state attempts } } } }`,
  );
  return jobs.edges[0].node;
}

/** Processors that the platform uses, measured over a moment. */
async function processorsInUse(): Promise<number> {
  const [used, at] = [await metric(platform, "process_cpu_seconds_total"), performance.now()];
  await delay(400);
  const [usedNow, now] = [await metric(platform, "process_cpu_seconds_total"), performance.now()];
  return ((usedNow - used) * 1000) / (now - at);
}

describe("a training", () => {
  test(
    "goes on after a kill, and ends with a whole version",
    async () => {
      const { run } = await longTraining("killed", 8);
      await startAgainAfter("SIGKILL");
      const ended = await finished(platform, run);
      expect(ended).toMatchObject({ status: "SUCCEEDED", error: null, progress: 1, version: { number: 1 } });
      await expectWholeArtifact("killed", 1);
      expect(await newestTrainingJob()).toMatchObject({ state: "COMPLETED" });
      const { model } = await platform.query<{ model: { versions: { totalCount: number } } }>(
        `{ model(name: "killed") { versions { totalCount } } }`,
      );
      expect(model.versions.totalCount).toBe(1);
    },
    RESUMING_MS,
  );

  test(
    "is queued again by SIGTERM, and succeeds after the start that follows",
    async () => {
      const { run, cursor } = await longTraining("terminated", 2);
      await startAgainAfter("SIGTERM");
      const ended = await finished(platform, run);
      expect(ended).toMatchObject({ status: "SUCCEEDED", version: { number: 1 } });
      await expectWholeArtifact("terminated", 1);
      const listener = new GraphListener<{ status: string }>(
        platform,
        "subscription ($run: ID!, $after: String!) { trainingEvents(run: $run, after: $after) { status } }",
        { run, after: cursor },
      );
      const events = await listener.until((heard) => heard.at(-1)?.status === "SUCCEEDED");
      await listener.close();
      const changes = events.map(({ status }) => status).filter((status, i, all) => status !== all[i - 1]);
      expect(changes).toEqual(["QUEUED", "RUNNING", "QUEUED", "RUNNING", "SUCCEEDED"]);
      // A delivery that a shutdown ends is no attempt.
      expect(await newestTrainingJob()).toEqual({ state: "COMPLETED", attempts: 1 });
    },
    RESUMING_MS,
  );

  test("ends within seconds of its cancellation, and so does its use of the processor", async () => {
    const { run } = await longTraining("cancelled", 2);
    const asked = performance.now();
    const { cancelTraining } = await platform.query<{ cancelTraining: { run: { status: string } } }>(
      `mutation Cancel($run: ID!) { cancelTraining(input: { run: $run }) { run { status } } }`,
      { run },
    );
    expect(cancelTraining.run.status).toBe("CANCELLED");
    expect(await newestTrainingJob()).toMatchObject({ state: "CANCELLED" });
    expect(performance.now() - asked).toBeLessThan(2_000);
    await eventually(processorsInUse, (processors) => processors < 0.3, 10_000);
    expect(await runOf(platform, run)).toMatchObject({ status: "CANCELLED", error: null, version: null });
  });
});

test("an upload that a kill interrupts leaves nothing half there, and can be sent again", async () => {
  const bytes = perceptron([200, 600, 400]);
  await register(platform, { name: "interrupted", kind: "TENSOR" });
  const { data } = await announce(platform, { model: "interrupted", ...announcementOf(bytes) });
  const { upload } = data!.createModelVersion;
  await sendHalf(upload.url, bytes);
  await startAgainAfter("SIGKILL");

  expect(await versionState(platform, "interrupted", 1)).toMatchObject({ status: "PENDING" });
  const early = await complete(platform, "interrupted", 1);
  expect(early.errors).toMatchObject([{ extensions: { code: "INVALID_INPUT", field: "input.number" } }]);
  const again = upload.url.replace(new URL(upload.url).origin, platform.url);
  expect((await put(again, bytes)).status).toBe(204);
  await complete(platform, "interrupted", 1);
  expect(await validated(platform, "interrupted", 1)).toMatchObject({ status: "READY" });
  await expectWholeArtifact("interrupted", 1);
});

interface Predicted {
  predict: { id: string };
}

/** Does it again and again, until the process is killed. */
async function untilKilled(killed: AbortSignal, work: (turn: number) => Promise<void>): Promise<void> {
  try {
    for (let turn = 0; !killed.aborted; turn++) await work(turn);
  } catch (error) {
    // The connection breaks when the process ends.
    if (!killed.aborted) throw error;
  }
}

test("a kill in a storm of promotions loses none that was acknowledged", async () => {
  for (const number of [1, 2, 3]) await uploadVersion(platform, "stormy", offsetModel(number));
  const acknowledged: Transition[] = [];
  const kill = new AbortController();
  const promoting = [0, 1, 2].map((offset) =>
    untilKilled(kill.signal, async (turn) => {
      const { data, errors } = await promote(platform, {
        model: "stormy",
        number: 1 + ((turn + offset) % 3),
      });
      if (errors) throw new Error(JSON.stringify(errors));
      acknowledged.push(data!.promoteModelVersion.transition);
    }),
  );
  await eventually(
    () => Promise.resolve(acknowledged.length),
    (count) => count >= 40,
  );
  kill.abort();
  await startAgainAfter("SIGKILL");
  await Promise.all(promoting);

  const history = await transitionsOf(platform, "stormy");
  const kept = new Set(history.map(({ id }) => id));
  expect(acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
  let current: number | undefined;
  for (const { version, retired, to } of history) {
    expect(to).toBe("PRODUCTION");
    expect(retired?.number).toBe(current);
    current = version.number;
  }
  const { model } = await platform.query<{
    model: { production: { number: number }; versions: { totalCount: number } };
  }>(`{ model(name: "stormy") { production { number } versions(stage: PRODUCTION) { totalCount } } }`);
  expect(model).toEqual({ production: { number: current }, versions: { totalCount: 1 } });
});

test("predictions of more than a second before a kill are found again", async () => {
  await uploadVersion(platform, "logged", offsetModel(1));
  await promote(platform, { model: "logged", number: 1 });
  const predictions: { id: string; at: number }[] = [];
  const kill = new AbortController();
  const started = performance.now();
  const predicting = untilKilled(kill.signal, async () => {
    const { predict } = await platform.query<Predicted>(
      `{ predict(input: { model: "logged", inputs: [{ name: "x", values: [[1]] }] }) { id } }`,
    );
    predictions.push({ id: predict.id, at: performance.now() });
  });
  await eventually(
    () => Promise.resolve(performance.now()),
    (now) => now - started > 1_500 && predictions.length > 50,
  );
  kill.abort();
  const killedAt = performance.now();
  await startAgainAfter("SIGKILL");
  await predicting;

  const due = predictions.filter(({ at }) => killedAt - at > 1_000);
  expect(due.length).toBeGreaterThan(0);
  for (const { id } of due.slice(-50)) {
    const { node } = await platform.query<{ node: { outputs: [{ values: number[][] }] } | null }>(
      "query Find($id: ID!) { node(id: $id) { ... on Prediction { outputs { values } } } }",
      { id },
    );
    expect(node?.outputs[0].values).toEqual([[2]]);
  }
});

/** Sends the first half of an upload and waits until the platform has read some of it. */
async function sendHalf(url: string, bytes: Uint8Array): Promise<void> {
  const sent = request(url, { method: "PUT", headers: { "content-length": bytes.byteLength }, agent: false });
  // The platform is killed while it waits for the rest.
  sent.on("error", () => undefined);
  const half = Buffer.from(bytes.subarray(0, bytes.byteLength / 2));
  if (!sent.write(half)) await once(sent, "drain");
}
