import { matchesPattern } from "../../src/modules/identity/grants.rules.js";
import { keyWith } from "../support/api-keys.js";
import { linearModel, perceptron } from "../support/onnx-models.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import {
  announce,
  announcementOf,
  complete,
  promote,
  put,
  register,
  rollBack,
  uploadVersion,
} from "../support/registry.js";
import { curveWithHistory, datesOf, snapshotsOf } from "../support/market-curves.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

let platform: Platform;
let admin: Platform;
const graph = linearModel();

function as(headers: Record<string, string>): Platform {
  return {
    ...platform,
    ask: (query, variables) => platform.ask(query, variables, headers),
    query: (query, variables) => platform.query(query, variables, headers),
  };
}

beforeAll(async () => {
  platform = await startPlatform({ environment: { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET } });
  admin = as(bearer(issueToken({ sub: "admin" })));
  for (const model of ["power-de", "gas-ttf"]) {
    for (let i = 0; i < 3; i++) await uploadVersion(admin, model, graph);
    await promote(admin, { model, number: 1 });
    await promote(admin, { model, number: 2 });
  }
  await curveWithHistory(admin, "yields", snapshotsOf(datesOf(200)));
});
afterAll(() => platform.remove());

const outcome = (answer: Answer<unknown>) => (answer.errors ? refusalOf(answer) : "OK");
const narrowed = async (...grants: object[]) => as(await keyWith(platform, ["ENGINEER"], grants));
const on = (permission: string, stage?: string) => ({
  permission,
  modelPattern: "power-*",
  ...(stage ? { stage } : {}),
});
const predict = (who: Platform, model: string, version?: object) =>
  who.ask<{ predict: { id: string } }>("query P($input: PredictInput!) { predict(input: $input) { id } }", {
    input: { model, version, inputs: [{ name: "x", values: [[1, 2, 3]] }] },
  });

test("may train and stage power-*, and not touch production", async () => {
  const trainer = await narrowed(on("training:start"), on("model:promote", "STAGING"));
  const move = async (model: string, number: number, stage: string) =>
    outcome(await promote(trainer, { model, number, stage }));
  expect(await move("power-de", 3, "STAGING")).toBe("OK");
  expect(await move("power-de", 3, "ARCHIVED")).toBe("OK");
  expect(await move("power-de", 3, "PRODUCTION")).toBe("FORBIDDEN");
  expect(await move("power-de", 2, "STAGING")).toBe("FORBIDDEN");
  expect(await move("power-de", 2, "ARCHIVED")).toBe("FORBIDDEN");
  expect(await move("power-de", 2, "NONE")).toBe("FORBIDDEN");
  expect(await move("gas-ttf", 3, "STAGING")).toBe("FORBIDDEN");
  expect(outcome(await rollBack(trainer, { model: "power-de" }))).toBe("FORBIDDEN");
  const { production } = (
    await admin.query<{ model: { production: { number: number } } }>(
      `{ model(name: "power-de") { production { number } } }`,
    )
  ).model;
  expect(production.number).toBe(2);
  const train = (model: string) =>
    trainer.ask(`mutation T($input: StartTrainingInput!) { startTraining(input: $input) { run { id } } }`, {
      input: { model, curve: "yields", type: "RANDOM_WALK", horizons: [1] },
    });
  expect(outcome(await train("power-new"))).toBe("OK");
  expect(outcome(await train("gas-new"))).toBe("FORBIDDEN");
  // What no grant names stays as the role has it.
  expect(outcome(await register(trainer, { name: "gas-other", kind: "TENSOR" }))).toBe("OK");
});

test("every path of a narrowed permission asks", async () => {
  const all = [
    "model:register",
    "model:upload",
    "model:download",
    "model:predict",
    "curve:forecast",
    "text:embed",
  ];
  const who = await narrowed(
    ...all.map((permission) => on(permission)),
    on("training:cancel"),
    on("training:start"),
  );
  expect(outcome(await register(who, { name: "power-fr", kind: "TENSOR" }))).toBe("OK");
  expect(outcome(await register(who, { name: "gas-fr", kind: "TENSOR" }))).toBe("FORBIDDEN");
  const file = announcementOf(graph);
  expect(outcome(await announce(who, { model: "power-de", ...file }))).toBe("OK");
  expect(outcome(await announce(who, { model: "gas-ttf", ...file }))).toBe("FORBIDDEN");
  expect(outcome(await complete(who, "gas-ttf", 3))).toBe("FORBIDDEN");
  expect(outcome(await predict(who, "power-de"))).toBe("OK");
  expect(outcome(await predict(who, "gas-ttf"))).toBe("FORBIDDEN");
  expect(outcome(await predict(who, "gas-absent"))).toBe("FORBIDDEN");
  const documents = [
    `{ forecast(input: { curve: "yields", model: "gas-ttf" }) { id } }`,
    `{ embed(input: { model: "gas-ttf", texts: ["a"] }) { dimensions } }`,
    `mutation { trainEmbedder(input: { model: "gas-e", collection: "absent" }) { cursor } }`,
    `mutation { setCollectionEmbedder(input: { collection: "absent", embedder: "gas-ttf" }) { collection { id } } }`,
    `mutation { createCollection(input: { name: "c", embedder: "gas-ttf" }) { collection { id } } }`,
  ];
  const codes = await Promise.all(documents.map(async (document) => outcome(await who.ask(document))));
  expect(codes).toEqual(documents.map(() => "FORBIDDEN"));
  const train = (model: string, curve: string) =>
    `mutation { startTraining(input: { model: "${model}", curve: "${curve}", type: RANDOM_WALK, horizons: [1] }) {
      run { id } } }`;
  expect(outcome(await who.ask(train("gas-run", "absent")))).toBe("FORBIDDEN");
  const started = await admin.query<{ startTraining: { run: { id: string } } }>(train("gas-run", "yields"));
  const cancel = `mutation C($run: ID!) { cancelTraining(input: { run: $run }) { cursor } }`;
  expect(outcome(await who.ask(cancel, { run: started.startTraining.run.id }))).toBe("FORBIDDEN");
  const { jobs } = await admin.query<{ jobs: { edges: { node: { id: string } }[] } }>(
    `{ jobs(kind: "train-forecaster", first: 1) { edges { node { id } } } }`,
  );
  const input = { job: jobs.edges[0]!.node.id };
  const operator = as(await keyWith(platform, ["ADMIN"], [on("training:cancel"), on("training:start")]));
  for (const mutation of ["cancelJob", "retryJob"]) {
    const document = `mutation J($input: ${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input!) {
      ${mutation}(input: $input) { cursor } }`;
    expect(outcome(await operator.ask(document, { input }))).toBe("FORBIDDEN");
    // To be cancelled it must be under way, to be retried it must not: by others it is at most too late.
    expect(outcome(await admin.ask(document, { input }))).not.toBe("FORBIDDEN");
  }
  const protector = as(await keyWith(platform, ["OPERATOR"], [on("model:protect")]));
  const protect = (model: string) =>
    protector.ask(
      `mutation { protectModelVersion(input: { model: "${model}", number: 1 }) { version { id } } }`,
    );
  expect(outcome(await protect("power-de"))).toBe("OK");
  expect(outcome(await protect("gas-ttf"))).toBe("FORBIDDEN");
});

