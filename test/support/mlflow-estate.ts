import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { externalWeights, linearModel } from "./onnx-models.js";

export interface LoggedVersion {
  model: string;
  number: number;
  /** Given by MLflow where it keeps runs itself. */
  runId: string;
  createdAt: number;
  stage: "None" | "Staging" | "Production" | "Archived";
  tags: Record<string, string>;
  /** Of its artifact, by path. */
  files: Record<string, Uint8Array>;
}

export interface RegisteredModel {
  name: string;
  description: string;
  tags: Record<string, string>;
  aliases: Record<string, number>;
  versions: LoggedVersion[];
}

/** What each run of the estate logged: of a metric all points, by step. */
export const LOGGED = {
  params: { trees: "200", "opt/lr": "0.1" } as Record<string, string>,
  metrics: { rmse: [4.5, 3.25], "val/mae": [NaN] } as Record<string, number[]>,
  tags: { desk: "power", "mlflow.user": "quant" } as Record<string, string>,
};

const text = (content: string) => new TextEncoder().encode(content);

/** As MLflow writes it for a flavour. */
function mlmodel(...flavours: string[]): Uint8Array {
  return text(
    ["artifact_path: model", "flavors:", ...flavours, "mlflow_version: 2.22.5", "model_uuid: 12e4", ""].join(
      "\n",
    ),
  );
}

const ONNX = mlmodel(
  "  onnx:\n    code: null\n    data: model.onnx\n    onnx_version: 1.23.2\n    providers:\n    - CPUExecutionProvider",
  "  python_function:\n    data: model.onnx\n    loader_module: mlflow.onnx\n    python_version: 3.11.7",
);
const SKLEARN = mlmodel(
  "  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.pkl",
  "  sklearn:\n    pickled_model: model.pkl\n    sklearn_version: 1.5.2",
);
const PYFUNC = mlmodel(
  "  python_function:\n    loader_module: mlflow.pyfunc.model\n    python_model: python_model.pkl",
);

const WEIGHTS_FILE = "fc6cec60-ec4b-11f1-b6dd-02fc00000001.data";
const WEIGHTS = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);

const onnx = { MLmodel: ONNX, "conda.yaml": text("name: mlflow-env\n"), "model.onnx": linearModel() };
const withData = { MLmodel: ONNX, "model.onnx": externalWeights(WEIGHTS_FILE), [WEIGHTS_FILE]: WEIGHTS };

function version(
  model: string,
  number: number,
  stage: LoggedVersion["stage"],
  files: LoggedVersion["files"],
  tags: Record<string, string> = {},
): LoggedVersion {
  const runId = createHash("md5").update(`${model} ${number}`).digest("hex");
  return { model, number, runId, createdAt: 1_760_000_000_000 + number * 1000, stage, tags, files };
}

/** Two registered models: by stages and by aliases, ONNX and other flavours, weights in the graph and beside it. */
export function estate(): RegisteredModel[] {
  return [
    {
      ...{ name: "Power Price", description: "Day-ahead prices", tags: { team: "power" }, aliases: {} },
      versions: [
        version("Power Price", 1, "Archived", onnx, { note: "first" }),
        version("Power Price", 2, "Production", withData),
        version("Power Price", 3, "None", { MLmodel: SKLEARN, "model.pkl": text("pickle") }),
        version("Power Price", 4, "Staging", onnx),
      ],
    },
    {
      ...{ name: "load", description: "", tags: {}, aliases: { blue: 1, champion: 2 } },
      versions: [
        version("load", 1, "None", { MLmodel: PYFUNC, "python_model.pkl": text("pickle") }),
        version("load", 2, "None", onnx),
      ],
    },
  ];
}

/** Writes an estate as MLflow's file store does; the addresses in it are those of another machine. */
export async function writeFileStore(mlruns: string, models: readonly RegisteredModel[]): Promise<void> {
  for (const { name, description, tags, aliases, versions } of models) {
    const folder = join(mlruns, "models", name);
    await write(folder, "meta.yaml", yaml({ aliases: "{}", creation_timestamp: 1, description, name }));
    await writeAll(join(folder, "tags"), tags);
    await writeAll(join(folder, "aliases"), aliases);
    for (const { number, stage, runId, createdAt, files, tags: own } of versions) {
      const source = `file:///home/quant/mlruns/0/${runId}/artifacts/model`;
      const meta = { creation_timestamp: createdAt, current_stage: stage, description: "null", name };
      const more = { run_id: runId, source, status: "READY", storage_location: source, version: number };
      await write(join(folder, `version-${number}`), "meta.yaml", yaml({ ...meta, ...more }));
      await writeAll(join(folder, `version-${number}`, "tags"), own);
      const run = join(mlruns, "0", runId);
      await writeAll(join(run, "params"), LOGGED.params);
      await writeAll(join(run, "tags"), LOGGED.tags);
      for (const [metric, points] of Object.entries(LOGGED.metrics)) {
        const lines = points.map(
          (value, step) => `${createdAt} ${Number.isNaN(value) ? "nan" : value} ${step}`,
        );
        await write(join(run, "metrics"), metric, `${lines.reverse().join("\n")}\n`);
      }
      for (const [path, content] of Object.entries(files))
        await write(join(run, "artifacts/model"), path, content);
    }
  }
}

function yaml(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${value === "" ? "''" : value}\n`)
    .join("");
}

async function writeAll(folder: string, entries: Record<string, string | number>): Promise<void> {
  for (const [name, value] of Object.entries(entries)) await write(folder, name, String(value));
}

async function write(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
