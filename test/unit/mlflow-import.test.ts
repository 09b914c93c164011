import { carriedFacts } from "../../src/cli/mlflow/carried-facts.js";
import { exportHint } from "../../src/cli/mlflow/export-hints.js";
import type { MlflowVersion } from "../../src/cli/mlflow/mlflow-estate.js";
import { planStages, USUAL_ALIASES } from "../../src/cli/mlflow/stage-plan.js";

function version(number: number, more: Partial<MlflowVersion> = {}): MlflowVersion {
  return {
    ...{
      model: "price",
      number,
      createdAt: 0,
      stage: "None",
      aliases: [],
      tags: [],
      source: "runs:/x/model",
    },
    ...more,
  };
}

function planned(versions: MlflowVersion[], aliases = USUAL_ALIASES): Record<number, string> {
  const plan = planStages(versions, aliases);
  return Object.fromEntries([...plan].map(([number, { stage }]) => [number, stage]));
}

test("of several versions in a stage that holds one, the newest stays", () => {
  const versions = [
    version(1, { stage: "Production" }),
    version(2, { stage: "Production" }),
    version(3, { stage: "Staging" }),
    version(4, { stage: "Staging" }),
    version(5, { stage: "Archived" }),
    version(6),
  ];
  expect(planned(versions)).toEqual({
    1: "ARCHIVED",
    2: "PRODUCTION",
    3: "ARCHIVED",
    4: "STAGING",
    5: "ARCHIVED",
  });
});

test("an alias counts where no version has the stage, and as the caller says", () => {
  const byAlias = [version(1, { aliases: ["Champion"] }), version(2, { aliases: ["blue", "challenger"] })];
  expect(planned(byAlias)).toEqual({ 1: "PRODUCTION", 2: "STAGING" });
  expect(planned([...byAlias, version(3, { stage: "Production" })])).toEqual({
    2: "STAGING",
    3: "PRODUCTION",
  });
  const own = new Map([...USUAL_ALIASES, ["champion", "NONE"], ["blue", "PRODUCTION"]] as const);
  expect(planned(byAlias, own)).toEqual({ 2: "PRODUCTION" });
});

test("what is too long or too much for a version is cut or left behind, and told", () => {
  const parameters = Array.from({ length: 300 }, (_, i) => ({ name: `p${i}`, value: "1" }));
  const facts = {
    metrics: [{ name: "rmse", value: Infinity }],
    parameters: [
      { name: "n".repeat(129), value: "1" },
      { name: "mlflow.version", value: "99" },
      ...parameters,
    ],
    tags: [],
  };
  const carried = carriedFacts(version(7, { description: "x".repeat(5000), runId: "r1" }), facts);
  expect(carried.metrics).toEqual([]);
  expect(carried.parameters).toHaveLength(200);
  expect(carried.parameters.filter(({ name }) => name === "mlflow.version")).toEqual([
    { name: "mlflow.version", value: "7" },
  ]);
  expect(carried.parameters.find(({ name }) => name === "mlflow.description")!.value).toHaveLength(4096);
  expect(carried.notes).toEqual([
    "parameter mlflow.description is cut to 4096 characters",
    expect.stringMatching(/^109 parameters are left behind: n{40}, mlflow.version, p194, /),
  ]);
});

test.each<[string[], string | undefined, RegExp]>([
  [["python_function", "sklearn"], "mlflow.sklearn", /skl2onnx/],
  [["python_function"], "mlflow.lightgbm", /onnxmltools.*convert_lightgbm/],
  [["python_function", "xgboost"], undefined, /onnxmltools.*convert_xgboost/],
  [["python_function", "pytorch"], undefined, /torch\.onnx\.export/],
  [["python_function", "transformers", "sentence_transformers"], undefined, /254carbon import-embedder/],
  [["python_function"], "mlflow.pyfunc.model", /Python code is no graph/],
  [["python_function", "prophet"], "mlflow.prophet", /no exporter is known/],
  [[], undefined, /no MLmodel file/],
])("%j by %s is exported as told", (flavours, loader, hint) => {
  expect(exportHint(flavours, loader)).toMatch(hint);
});
