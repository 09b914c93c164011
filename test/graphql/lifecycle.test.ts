import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import {
  announce,
  announcementOf,
  promote,
  register,
  rollBack,
  transitionsOf,
  uploadVersion,
} from "../support/registry.js";
import type { Transition } from "../support/registry.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});

afterAll(() => platform.remove());

/** y = x + offset: the answer to 0 tells which version gave it. */
function offsetModel(offset: number): Uint8Array {
  const graph = new OnnxGraph("offset");
  const x = graph.input("x", OnnxType.FLOAT32, ["N", 1]);
  graph.node("Add", [x, graph.float32([1], [offset])], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 1]);
  return graph.encode();
}

/** A model with READY versions 1 to `count`; version n adds n. */
async function modelWithVersions(name: string, count: number): Promise<void> {
  for (let number = 1; number <= count; number++) {
    const version = await uploadVersion(platform, name, offsetModel(number));
    expect(version).toMatchObject({ number, status: "READY" });
  }
}

async function moved(input: Record<string, unknown>): Promise<Transition> {
  const { data, errors } = await promote(platform, input);
  if (errors) throw new Error(JSON.stringify(errors));
  expect(data!.promoteModelVersion.pending).toBe(false);
  return data!.promoteModelVersion.transition;
}

interface Stages {
  production: { number: number } | null;
  staging: { number: number } | null;
  versions: { edges: { node: { number: number; stage: string } }[] };
}

async function stagesOf(model: string): Promise<Stages> {
  const answer = await platform.query<{ model: Stages }>(
    `query Stages($model: String!) { model(name: $model) {
      production { number } staging { number } versions(first: 100) { edges { node { number stage } } }
    } }`,
    { model },
  );
  return answer.model;
}

/** Number of the version that answers; the answer itself must agree. */
async function servingNow(model: string): Promise<number> {
  const { predict } = await platform.query<{
    predict: { version: { number: number }; outputs: [{ values: [[number]] }] };
  }>(
    `query Serving($model: String!) {
      predict(input: { model: $model, inputs: [{ name: "x", values: [[0]] }] }) {
        version { number } outputs { values }
      }
    }`,
    { model },
  );
  expect(predict.outputs[0].values[0][0]).toBe(predict.version.number);
  return predict.version.number;
}

test("promotes to production by default, and tells who, why and what it retired", async () => {
  await modelWithVersions("story", 2);
  expect(await moved({ model: "story", number: 1, reason: "first" })).toMatchObject({
    kind: "PROMOTION",
    from: "NONE",
    to: "PRODUCTION",
    actor: "developer",
    reason: "first",
    version: { number: 1 },
    retired: null,
  });
  expect(await moved({ model: "story", number: 2, stage: "STAGING" })).toMatchObject({
    from: "NONE",
    to: "STAGING",
    retired: null,
  });
  expect(await stagesOf("story")).toMatchObject({ production: { number: 1 }, staging: { number: 2 } });
  expect(await moved({ model: "story", number: 2 })).toMatchObject({
    from: "STAGING",
    to: "PRODUCTION",
    retired: { number: 1 },
  });
  expect(await stagesOf("story")).toEqual({
    production: { number: 2 },
    staging: null,
    versions: {
      edges: [{ node: { number: 2, stage: "PRODUCTION" } }, { node: { number: 1, stage: "ARCHIVED" } }],
    },
  });
  expect(await servingNow("story")).toBe(2);

  expect(await moved({ model: "story", number: 2, stage: "ARCHIVED" })).toMatchObject({
    from: "PRODUCTION",
    to: "ARCHIVED",
    retired: null,
  });
  const unserved = await platform.ask(
    `{ predict(input: { model: "story", inputs: [{ name: "x", values: [[0]] }] }) { id } }`,
  );
  expect(refusalOf(unserved)).toBe("NOT_FOUND input.version");
  const history = await transitionsOf(platform, "story");
  expect(history.map(({ version, from, to }) => `${version.number} ${from} ${to}`)).toEqual([
    "1 NONE PRODUCTION",
    "2 NONE STAGING",
    "2 STAGING PRODUCTION",
    "2 PRODUCTION ARCHIVED",
  ]);
});

test("answers a promotion to where the version is with its last transition", async () => {
  await modelWithVersions("again", 1);
  const first = await moved({ model: "again", number: 1 });
  expect(await moved({ model: "again", number: 1, reason: "once more", expectedCurrent: 1 })).toEqual(first);
  expect(await transitionsOf(platform, "again")).toEqual([first]);
  await uploadVersion(platform, "again", offsetModel(2));
  expect(refusalOf(await promote(platform, { model: "again", number: 2, stage: "NONE" }))).toBe(
    "PRECONDITION_FAILED",
  );
});