test("bytes that may not be downloaded are not had by their digest", async () => {
  const other = perceptron([3, 2]);
  await uploadVersion(admin, "gas-own", other);
  const who = await narrowed(on("model:download"), on("model:upload"));
  const { version, upload } = (await announce(who, { model: "power-de", ...announcementOf(other) })).data!
    .createModelVersion;
  expect(outcome(await complete(who, "power-de", version.number))).toBe("INVALID_INPUT input.number");
  expect((await put(upload.url, other)).status).toBe(204);
  expect(outcome(await complete(who, "power-de", version.number))).toBe("OK");
  const known = (await announce(who, { model: "power-de", ...announcementOf(graph) })).data!
    .createModelVersion;
  expect(outcome(await complete(who, "power-de", known.version.number))).toBe("OK");
});

test("links and predictions of other models are not given out, on any path", async () => {
  const who = await narrowed(on("model:download"), on("model:predict"));
  const link = "{ artifact { downloadUrl } }";
  const linked = async (document: string) => JSON.stringify(await who.ask(document)).includes("signature=");
  expect(await linked(`{ model(name: "power-de") { version(number: 1) ${link} } }`)).toBe(true);
  const { model } = await admin.query<{ model: { production: { id: string } } }>(
    `{ model(name: "gas-ttf") { production { id } } }`,
  );
  for (const path of [
    `{ model(name: "gas-ttf") { version(number: 1) ${link} production ${link} } }`,
    `{ node(id: "${model.production.id}") { ... on ModelVersion ${link} } }`,
    `{ model(name: "gas-ttf") { transitions { edges { node { version ${link} } } } } }`,
  ]) {
    const answer = await who.ask(path);
    expect(JSON.stringify(answer)).not.toContain("downloadUrl");
    expect(answer.errors).toBeUndefined();
  }
  const find = `query N($id: ID!) { node(id: $id) { __typename } }`;
  for (const [name, seen] of [
    ["power-de", { __typename: "Prediction" }],
    ["gas-ttf", null],
  ] as const) {
    const { id } = (await predict(admin, name)).data!.predict;
    expect((await who.ask(find, { id })).data).toEqual({ node: seen });
  }
});

test("a grant may be for a stage", async () => {
  const who = await narrowed({ permission: "model:predict", stage: "STAGING" });
  await promote(admin, { model: "power-de", number: 3, stage: "STAGING" });
  expect(outcome(await predict(who, "power-de", { stage: "STAGING" }))).toBe("OK");
  expect(outcome(await predict(who, "power-de", { number: 3 }))).toBe("OK");
  expect(outcome(await predict(who, "power-de"))).toBe("FORBIDDEN");
  expect(outcome(await predict(who, "power-de", { number: 2 }))).toBe("FORBIDDEN");
});

test("tokens carry grants, a malformed one refuses the token, and none widens", async () => {
  const token = (grants: unknown, roles = ["ANALYST"]) => as(bearer(issueToken({ grants, roles })));
  expect(outcome(await predict(token([on("model:predict")]), "power-de"))).toBe("OK");
  expect(outcome(await predict(token([on("model:predict")]), "gas-ttf"))).toBe("FORBIDDEN");
  expect(outcome(await predict(token([on("model:predict")], ["VIEWER"]), "power-de"))).toBe("FORBIDDEN");
  for (const grants of [
    "all",
    {},
    [null],
    [{}],
    [{ permission: "x" }],
    [{ ...on("model:predict"), models: "*" }],
  ]) {
    expect(outcome(await predict(token(grants), "power-de"))).toBe("UNAUTHENTICATED");
  }
});

test("patterns", () => {
  const fitting = ["*", "power-*", "*-de", "p*-*e", "power-de", "**", "*power-de*", "p*w*r*d*"];
  expect(fitting.filter((pattern) => !matchesPattern(pattern, "power-de"))).toEqual([]);
  const others = ["", "power", "power-de-*", "*-fr", "power-d", "p*x*", "power-de*power-de", "*e*e*e"];
  expect(others.filter((pattern) => matchesPattern(pattern, "power-de"))).toEqual([]);
  expect(matchesPattern("*a".repeat(32), "a".repeat(100_000) + "b")).toBe(false);
});
