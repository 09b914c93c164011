/** How a model that is no ONNX graph becomes one, by MLflow's name of its flavour. The first that fits is told. */
const HINTS: [flavour: string, hint: string][] = [
  [
    "sentence_transformers",
    "optimum-cli export onnx --model FOLDER OUT, then: 254carbon import-embedder OUT",
  ],
  ["transformers", "optimum-cli export onnx --model FOLDER OUT, then register OUT/model.onnx"],
  ["sklearn", "skl2onnx: onnx = skl2onnx.to_onnx(mlflow.sklearn.load_model(URI), X[:1])"],
  ["xgboost", 'onnxmltools: onnx = convert_xgboost(model, [("x", FloatTensorType([None, WIDTH]))])'],
  ["lightgbm", 'onnxmltools: onnx = convert_lightgbm(model, [("x", FloatTensorType([None, WIDTH]))])'],
  ["catboost", 'catboost itself: model.save_model("model.onnx", format="onnx")'],
  ["pytorch", 'torch.onnx.export(mlflow.pytorch.load_model(URI), (example,), "model.onnx")'],
  ["fastai", 'torch.onnx.export(learner.model.eval(), (example,), "model.onnx")'],
  ["keras", "tf2onnx.convert.from_keras(model), or model.export(FILE, format='onnx') of Keras 3"],
  ["tensorflow", "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx"],
  ["paddle", "paddle2onnx --model_dir FOLDER --save_file model.onnx"],
  ["spark", "onnxmltools: onnx = convert_sparkml(model, name, initial_types)"],
  ["h2o", "h2o itself saves XGBoost and GLM as MOJO, which onnxmltools.convert_h2o takes"],
  [
    "python_function",
    "Python code is no graph: export the model that it wraps by that library's own exporter, and do the rest at the caller",
  ],
];

const UNKNOWN = "no exporter is known for it: train it anew here, or in a library that exports ONNX";

/**
 * @param flavours of the MLmodel file; empty where there was none
 * @param loader what python_function loads it by, e.g. mlflow.sklearn
 */
export function exportHint(flavours: readonly string[], loader?: string): string {
  if (flavours.length === 0) {
    return "it has no MLmodel file, and not one .onnx file at its top: register the file you mean by hand";
  }
  const names = new Set([...flavours, loader?.replace(/^mlflow\./, "")]);
  const own = [...names].filter((name) => name !== "python_function");
  const found = HINTS.find(([flavour]) => own.includes(flavour));
  if (found) return found[1];
  // Only the wrapper is left: a model of one's own in Python, or a library without an exporter.
  const isOwnCode = flavours.length === 1 && (loader === undefined || loader.startsWith("mlflow.pyfunc"));
  return isOwnCode ? HINTS.find(([flavour]) => flavour === "python_function")![1] : UNKNOWN;
}