test("refuses a version that is not READY, and one that does not exist", async () => {
  await register(platform, { name: "unready", kind: "TENSOR" });
  await announce(platform, { model: "unready", ...announcementOf(offsetModel(1)) });
  await uploadVersion(platform, "unready", Buffer.from("no graph"));
  for (const number of [1, 2]) {
    for (const stage of ["PRODUCTION", "STAGING", "ARCHIVED"]) {
      expect(refusalOf(await promote(platform, { model: "unready", number, stage }))).toBe(
        "PRECONDITION_FAILED",
      );
    }
  }
  expect(refusalOf(await promote(platform, { model: "unready", number: 3 }))).toBe("NOT_FOUND input.number");
  expect(refusalOf(await promote(platform, { model: "absent", number: 1 }))).toBe("NOT_FOUND input.model");
  expect(refusalOf(await rollBack(platform, { model: "absent" }))).toBe("NOT_FOUND input.model");
  expect(refusalOf(await rollBack(platform, { model: "unready" }))).toBe("PRECONDITION_FAILED");
  expect(refusalOf(await promote(platform, { model: "unready", number: 1, stage: "LIVE" }))).toBe(
    "INVALID_INPUT input.stage",
  );
  const read = await platform.ask(
    `{ predict(input: { model: "unready", version: { number: 1 }, inputs: [] }) { id } }`,
  );
  expect(refusalOf(read)).toBe("PRECONDITION_FAILED");
  expect(await transitionsOf(platform, "unready")).toEqual([]);
});

test("changes nothing when another version is in the stage than expected", async () => {
  await modelWithVersions("expected", 2);
  const stale = "CONFLICT input.expectedCurrent";
  expect(refusalOf(await promote(platform, { model: "expected", number: 1, expectedCurrent: 7 }))).toBe(
    stale,
  );
  await moved({ model: "expected", number: 1, expectedCurrent: 0 });
  const before = await transitionsOf(platform, "expected");
  expect(refusalOf(await promote(platform, { model: "expected", number: 2, expectedCurrent: 0 }))).toBe(
    stale,
  );
  expect(refusalOf(await rollBack(platform, { model: "expected", expectedCurrent: 2 }))).toBe(stale);
  expect(await transitionsOf(platform, "expected")).toEqual(before);
  expect(await stagesOf("expected")).toMatchObject({ production: { number: 1 } });
  await moved({ model: "expected", number: 2, expectedCurrent: 1 });
});

test("knows what was in production at any instant", async () => {
  await modelWithVersions("timeline", 2);
  const started = new Date().toISOString();
  const first = await moved({ model: "timeline", number: 1 });
  const second = await moved({ model: "timeline", number: 2 });
  const ended = await moved({ model: "timeline", number: 2, stage: "ARCHIVED" });
  const at = async (time: string): Promise<number | undefined> => {
    const { model } = await platform.query<{ model: { productionAt: { number: number } | null } }>(
      `query At($time: DateTime!) { model(name: "timeline") { productionAt(time: $time) { number } } }`,
      { time },
    );
    return model.productionAt?.number;
  };
  const justBefore = (time: string) => new Date(Date.parse(time) - 1).toISOString();
  expect(await at(started)).toBeUndefined();
  expect(await at("1970-01-01T00:00:00Z")).toBeUndefined();
  expect(await at(first.at)).toBe(1);
  expect(await at(justBefore(second.at))).toBe(1);
  expect(await at(second.at)).toBe(2);
  expect(await at(justBefore(ended.at))).toBe(2);
  expect(await at(ended.at)).toBeUndefined();
  expect(await at("2200-01-01T00:00:00+01:00")).toBeUndefined();
  const malformed = await platform.ask(
    `{ model(name: "timeline") { productionAt(time: "yesterday") { id } } }`,
  );
  expect(refusalOf(malformed)).toBe("INVALID_INPUT time");
});

test("rolls back ever further, never to and fro", async () => {
  await modelWithVersions("walk", 3);
  for (const number of [1, 2, 3]) await moved({ model: "walk", number });
  const back = async (): Promise<string> => {
    const { data, errors } = await rollBack(platform, { model: "walk" });
    if (errors) return errors[0]!.extensions.code;
    const { kind, version, retired } = data!.rollbackModel.transition;
    return `${kind} ${version.number} retires ${retired?.number}`;
  };
  expect([await back(), await back(), await back()]).toEqual([
    "ROLLBACK 2 retires 3",
    "ROLLBACK 1 retires 2",
    "PRECONDITION_FAILED",
  ]);
  await moved({ model: "walk", number: 3 });
  expect(await back()).toBe("ROLLBACK 1 retires 3");
  expect(await back()).toBe("PRECONDITION_FAILED");
  expect(await stagesOf("walk")).toMatchObject({ production: { number: 1 } });
  expect(await servingNow("walk")).toBe(1);
});

test("does an operation with an idempotency key once", async () => {
  await modelWithVersions("keys", 2);
  await moved({ model: "keys", number: 1 });
  const input = { model: "keys", number: 2, idempotencyKey: "release 2" };
  const [first, repeated] = await Promise.all([moved(input), moved(input)]);
  expect(repeated).toEqual(first);
  await moved({ model: "keys", number: 1 });
  expect(await moved({ ...input, reason: null })).toEqual(first);
  expect(await stagesOf("keys")).toMatchObject({ production: { number: 1 } });
  expect(refusalOf(await promote(platform, { ...input, stage: "STAGING" }))).toBe(
    "CONFLICT input.idempotencyKey",
  );
  const [back, again] = await Promise.all(
    [1, 2].map(() => rollBack(platform, { model: "keys", idempotencyKey: "back" })),
  );
  expect(back!.data).toEqual(again!.data);
  expect(await transitionsOf(platform, "keys")).toHaveLength(4);
});

