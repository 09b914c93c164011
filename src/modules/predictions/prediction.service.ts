import { randomUUID } from "node:crypto";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import { inSpan } from "../../telemetry/tracing.js";
import { assertGranted } from "../identity/index.js";
import type { ModelVersionRow, ServedVersions, VersionSelector } from "../models/index.js";
import type { InferenceLog } from "./inference-log.js";
import { checkOutputs, decodeInputs, encodeTensor } from "./tensor-codec.rules.js";
import type { EncodedTensor, TensorInput } from "./tensor-codec.rules.js";
import type { TensorLimits } from "./tensor-shape.rules.js";
import { WaitingCall } from "./waiting-call.js";
import type { Asker } from "./waiting-call.js";

export interface PredictRequest {
  model: string;
  version?: VersionSelector | null;
  inputs: readonly TensorInput[];
  outputs?: readonly string[] | null;
  encoding?: "VALUES" | "BASE64" | null;
}

export interface PredictionValue {
  id: string;
  versionId: string;
  /** Null when it is read back and was too big to keep. */
  outputs: EncodedTensor[] | null;
  at: Date;
  /** Known when it was made just now. */
  version?: ModelVersionRow;
}

/** Serves any ONNX model: tensors in, tensors out. */
export class PredictionService {
  constructor(
    private readonly served: ServedVersions,
    private readonly runtime: InferenceRuntime,
    private readonly log: InferenceLog,
    private readonly limits: TensorLimits,
  ) {}

  async predict(request: PredictRequest, asker: Asker): Promise<PredictionValue> {
    const began = performance.now();
    assertGranted(asker.caller, "model:predict", { model: request.model });
    const { model, version, signature, source } = await this.served.resolve(request.model, request.version);
    const stage = request.version?.number == null ? (request.version?.stage ?? "PRODUCTION") : version.stage;
    assertGranted(asker.caller, "model:predict", { model: model.name, stage });
    const inputs = decodeInputs(signature, request.inputs, "input.inputs", this.limits);
    const wanted = checkOutputs(signature, request.outputs, "input.outputs");
    const tensors = await inSpan("inference", { model: request.model, version: version.number }, () =>
      this.runtime.run(source, inputs, new WaitingCall(asker, wanted)),
    );
    const names = wanted ?? signature.outputs.map(({ name }) => name);
    const outputs = names.map((name) => encodeTensor(name, tensors[name]!, request.encoding ?? "VALUES"));
    const prediction = { id: randomUUID(), versionId: version.id, version, outputs, at: new Date() };
    await this.log.append({
      id: prediction.id,
      kind: "PREDICTION",
      versionId: version.id,
      caller: asker.caller.subject,
      at: prediction.at,
      latencyMs: performance.now() - began,
      inputs: request.inputs,
      outputs,
    });
    return prediction;
  }

  /** A prediction of the past. */
  async find(id: string): Promise<PredictionValue | undefined> {
    const record = await this.log.find(id, "PREDICTION");
    if (!record) return undefined;
    const { versionId, at } = record;
    return { id, versionId, outputs: record.outputs as EncodedTensor[] | null, at };
  }
}
