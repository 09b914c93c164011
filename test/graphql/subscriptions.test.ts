import { once } from "node:events";
import { WebSocket } from "ws";
import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";
import { GraphListener } from "../support/graph-listener.js";
import type { ListenerOptions } from "../support/graph-listener.js";
import { curveWithHistory, datesOf, finished, snapshotsOf, startTraining } from "../support/market-curves.js";
import { metric } from "../support/metrics.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawGraph, upgradeStatus } from "../support/raw-http.js";
import { promote, transitionsOf, uploadVersion } from "../support/registry.js";
import { TEST_SECRET, issueToken } from "../support/tokens.js";

let platform: Platform;
const listeners = new Set<GraphListener<unknown>>();

beforeAll(async () => {
  platform = await startPlatform({
    environment: { ML_JWT_SECRET_KEY: TEST_SECRET, ML_MAX_SOCKETS_PER_CALLER: "50" },
  });
  await curveWithHistory(platform, "yields", snapshotsOf(datesOf(500)));
});

afterEach(async () => {
  await Promise.all([...listeners].map((listener) => listener.close()));
  listeners.clear();
});

afterAll(() => platform.remove());

const TRAINING_EVENTS = `subscription Training($run: ID, $model: String, $after: String) {
  trainingEvents(run: $run, model: $model, after: $after) {
    cursor at status progress message run { id model { name } }
  }
}`;
const JOB_EVENTS = `subscription Jobs($job: ID, $kind: String, $after: String) {
  jobEvents(job: $job, kind: $kind, after: $after) { cursor at state progress job { id kind } }
}`;
const PROMOTION_EVENTS = `subscription Promotions($model: String, $after: String) {
  promotionEvents(model: $model, after: $after) { cursor at transition { id version { model { name } } } }
}`;

interface TrainingEvent {
  cursor: string;
  at: string;
  status: string;
  progress: number;
  message: string;
  run: { id: string; model: { name: string } };
}

interface JobEvent {
  cursor: string;
  state: string;
  progress: number;
  job: { id: string; kind: string };
}

interface PromotionEvent {
  cursor: string;
  transition: { id: string; version: { model: { name: string } } };
}

function listen<T>(
  query: string,
  variables: Record<string, unknown> = {},
  options: ListenerOptions = {},
): GraphListener<T> {
  const listener = new GraphListener<T>(platform, query, variables, options);
  listeners.add(listener);
  return listener;
}

/** What a client gets that connects only for as long as it takes to hear that many events. */
async function hear<T>(query: string, variables: Record<string, unknown>, count: number): Promise<T[]> {
  const listener = listen<T>(query, variables);
  const events = await listener.until(({ length }) => length >= count);
  await listener.close();
  return events.slice(0, count);
}

async function start(model: string, input: Record<string, unknown> = {}) {
  const { data, errors } = await startTraining(platform, { model, curve: "yields", ...input });
  if (errors) throw new Error(JSON.stringify(errors));
  return { run: data!.startTraining.run.id, cursor: data!.startTraining.cursor };
}

const hasEnded = (events: TrainingEvent[]): boolean => events.at(-1)?.status === "SUCCEEDED";

/** A cursor from before everything that the test does. */
async function cursorOfNow(): Promise<string> {
  const { run, cursor } = await start("clock");
  await finished(platform, run);
  return cursor;
}

/** y = x + offset */
function offsetModel(offset: number): Uint8Array {
  const graph = new OnnxGraph("offset");
  const x = graph.input("x", OnnxType.FLOAT32, ["N", 1]);
  graph.node("Add", [x, graph.float32([1], [offset])], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 1]);
  return graph.encode();
}

async function openSubscriptions(): Promise<number> {
  return metric(platform, "graphql_subscriptions_open");
}