test("a failed operation does not use up its idempotency key", async () => {
  await modelWithVersions("retried", 1);
  const input = { model: "retried", number: 1, expectedCurrent: 4, idempotencyKey: "k" };
  expect(refusalOf(await promote(platform, input))).toBe("CONFLICT input.expectedCurrent");
  expect(await moved({ ...input, expectedCurrent: 0 })).toMatchObject({ version: { number: 1 } });
});

/** Each transition into production retires exactly the version that the ones before had put there. */
function expectGapless(history: Transition[]): void {
  let current: number | undefined;
  for (const { version, retired, from, to } of history) {
    if (to === "PRODUCTION") {
      expect(retired?.number).toBe(current);
      current = version.number;
    } else if (from === "PRODUCTION") {
      expect(version.number).toBe(current);
      current = undefined;
    }
  }
}

test("racing promotions leave one production version and a history without gaps", async () => {
  await modelWithVersions("race", 4);
  const requests = Array.from({ length: 20 }, (_, i) => ({
    model: "race",
    number: 1 + (i % 4),
    stage: i % 5 === 4 ? "STAGING" : "PRODUCTION",
    reason: `racer ${i}`,
  }));
  const answers = await Promise.all(requests.map((input) => promote(platform, input)));
  const made = answers.map(({ data, errors }) => {
    if (errors) throw new Error(JSON.stringify(errors));
    return data!.promoteModelVersion.transition;
  });
  const history = await transitionsOf(platform, "race");
  expect(new Set(history.map(({ id }) => id))).toEqual(new Set(made.map(({ id }) => id)));
  expect(history).toHaveLength(new Set(made.map(({ id }) => id)).size);
  expectGapless(history);

  const { production, versions } = await stagesOf("race");
  const last = history.filter(({ from, to }) => to === "PRODUCTION" || from === "PRODUCTION").at(-1)!;
  const inProduction = versions.edges.filter(({ node }) => node.stage === "PRODUCTION");
  expect(inProduction.map(({ node }) => node.number)).toEqual(
    last.to === "PRODUCTION" ? [last.version.number] : [],
  );
  expect(production?.number).toBe(inProduction[0]?.node.number);
});

test("of racers that expect the same incumbent, one wins", async () => {
  await modelWithVersions("swap", 4);
  await moved({ model: "swap", number: 1 });
  const answers = await Promise.all(
    [2, 3, 4, 2, 3, 4].map((number) => promote(platform, { model: "swap", number, expectedCurrent: 1 })),
  );
  const winners = answers.filter(({ errors }) => !errors);
  expect(winners).toHaveLength(1);
  for (const answer of answers.filter(({ errors }) => errors)) {
    expect(refusalOf(answer)).toBe("CONFLICT input.expectedCurrent");
  }
  expect(await transitionsOf(platform, "swap")).toHaveLength(2);
});

test("no prediction fails while versions change, and each comes from one that was serving", async () => {
  await modelWithVersions("busy", 3);
  await moved({ model: "busy", number: 1 });
  let promoting = true;
  const served = new Set<number>();
  const callers = Array.from({ length: 8 }, async () => {
    let calls = 0;
    for (; promoting; calls++) served.add(await servingNow("busy"));
    return calls;
  });
  for (let i = 0; i < 10; i++) {
    const number = 1 + ((i + 1) % 3);
    await moved({ model: "busy", number });
    expect(await servingNow("busy")).toBe(number);
  }
  promoting = false;
  const calls = await Promise.all(callers);
  expect(Math.min(...calls)).toBeGreaterThan(0);
  expect([...served].sort()).toEqual([1, 2, 3]);
  const history = await transitionsOf(platform, "busy");
  expect(history).toHaveLength(11);
  expectGapless(history);
});

test.each([-1, 101, 1_000_000_000])("a page of %i transitions is refused", async (first) => {
  await register(platform, { name: "paged", kind: "TENSOR" });
  const answer = await platform.ask(
    'query Page($first: Int) { model(name: "paged") { transitions(first: $first) { totalCount } } }',
    { first },
  );
  expect(refusalOf(answer)).toBe("INVALID_INPUT first");
});

test.each(["", "x", Buffer.from("[99999999999999]").toString("base64url"), "WzFd!"])(
  "%j is no cursor of transitions, or one that nothing follows",
  async (after) => {
    await register(platform, { name: "paged", kind: "TENSOR" });
    const answer = await platform.ask(
      'query Page($after: String) { model(name: "paged") { transitions(after: $after) { edges { cursor } } } }',
      { after },
    );
    if (answer.errors) expect(refusalOf(answer)).toBe("INVALID_INPUT after");
    else expect(answer.data).toEqual({ model: { transitions: { edges: [] } } });
  },
);
