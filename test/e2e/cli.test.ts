import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { slopeModel } from "../../src/cli/demo-model.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

let platform: Platform;
let folder: TemporaryFolder;

beforeAll(async () => {
  platform = await startPlatform();
  folder = await temporaryFolder();
  await writeFile(join(folder.path, "curve.csv"), yieldHistory(400));
  await cli("import-curve", join(folder.path, "curve.csv"), "--name", "e2e-yields");
});

afterAll(async () => {
  await platform.remove();
  await folder.remove();
});

const cli = (...args: string[]) => runCli(args, { ML_URL: platform.url });

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli(...args, "--json");
  if (code !== 0) throw new Error(`254carbon ${args.join(" ")} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Weekdays from 2023 on, three tenors that swing slowly: CSV in the Treasury's layout, newest first. */
function yieldHistory(dates: number): string {
  const rows: string[] = [];
  for (let day = 0; rows.length < dates; day++) {
    const date = new Date(Date.UTC(2023, 0, 2 + day));
    if (date.getUTCDay() % 6 === 0) continue;
    const [year, month, dayOfMonth] = date.toISOString().slice(0, 10).split("-");
    const level = 4 + Math.sin(day / 40) + 0.05 * Math.sin(day * 1.7);
    const yields = [level - 0.5, level, level + 0.4 * Math.cos(day / 60)].map((value) => value.toFixed(2));
    rows.unshift([`${month}/${dayOfMonth}/${year}`, ...yields].join(","));
  }
  return ["Date,3 Mo,2 Yr,10 Yr", ...rows].join("\n");
}

test("trains, promotes and forecasts", async () => {
  const trained = await json<{
    status: string;
    backtest: { scores: unknown[] };
    version: { number: number };
  }>(
    ...["train", "--curve", "e2e-yields", "--model", "e2e_forecaster"],
    ...["--curve-type", "yield", "--model-type", "random-walk", "--horizons", "1,5"],
  );
  expect(trained).toMatchObject({ status: "SUCCEEDED", version: { number: 1 } });
  expect(trained.backtest.scores).toHaveLength(6);

  const promoted = await cli("promote", "--model", "e2e_forecaster", "--stage", "Production");
  expect(promoted).toMatchObject({ code: 0, stdout: "e2e_forecaster version 1: NONE -> PRODUCTION\n" });

  const forecast = await json<{ horizons: { horizon: number; points: { tenor: string }[] }[] }>(
    ...["forecast", "--curve", "e2e-yields", "--model", "e2e_forecaster", "--horizon", "5"],
  );
  expect(forecast.horizons.map(({ horizon }) => horizon)).toEqual([5]);
  expect(forecast.horizons[0]!.points.map(({ tenor }) => tenor)).toEqual(["P3M", "P2Y", "P10Y"]);

  const shown = await cli("forecast", "--curve", "e2e-yields", "--model", "e2e_forecaster");
  expect(shown.stdout).toContain("│ tenor │");
  expect(shown.stdout).toMatch(/○ \d{4}-\d\d-\d\d {3}● \d{4}-\d\d-\d\d \(\+5\)/);

  const models = await json<{ name: string; production: { number: number } | null }[]>("models");
  expect(models).toContainEqual(
    expect.objectContaining({ name: "e2e_forecaster", production: { number: 1 } }),
  );

  const again = await cli("rollback", "--model", "e2e_forecaster");
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("error: PRECONDITION_FAILED");
});

test("registers an own ONNX model and predicts with it", async () => {
  const path = join(folder.path, "slope.onnx");
  await writeFile(path, slopeModel());
  const registered = await json("register", path, "--model", "e2e_slope", "--metric", "rmse=0.5");
  expect(registered).toMatchObject({
    number: 1,
    status: "READY",
    signature: { inputs: [{ name: "yields", type: "FLOAT32", shape: [null, 2] }] },
  });
  await json("promote", "--model", "e2e_slope");

  const prediction = await json("predict", "--model", "e2e_slope", "--input", "yields=[[4, 4.5], [4, 4]]");
  expect(prediction).toMatchObject({ outputs: [{ name: "slope", shape: [2, 1], values: [[50], [0]] }] });
});

test("learns an embedder from a collection and promotes it", async () => {
  const notes = fileURLToPath(new URL("../../../samples/market-notes.jsonl", import.meta.url));
  await json("ingest", notes, "--collection", "e2e-notes", "--create");
  const args = [
    "train-embedder",
    "--model",
    "e2e_embedder",
    "--collection",
    "e2e-notes",
    "--dimensions",
    "16",
  ];
  const { run } = await json<{ run: { version: { number: number } } }>(...args, "--promote");
  expect(run).toMatchObject({
    status: "SUCCEEDED",
    collection: { name: "e2e-notes" },
    version: { number: 1 },
  });

  const again = await cli(...args);
  expect(again.code).toBe(0);
  expect(again.stdout).toMatch(
    /on e2e-notes: SUCCEEDED\n.*texts \d+.*\ne2e_embedder version 2, stage NONE\n$/,
  );
  const models = await json<object[]>("models");
  expect(models).toContainEqual(expect.objectContaining({ name: "e2e_embedder", production: { number: 1 } }));
  const runs = await cli("runs", "--model", "e2e_embedder");
  expect(runs.stdout).toContain("e2e-notes");

  const refused = await cli("train-embedder", "--model", "e2e_embedder", "--collection", "absent");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_FOUND") as string });
});

test("says why the platform refused, and where", async () => {
  const refused = await cli("predict", "--model", "absent", "--input", "x=[1]", "--json");
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: "NOT_FOUND", field: "input.model" } });
  expect(refused.stderr).toMatch(/^error: NOT_FOUND.*input\.model/);

  await writeFile(join(folder.path, "garbage.onnx"), "this is no ONNX file");
  const rejected = await cli("register", join(folder.path, "garbage.onnx"), "--model", "e2e_garbage");
  expect(rejected.code).toBe(1);
  expect(rejected.stderr).toContain("error: REJECTED: e2e_garbage version 1: ");
});

test("names line and column of a bad cell and imports nothing of its file", async () => {
  const path = join(folder.path, "bad.csv");
  await writeFile(path, "Date,1 Mo,1 Yr\n01/02/2024,5.5,4.8\n01/03/2024,5.5,n/a\n");
  const refused = await cli("import-curve", path, "--name", "e2e-bad");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('line 3, column 1 Yr: "n/a" is no number');
  expect((await cli("train", "--curve", "e2e-bad")).stderr).toContain("NOT_FOUND");
});

test("ends with 2 when it is called the wrong way, with 1 when nothing answers", async () => {
  const wrong = [
    ["trian"],
    ["promote"],
    ["train", "--model-type", "best"],
    ["train", "--horizons", "0"],
    ["train", "--curve", "e2e-yields", "--curve-type", "forward"],
    ["predict", "--model", "e2e_slope", "--input", "x=[1"],
  ];
  for (const args of wrong) expect(await cli(...args)).toMatchObject({ code: 2, stdout: "" });

  const unreachable = await cli("models", "--url", "http://127.0.0.1:1");
  expect(unreachable).toMatchObject({ code: 1, stdout: "" });
  expect(unreachable.stderr).toMatch(/^error: UNREACHABLE: .*npm start/);

  const help = await cli("train", "--help");
  expect(help.code).toBe(0);
  expect(help.stdout).toContain("254carbon train --curve-type yield --model-type ensemble");
});