test("a training tells how far it is, from the queue to its version", async () => {
  const { run, cursor } = await start("followed", { type: "GRADIENT_BOOSTING", horizons: [1, 5] });
  const listener = listen<TrainingEvent>(TRAINING_EVENTS, { run, after: cursor });
  const events = await listener.until(hasEnded);
  expect(events[0]).toMatchObject({ status: "QUEUED", progress: 0 });
  expect(events[1]).toMatchObject({ status: "RUNNING", progress: 0, message: "started" });
  expect(events.at(-1)).toMatchObject({ status: "SUCCEEDED", progress: 1, message: "version 1 is ready" });
  expect(new Set(events.map((event) => event.run.id))).toEqual(new Set([run]));
  const progress = events.map((event) => event.progress);
  expect(progress.some((share) => share > 0 && share < 1)).toBe(true);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
  expect(new Set(events.map((event) => event.cursor)).size).toBe(events.length);
  const times = events.map(({ at }) => Date.parse(at));
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test("a client that was away gets what it missed, in order, without gaps or doubles", async () => {
  const { run, cursor } = await start("missed", { type: "NELSON_SIEGEL", horizons: [1, 5] });
  await finished(platform, run);
  const all = await listen<TrainingEvent>(TRAINING_EVENTS, { run, after: cursor }).until(hasEnded);
  expect(all.length).toBeGreaterThanOrEqual(2);
  for (const [seen, { cursor: last }] of all.slice(0, -1).entries()) {
    const rest = await listen<TrainingEvent>(TRAINING_EVENTS, { run, after: last }).until(hasEnded);
    expect(rest).toEqual(all.slice(seen + 1));
  }
});

test("clients that come and go during a storm each see every promotion once", async () => {
  const model = "stormy";
  for (const number of [1, 2, 3]) {
    expect(await uploadVersion(platform, model, offsetModel(number))).toMatchObject({
      number,
      status: "READY",
    });
  }
  const PROMOTIONS = 24;
  const after = await cursorOfNow();
  const follow = async (perVisit: number): Promise<string[]> => {
    const seen: PromotionEvent[] = [];
    while (seen.length < PROMOTIONS) {
      const count = Math.min(perVisit, PROMOTIONS - seen.length);
      const variables = { model, after: seen.at(-1)?.cursor ?? after };
      seen.push(...(await hear<PromotionEvent>(PROMOTION_EVENTS, variables, count)));
    }
    return seen.map(({ transition }) => transition.id);
  };
  const storm = async (): Promise<void> => {
    for (let i = 0; i < PROMOTIONS; i++) {
      const { errors } = await promote(platform, { model, number: 1 + (i % 3) });
      if (errors) throw new Error(JSON.stringify(errors));
    }
  };
  const [, ...followers] = await Promise.all([storm(), follow(1), follow(5), follow(PROMOTIONS)]);
  const history = (await transitionsOf(platform, model)).map(({ id }) => id);
  expect(history).toHaveLength(PROMOTIONS);
  for (const seen of followers) expect(seen).toEqual(history);
});

test("subscriptions tell only of what was asked for", async () => {
  const cursor = await cursorOfNow();
  const [one, two] = [await start("one"), await start("two")];
  await Promise.all([finished(platform, one.run), finished(platform, two.run)]);
  for (const model of ["filtered-a", "filtered-b"]) {
    await uploadVersion(platform, model, offsetModel(1));
    await promote(platform, { model, number: 1 });
  }

  const ofModel = await listen<TrainingEvent>(TRAINING_EVENTS, { model: "two", after: cursor }).until(
    hasEnded,
  );
  expect(ofModel[0]).toMatchObject({ status: "QUEUED" });
  expect(new Set(ofModel.map(({ run }) => run.model.name))).toEqual(new Set(["two"]));
  const ofBoth = await listen<TrainingEvent>(TRAINING_EVENTS, { after: cursor }).until(
    (events) => events.filter(({ status }) => status === "SUCCEEDED").length === 3,
  );
  expect(new Set(ofBoth.map(({ run }) => run.model.name))).toEqual(new Set(["clock", "one", "two"]));

  const [promotion] = await hear<PromotionEvent>(PROMOTION_EVENTS, { model: "filtered-b", after: cursor }, 1);
  expect(promotion!.transition.version.model.name).toBe("filtered-b");

  const validations = await hear<JobEvent>(JOB_EVENTS, { kind: "validate-model-version", after: cursor }, 6);
  expect(new Set(validations.map(({ job }) => job.kind))).toEqual(new Set(["validate-model-version"]));
  const { id } = validations.at(-1)!.job;
  const ofJob = await hear<JobEvent>(JOB_EVENTS, { job: id, after: cursor }, 3);
  expect(ofJob.map(({ job, state }) => [job.id, state])).toEqual([
    [id, "WAITING"],
    [id, "ACTIVE"],
    [id, "COMPLETED"],
  ]);
  expect(ofJob.at(-1)!.progress).toBe(1);
});

test.each([
  ["trainingEvents", TRAINING_EVENTS],
  ["jobEvents", JOB_EVENTS],
  ["promotionEvents", PROMOTION_EVENTS],
])("%s refuses what is no cursor", async (_name, query) => {
  const encode = (text: string): string => Buffer.from(text).toString("base64url");
  for (const after of ["", "x", encode("1"), encode("1.-1"), encode("1.2.3"), encode(`${2n ** 63n}.1`)]) {
    const failure = await listen(query, { after }).end();
    expect(failure).toMatchObject([{ extensions: { code: "INVALID_INPUT", field: "after" } }]);
  }
});

test("an id of something else is not found", async () => {
  expect(await listen(TRAINING_EVENTS, { run: "cnVu" }).end()).toMatchObject([
    { extensions: { code: "NOT_FOUND", field: "run" } },
  ]);
  expect(await listen(JOB_EVENTS, { job: "am9i" }).end()).toMatchObject([
    { extensions: { code: "NOT_FOUND", field: "job" } },
  ]);
});

test("pages of other sites reach neither door", async () => {
  const { port } = new URL(platform.url);
  const strangers: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: `http://127.0.0.1:${Number(port) - 1}` },
    { host: "evil.example" },
    { host: `evil.example:${port}`, origin: `http://evil.example:4000` },
    { host: "127.0.0.1.evil.example" },
  ];
  for (const headers of strangers) {
    expect([headers, await upgradeStatus(platform, headers)]).toEqual([headers, 403]);
    const { status, body } = await rawGraph(platform, "{ me { subject } }", { headers });
    expect([headers, status]).toEqual([headers, 403]);
    expect(JSON.parse(body)).toMatchObject({ errors: [{ extensions: { code: "FORBIDDEN" } }] });
  }
  const friends: Record<string, string>[] = [{}, { origin: platform.url }, { host: `localhost:${port}` }];
  for (const headers of friends) {
    expect(await upgradeStatus(platform, headers)).toBe(101);
    expect((await rawGraph(platform, "{ me { subject } }", { headers })).status).toBe(200);
  }
  expect(await upgradeStatus(platform, {}, "/elsewhere")).toBe(404);
});

