import { linearModel } from "../support/onnx-models.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { uploadVersion } from "../support/registry.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ environment: { ML_PREDICTION_LOG_VALUE_BYTES: "1000" } });
  await uploadVersion(platform, "linear", linearModel());
}, 60_000);

afterAll(() => platform.remove());

interface Read {
  id: string;
  outputs: { values: unknown }[] | null;
}

async function predict(rows: number): Promise<Read> {
  const values = Array.from({ length: rows }, () => [1, 2, 3]);
  const { predict: made } = await platform.query<{ predict: Read }>(
    "query ($input: PredictInput!) { predict(input: $input) { id outputs { values } } }",
    { input: { model: "linear", version: { number: 1 }, inputs: [{ name: "x", values }] } },
  );
  return made;
}

async function read(id: string): Promise<Read> {
  const { node } = await platform.query<{ node: Read }>(
    "query ($id: ID!) { node(id: $id) { id ... on Prediction { outputs { values } } } }",
    { id },
  );
  return node;
}

async function loggedRows(): Promise<number> {
  const metrics = await (await fetch(`${platform.url}/metrics`)).text();
  return Number(/^prediction_log_rows_total (\d+)$/m.exec(metrics)?.[1]);
}

test("a prediction is found again, before and after it is written", async () => {
  const made = await predict(2);
  expect(await read(made.id)).toEqual(made);
  await eventually(loggedRows, (rows) => rows > 0);
  expect(await read(made.id)).toEqual(made);
});

test("values beyond the limit are not kept", async () => {
  const before = await loggedRows();
  const big = await predict(1000);
  expect(big.outputs?.[0]?.values).toHaveLength(1000);
  expect((await read(big.id)).outputs).toBeNull();
  await eventually(loggedRows, (rows) => rows > before);
  expect((await read(big.id)).outputs).toBeNull();
});
