import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { startFaultProxy } from "../support/fault-proxy.js";
import type { Fault } from "../support/fault-proxy.js";
import { estate, writeFileStore } from "../support/mlflow-estate.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { startMlflow } from "../support/real-mlflow.js";
import { RecordedMlflow } from "../support/recorded-mlflow.js";
import { CLI, runCli } from "../support/run-cli.js";
import type { CliOutcome } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";

let platform: Platform;
let folder: TemporaryFolder;
let mlruns: string;
let mlflow: RecordedMlflow;

beforeAll(async () => {
  [platform, folder] = await Promise.all([startPlatform(), temporaryFolder()]);
  mlflow = await RecordedMlflow.start(estate());
  mlruns = join(folder.path, "mlruns");
  await writeFileStore(mlruns, estate());
});
afterEach(() => {
  mlflow.asked.length = mlflow.sizeError = 0;
  mlflow.authorization = undefined;
  mlflow.store = "mlflow-artifacts:/";
});
afterAll(async () => {
  await platform.remove();
  await mlflow.close();
  await folder.remove();
});

const cli = (args: string[], environment: Record<string, string> = {}): Promise<CliOutcome> =>
  runCli(["import-mlflow", ...args], { ML_URL: platform.url, ...environment });

interface Report {
  changed: boolean;
  models: { mlflow: string; model: string; registered: boolean; versions: object[]; notes: string[] }[];
}