test("a socket without valid credentials is closed", async () => {
  const remote = { "x-forwarded-for": "203.0.113.7" };
  expect(await listen(TRAINING_EVENTS, {}, { headers: remote }).end()).toMatchObject({ code: 4403 });
  const forged = issueToken({}, { secret: "another secret that is long enough too" });
  expect(await listen(TRAINING_EVENTS, {}, { token: forged }).end()).toMatchObject({ code: 4403 });
  const remoteWithToken = listen(TRAINING_EVENTS, { after: "x" }, { headers: remote, token: issueToken() });
  expect(await remoteWithToken.end()).toMatchObject([{ extensions: { code: "INVALID_INPUT" } }]);
});

test("a subscription before the credentials closes the socket", async () => {
  const socket = new WebSocket(`${platform.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  socket.once("open", () =>
    socket.send(JSON.stringify({ type: "subscribe", id: "1", payload: { query: JOB_EVENTS } })),
  );
  const [code] = (await once(socket, "close")) as [number];
  expect(code).toBe(4401);
});

test("an operation that cannot start leaves its socket and the others alone", async () => {
  const socket = new WebSocket(`${platform.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  await once(socket, "open");
  const answers: { id: string; type: string; payload: { extensions: { code: string } }[] }[] = [];
  socket.on("message", (bytes: Buffer) => answers.push(JSON.parse(bytes.toString()) as never));
  socket.send(JSON.stringify({ type: "connection_init" }));
  await eventually(
    () => Promise.resolve(answers.length),
    (count) => count === 1,
  );
  const subscribe = (id: string, query: string) =>
    socket.send(JSON.stringify({ type: "subscribe", id, payload: { query } }));
  for (let i = 1; i <= 20; i++) subscribe(String(i), "subscription { promotionEvents { cursor } }");
  subscribe("malformed", "subscription {");
  subscribe("one too many", "subscription { promotionEvents { cursor } }");
  const refusals = await eventually(
    () => Promise.resolve(answers.slice(1)),
    ({ length }) => length === 2,
  );
  expect(refusals.map(({ id, type, payload }) => [id, type, payload[0]!.extensions.code])).toEqual([
    ["malformed", "error", "RATE_LIMITED"],
    ["one too many", "error", "RATE_LIMITED"],
  ]);
  socket.send(JSON.stringify({ type: "complete", id: "1" }));
  subscribe("malformed again", "subscription {");
  const [last] = (await eventually(
    () => Promise.resolve(answers.slice(3)),
    ({ length }) => length === 1,
  )) as typeof answers;
  expect(last).toMatchObject({ id: "malformed again", payload: [{ extensions: { code: "INVALID_INPUT" } }] });
  expect(socket.readyState).toBe(WebSocket.OPEN);
  socket.close();
});

test("a caller without the permission is refused", async () => {
  const token = issueToken({ roles: [] });
  for (const query of [TRAINING_EVENTS, JOB_EVENTS, PROMOTION_EVENTS]) {
    expect(await listen(query, {}, { token }).end()).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
  }
});

test("the socket ends with its token", async () => {
  const token = issueToken({ exp: Math.floor(Date.now() / 1000) + 2 });
  const listener = listen(PROMOTION_EVENTS, {}, { token });
  expect(await listener.end()).toMatchObject({ code: 4403, reason: "the token has expired" });
  expect(Date.now() / 1000).toBeGreaterThanOrEqual(
    (JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as { exp: number }).exp - 0.01,
  );
});

test("one of many subscribers goes away: the others hear on, and nothing is left of it", async () => {
  const model = "broadcast";
  for (const number of [1, 2]) await uploadVersion(platform, model, offsetModel(number));
  const before = await eventually(openSubscriptions, (open) => open === 0);
  const many = Array.from({ length: 25 }, () => listen<PromotionEvent>(PROMOTION_EVENTS, { model }));
  await eventually(openSubscriptions, (open) => open === before + 25);
  await promote(platform, { model, number: 1 });
  await Promise.all(many.map((listener) => listener.until(({ length }) => length === 1)));
  const [leaver, ...others] = many;
  await leaver!.close();
  await eventually(openSubscriptions, (open) => open === before + 24);
  await promote(platform, { model, number: 2 });
  const heard = await Promise.all(others.map((listener) => listener.until(({ length }) => length === 2)));
  expect(new Set(heard.map((events) => JSON.stringify(events))).size).toBe(1);
  expect(leaver!.events).toHaveLength(1);
  await Promise.all(others.map((listener) => listener.close()));
  await eventually(openSubscriptions, (open) => open === before);
});
