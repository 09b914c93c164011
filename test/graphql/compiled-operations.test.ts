import { linearModel } from "../support/onnx-models.js";
import { askGraph, startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { uploadVersion } from "../support/registry.js";

// A query that comes often is run as compiled code from its third use on. Whatever it answers must be what
// graphql-js answered at its first use.

let platform: Platform;
let nodeId: string;

beforeAll(async () => {
  platform = await startPlatform();
  await uploadVersion(platform, "linear", linearModel());
  await platform.query(
    `mutation ($input: PromoteModelVersionInput!) { promoteModelVersion(input: $input) { transition { id } } }`,
    { input: { model: "linear", number: 1, stage: "PRODUCTION" } },
  );
  const { model } = await platform.query<{ model: { id: string } }>(`{ model(name: "linear") { id } }`);
  nodeId = model.id;
}, 60_000);

afterAll(() => platform.remove());

const row = { name: "x", values: [[1, 2, 3]] };
const PREDICT = `query Predict($input: PredictInput!) {
  predict(input: $input) { __typename version { number stage } outputs { name type shape values base64 } }
}`;
const MODEL = `query Model($name: String!, $first: Int, $with: Boolean = true) {
  model(name: $name) {
    ...names
    versions(first: $first) @include(if: $with) { edges { node { number ...artifact } } pageInfo { hasNextPage } }
    ... on Node { __typename id }
    other: production { number @skip(if: $with) status }
  }
}
fragment names on Model { name kind tags { name value } description }
fragment artifact on ModelVersion { artifact { bytes sha256 } signature { inputs { name type shape } } }`;

const cases: [string, string, () => object][] = [
  ["a prediction", PREDICT, () => ({ input: { model: "linear", inputs: [row] } })],
  ["an alias that objects know otherwise", "{ __proto__: __typename }", () => ({})],
  ["base64", PREDICT, () => ({ input: { model: "linear", inputs: [row], encoding: "BASE64" } })],
  [
    "nulls for what is optional",
    PREDICT,
    () => ({
      input: { model: "linear", inputs: [row], encoding: null, version: null, outputs: null },
    }),
  ],
  [
    "one value where a list is taken",
    PREDICT,
    () => ({ input: { model: "linear", inputs: row, outputs: "y" } }),
  ],
  [
    "a version by its number",
    PREDICT,
    () => ({
      input: { model: "linear", inputs: [row], version: { number: 1, stage: null } },
    }),
  ],
  ["an unknown model", PREDICT, () => ({ input: { model: "nothing", inputs: [row] } })],
  [
    "a tensor of the wrong width",
    PREDICT,
    () => ({ input: { model: "linear", inputs: [{ name: "x", values: [[1]] }] } }),
  ],
  ["a missing variable", PREDICT, () => ({})],
  ["a missing field", PREDICT, () => ({ input: { model: "linear" } })],
  ["an unknown field", PREDICT, () => ({ input: { model: "linear", inputs: [row], color: "red" } })],
  [
    "several faults at once",
    PREDICT,
    () => ({
      input: { model: 7, inputs: [{ name: null, shape: ["a", 1.5] }], encoding: "HEX" },
    }),
  ],
  [
    "a number too big for Int",
    PREDICT,
    () => ({
      input: { model: "linear", inputs: [row], version: { number: 2 ** 40 } },
    }),
  ],
  ["a model with fragments and directives", MODEL, () => ({ name: "linear", first: 1, with: true })],
  ["the same without", MODEL, () => ({ name: "linear", with: false })],
  ["a null argument", MODEL, () => ({ name: "linear", first: null })],
  ["a model that does not exist", MODEL, () => ({ name: "nothing" })],
  ["a page too large", MODEL, () => ({ name: "linear", first: 1000 })],
  ["a null where none is allowed", MODEL, () => ({ name: null })],
  [
    "a node",
    `query Node($id: ID!) {
    node(id: $id) { __typename id ... on Model { name productionAt(time: "2999-01-01T00:00:00Z") { number } } ... on Curve { unit } }
  }`,
    () => ({ id: nodeId }),
  ],
  ["a node that does not exist", "query Node($id: ID!) { node(id: $id) { id } }", () => ({ id: 7 })],
  [
    "one failure beside successes",
    `query Three($good: String!, $bad: PredictInput!) {
    one: model(name: $good) { name } two: predict(input: $bad) { outputs { name } } three: me { subject roles }
  }`,
    () => ({ good: "linear", bad: { model: "nothing", inputs: [row] } }),
  ],
  [
    "a malformed cursor",
    `query ($after: String) { models(after: $after) { edges { node { name } } } }`,
    () => ({
      after: "garbage",
    }),
  ],
  [
    "literals",
    `{ predict(input: { model: "linear", inputs: [{ name: "x", values: [[1, 2, "NaN"]] }] }) { outputs { values } } }`,
    () => ({}),
  ],
  [
    "the schema",
    `query Schema { __schema { queryType { name } } __type(name: "Stage") { enumValues { name } } }`,
    () => ({}),
  ],
];

test.each(cases)("%s", async (_name, query, variables) => {
  const answers: Answer<unknown>[] = [];
  for (let use = 0; use < 5; use++) answers.push(await platform.ask(query, variables()));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
});

test("authorization holds for compiled queries", async () => {
  const query = "query Me { me { subject } models { edges { node { name } } } }";
  for (let use = 0; use < 4; use++) await platform.query(query);
  const answer = await askGraph(platform.url, query, {}, { authorization: "Bearer a.b.c" });
  expect(answer.errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
});

test("operations are counted by their type", async () => {
  await platform.query("{ me { subject } }");
  const metrics = await (await fetch(`${platform.url}/metrics`)).text();
  for (const type of ["query", "mutation"]) {
    expect(metrics).toMatch(
      new RegExp(
        `http_server_request_duration_seconds_count\\{route="/graphql",operation_type="${type}",status="200"\\} \\d+`,
      ),
    );
  }
});
