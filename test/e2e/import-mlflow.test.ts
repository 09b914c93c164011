import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { estate, writeFileStore } from "../support/mlflow-estate.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

const CLI = fileURLToPath(new URL("../../bundle/cli.js", import.meta.url));

let platform: Platform;
let folder: TemporaryFolder;
let mlruns: string;

beforeAll(async () => {
  [platform, folder] = await Promise.all([startPlatform(), temporaryFolder()]);
  mlruns = join(folder.path, "mlruns");
  await writeFileStore(mlruns, estate());
});
afterAll(async () => {
  await platform.remove();
  await folder.remove();
});

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function cli(args: string[], environment: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = { ...process.env, ML_URL: platform.url, NO_COLOR: "1", ...environment };
    execFile(process.execPath, [CLI, "import-mlflow", ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

interface Report {
  changed: boolean;
  models: { mlflow: string; model: string; registered: boolean; versions: object[]; notes: string[] }[];
}

async function report(args: string[], environment: Record<string, string> = {}): Promise<Report> {
  const { code, stdout, stderr } = await cli([...args, "--json"], environment);
  if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

/** What an import of the estate says, by MLflow's numbers. */
function expected(result: "IMPORTED" | "UNCHANGED", [price, load] = ["power-price", "load"]) {
  const moved = result === "IMPORTED";
  const came = (mlflow: number, number: number, stage: string) => ({ mlflow, number, stage, result, moved });
  return [
    {
      ...{ mlflow: "Power Price", model: price, registered: moved },
      versions: [
        came(1, 1, "ARCHIVED"),
        came(2, 2, "PRODUCTION"),
        { mlflow: 3, number: null, result: "NOT_ONNX", flavours: ["python_function", "sklearn"] },
        came(4, 3, "STAGING"),
      ],
    },
    {
      ...{ mlflow: "load", model: load, registered: moved },
      versions: [
        { mlflow: 1, number: null, result: "NOT_ONNX", aliases: ["blue"] },
        { ...came(2, 1, "PRODUCTION"), aliases: ["champion"] },
      ],
    },
  ];
}

interface Kept {
  model: {
    description: string;
    tags: object[];
    transitions: { totalCount: number };
    version: { metrics: object[]; parameters: object[] };
  };
}

async function kept(name: string, number: number): Promise<Kept["model"]> {
  const { model } = await platform.query<Kept>(
    `query ($name: String!, $number: Int!) {
      model(name: $name) {
        description tags { name value } transitions { totalCount }
        version(number: $number) { metrics { name value } parameters { name value } }
      }
    }`,
    { name, number },
  );
  return model;
}

/** The answer of the version in production, whose weights lie beside its graph. */
async function prediction(model: string): Promise<unknown> {
  const { predict } = await platform.query<{ predict: { outputs: { values: unknown }[] } }>(
    `query ($model: String!) {
      predict(input: { model: $model, inputs: [{ name: "x", values: [[1, 1, 1]] }] }) { outputs { values } }
    }`,
    { model },
  );
  return predict.outputs[0]!.values;
}

describe("a folder", () => {
  test("says what would come, and changes nothing", async () => {
    const { code, stdout } = await cli(["--directory", mlruns, "--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).toContain("2 models, 6 versions: 4 would come, 0 there already, 2 not ONNX, 0 failed");
    expect(stdout).toMatch(/Power Price 3 \(python_function, sklearn\): skl2onnx: .*to_onnx/);
    expect(stdout).toMatch(/load 1 \(python_function\): Python code is no graph/);
    expect(await platform.query<object>('{ model(name: "power-price") { name } }')).toEqual({ model: null });
  });

  test("comes with stages, metrics, parameters and tags, and a second run changes nothing", async () => {
    expect((await report(["--directory", mlruns])).models).toMatchObject(expected("IMPORTED"));

    const first = await kept("power-price", 1);
    expect(first.description).toBe("Day-ahead prices");
    expect(first.tags).toEqual([
      { name: "mlflow.model", value: "Power Price" },
      { name: "team", value: "power" },
    ]);
    expect(first.version.metrics).toEqual([{ name: "rmse", value: 3.25 }]);
    expect(first.version.parameters).toEqual(
      expect.arrayContaining(
        Object.entries({
          ...{ "mlflow.model": "Power Price", "mlflow.version": "1", "mlflow.stage": "Archived" },
          ...{ "mlflow.run_id": estate()[0]!.versions[0]!.runId, trees: "200", "opt/lr": "0.1" },
          ...{
            "metric.val/mae": "NaN",
            "tag.note": "first",
            "run_tag.desk": "power",
            "mlflow.user": "quant",
          },
        }).map(([name, value]) => ({ name, value })),
      ),
    );
    expect(await prediction("power-price")).toEqual([[19, 32]]);

    const again = await report(["--directory", mlruns]);
    expect(again).toMatchObject({ changed: false, models: expected("UNCHANGED") });
    expect((await kept("power-price", 1)).transitions.totalCount).toBe(3);
    expect((await cli(["--directory", mlruns])).stdout).toMatch(
      /0 imported, 4 there already.*; nothing was changed/,
    );
  });

  test("what was moved here since stays where it is", async () => {
    await platform.query(
      'mutation { promoteModelVersion(input: { model: "power-price", number: 1 }) { pending } }',
    );
    const { changed, models } = await report(["--directory", mlruns]);
    expect(changed).toBe(false);
    expect(models[0]!.versions[1]).toMatchObject({
      stage: "ARCHIVED",
      notes: ["is ARCHIVED here, where it was moved; it was in Production in MLflow"],
    });
  });
});