async function report(args: string[], environment: Record<string, string> = {}): Promise<Report> {
  const { code, stdout, stderr } = await cli([...args, "--json"], environment);
  if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

type Names = [price: string, load: string];

/** What an import of the estate says, by MLflow's numbers. */
function expected(result: "IMPORTED" | "UNCHANGED", [price, load]: Names = ["power-price", "load"]) {
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

describe("a tracking server", () => {
  const renamed = (name: string) => [
    "--rename",
    `Power Price=${name}-price`,
    "--rename",
    `load=${name}-load`,
  ];

  test("comes as its folder does, over all pages, and a second run changes nothing", async () => {
    const args = ["--tracking-uri", mlflow.url, ...renamed("served")];
    const names: Names = ["served-price", "served-load"];
    expect((await report(args)).models).toMatchObject(expected("IMPORTED", names));
    expect(await prediction("served-price")).toEqual([[19, 32]]);
    const { version } = await kept("served-price", 1);
    const fromFolder = await kept("power-price", 1);
    const isAddress = ({ name }: { name?: string }) => name === "mlflow.source";
    const sorted = (entries: object[]) =>
      entries
        .filter((entry) => !isAddress(entry))
        .map((entry) => JSON.stringify(entry))
        .sort();
    expect(sorted(version.parameters)).toEqual(sorted(fromFolder.version.parameters));
    expect(version.metrics).toEqual(fromFolder.version.metrics);
    expect(await report(args)).toMatchObject({ changed: false, models: expected("UNCHANGED", names) });
  });

  test("what came from the folder is known again, and not fetched", async () => {
    const args = ["--model", "load"];
    const { changed, models } = await report(args, { ML_MLFLOW_TRACKING_URI: mlflow.url });
    expect(changed).toBe(false);
    expect(models).toMatchObject([expected("UNCHANGED")[1]]);
    expect(mlflow.asked.filter((path) => path.includes("model.onnx"))).toEqual([]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["a token", { MLFLOW_TRACKING_TOKEN: "t0" }, "Bearer t0"],
    [
      "a user, who wins over a token",
      { MLFLOW_TRACKING_TOKEN: "t0", MLFLOW_TRACKING_USERNAME: "quant", MLFLOW_TRACKING_PASSWORD: "pw" },
      `Basic ${Buffer.from("quant:pw").toString("base64")}`,
    ],
  ])("is read with %s", async (_name, environment, header) => {
    mlflow.authorization = header;
    const args = ["--tracking-uri", mlflow.url, "--dry-run", ...renamed("never")];
    const refused = await cli(args);
    expect(refused.stderr).toMatch(/UNAUTHENTICATED: .* set MLFLOW_TRACKING_TOKEN/);
    expect(refused.code).toBe(1);
    expect((await report(args, environment)).models).toHaveLength(2);
  });

  test("files on the server's own disk come through it; what it does not reach is named", async () => {
    const args = (name: string) => [
      "--tracking-uri",
      mlflow.url,
      "--model",
      "load",
      "--rename",
      `load=${name}`,
    ];
    mlflow.store = "file:///srv/mlruns/";
    expect((await report(args("own-disk"))).models).toMatchObject([
      { registered: true, versions: [{ result: "NOT_ONNX" }, { result: "IMPORTED", stage: "PRODUCTION" }] },
    ]);
    mlflow.store = "s3://quant-models/";
    const { code, stdout } = await cli(args("elsewhere"));
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /load 2: its files are at s3:\/\/quant-models\/0\/\w+\/artifacts\/model, and .*`mlflow artifacts download/,
    );
    expect(stdout).toContain("2 failed; nothing was changed");
  });

  test("a file of another size than listed is not taken", async () => {
    mlflow.sizeError = 1;
    const { code, stdout } = await cli([
      "--tracking-uri",
      mlflow.url,
      "--model",
      "load",
      "--rename",
      "load=sizes",
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/load 2: MLmodel has \d+ bytes instead of the \d+ that MLflow lists/);
  });
});

describe("a run that was killed", () => {
  test.each<[string, Fault, "requests" | "answered"]>([
    ["before its bytes had come", { kind: "stall" }, "requests"],
    ["when its bytes had come", { kind: "withhold-answer" }, "answered"],
  ])("%s goes on with the version that it had announced", async (name, fault, reached) => {
    const proxy = await startFaultProxy(platform.url);
    try {
      proxy.inject(fault, { method: "PUT" });
      const model = name.replaceAll(" ", "-");
      const args = ["import-mlflow", "--directory", mlruns, "--model", "load", "--rename", `load=${model}`];
      const child = spawn(process.execPath, [CLI, ...args, "--url", proxy.endpoint], { stdio: "ignore" });
      await until(() => proxy[reached].some((request) => request.startsWith("PUT")), 60_000);
      child.kill("SIGKILL");
      await once(child, "exit");
      expect((await report(args.slice(1))).models).toMatchObject([
        { registered: false, versions: [{}, { result: "IMPORTED", number: 1, stage: "PRODUCTION" }] },
      ]);
      const { model: found } = await platform.query<{ model: object }>(
        "query ($model: String!) { model(name: $model) { versions { totalCount } } }",
        { model },
      );
      expect(found).toEqual({ versions: { totalCount: 1 } });
    } finally {
      await proxy.close();
    }
  });
});

test("waits when the points of a minute are used up", async () => {
  const limited = { code: "RATE_LIMITED", retryAfterSeconds: 1 };
  let left = 1;
  const gateway = createServer((request, response) => {
    const reply = async () => {
      const body = Buffer.concat(await request.toArray());
      if (left-- > 0) return JSON.stringify({ errors: [{ message: "too much", extensions: limited }] });
      const headers = { "content-type": "application/json" };
      return (await fetch(`${platform.url}/graphql`, { method: "POST", headers, body })).text();
    };
    reply().then(
      (text) => response.end(text),
      () => response.destroy(),
    );
  });
  await once(gateway.listen(0, "127.0.0.1"), "listening");
  try {
    const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
    const { code, stderr } = await cli(["--directory", mlruns, "--model", "load"], { ML_URL: url });
    expect(stderr).toContain("going on in 1 s");
    expect(code).toBe(0);
    expect(left).toBeLessThan(0);
  } finally {
    gateway.close();
  }
});

test.each<[string, string[], number, RegExp]>([
  ["neither server nor folder", [], 2, /--tracking-uri \(or ML_MLFLOW_TRACKING_URI\)/],
  ["both", ["--directory", ".", "--tracking-uri", "http://x"], 2, /name one of them/],
  ["a server that is no URL", ["--tracking-uri", "databricks"], 2, /no http or https URL/],
  ["no server", ["--tracking-uri", "http://127.0.0.1:9"], 1, /UNREACHABLE: no MLflow server answers/],
  ["no such folder", ["--directory", "/nowhere"], 2, /there is no folder \/nowhere/],
])("%s is refused", async (_name, args, code, reason) => {
  const outcome = await cli(args);
  expect(outcome.stderr).toMatch(reason);
  expect(outcome.code).toBe(code);
});

test("names that two models would share, and models of another kind, are refused", async () => {
  const shared = await cli(["--directory", mlruns, "--rename", "load=power-price"]);
  expect(shared.stderr).toMatch(/"Power Price" and "load" would both be "power-price"/);
  expect(shared.code).toBe(2);
  await platform.query(
    'mutation { registerModel(input: { name: "taken", kind: CURVE_FORECASTER }) { model { id } } }',
  );
  const taken = await cli(["--directory", mlruns, "--model", "load", "--rename", "load=taken"]);
  expect(taken.stdout).toMatch(/load 2: taken is a CURVE_FORECASTER model here; .*--rename/);
  expect(taken.code).toBe(1);
});

const python = process.env.MLFLOW_PYTHON;
const withMlflow = python === undefined ? test.skip : test;
withMlflow(
  `MLflow's own server${python === undefined ? " (skipped: MLFLOW_PYTHON names no python with mlflow)" : ""}`,
  async () => {
    const data = join(folder.path, "mlflow");
    await mkdir(data);
    const real = await startMlflow(python!, data, estate());
    try {
      const args = [
        "--tracking-uri",
        real.url,
        "--rename",
        "Power Price=real-price",
        "--rename",
        "load=real-load",
      ];
      const names: Names = ["real-price", "real-load"];
      expect((await report(args)).models).toMatchObject(expected("IMPORTED", names));
      expect(await prediction("real-price")).toEqual([[19, 32]]);
      expect((await kept("real-price", 1)).version.metrics).toEqual([{ name: "rmse", value: 3.25 }]);
      expect(await report(args)).toMatchObject({ changed: false, models: expected("UNCHANGED", names) });
    } finally {
      await real.close();
    }
  },
  300_000,
);
