import { dirname } from "node:path";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelSignature, Tensors, TensorSpec, TensorValue } from "../../ports/inference-runtime.js";
import { InvalidInputError } from "../../shared/errors.js";
import { UnservableGraphError } from "../../shared/unservable-graph-error.js";
import { runtimeMessage } from "./runtime-message.js";
import { graphType, runtimeTypes } from "./tensor-types.js";
import { smallestInputs } from "./trial-inputs.js";

// Whatever matters is thrown as well; the log would only repeat it on stderr.
env.logLevel = "fatal";

export interface SessionSettings {
  /** Execution providers in order of preference, e.g. ["cuda", "cpu"]. */
  providers: readonly string[];
}

/** One onnxruntime session, single-threaded, in terms of the port's tensors. */
export class GraphSession {
  private constructor(
    /** The execution provider that was preferred among those to be had. */
    readonly provider: string,
    private readonly session: InferenceSession,
    private readonly folder: string,
    /** As the file declares it; onnxruntime does not check the declared shapes of outputs. */
    readonly declared: ModelSignature,
  ) {}

  /**
   * Blocks the calling thread while it loads.
   * @throws {UnservableGraphError} for a file that onnxruntime refuses, or inputs and outputs that are no tensors
   */
  static async load(path: string, settings: SessionSettings): Promise<GraphSession> {
    const folder = dirname(path);
    const { session, provider } = await createSession(path, settings.providers).catch((error: unknown) => {
      throw new UnservableGraphError(`onnxruntime refuses the graph: ${runtimeMessage(error, folder)}`, {
        cause: error,
      });
    });
    return new GraphSession(provider, session, folder, {
      inputs: session.inputMetadata.map((metadata) => toSpec("input", metadata)),
      outputs: session.outputMetadata.map((metadata) => toSpec("output", metadata)),
    });
  }

  /**
   * Computes on the calling thread, one turn of the event loop later.
   * @throws {InvalidInputError} when the graph refuses the values
   */
  async run(inputs: Tensors, outputs?: readonly string[]): Promise<Tensors> {
    const feeds: Record<string, Tensor> = {};
    for (const name in inputs) feeds[name] = toRuntimeTensor(inputs[name]!);
    const fetches = outputs ?? this.session.outputNames;
    try {
      const results = await this.session.run(feeds, fetches, { logSeverityLevel: 4 });
      const values: Tensors = {};
      for (const name of fetches) values[name] = fromRuntimeTensor(results[name]!);
      return values;
    } catch (error) {
      throw new InvalidInputError(`The model refused the inputs: ${runtimeMessage(error, this.folder)}`, {
        cause: error,
      });
    }
  }

  /** Runs the smallest inputs, whether the graph likes them or not: a first run is slower than the rest. */
  async warm(): Promise<void> {
    const inputs = smallestInputs(this.declared.inputs);
    if (inputs) await this.run(inputs).catch(() => undefined);
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** A provider whose libraries or device are missing is passed over: a graph that only the CPU takes is still served. */
async function createSession(
  path: string,
  providers: readonly string[],
): Promise<{ session: InferenceSession; provider: string }> {
  const [provider = "cpu", ...others] = providers;
  try {
    const session = await InferenceSession.create(path, {
      executionProviders: [...providers],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      logSeverityLevel: 4,
    });
    return { session, provider };
  } catch (error) {
    if (others.length === 0) throw error;
    return createSession(path, others);
  }
}

function toSpec(role: "input" | "output", metadata: InferenceSession.ValueMetadata): TensorSpec {
  if (!metadata.isTensor) {
    throw new UnservableGraphError(
      `The ${role} "${metadata.name}" is a sequence, map, optional or sparse tensor; only dense tensors are served`,
    );
  }
  // As a key of a JavaScript object this one name does not behave.
  if (metadata.name === "__proto__") throw new UnservableGraphError(`An ${role} cannot be named "__proto__"`);
  const type = graphType(metadata.type);
  if (!type) {
    throw new UnservableGraphError(
      `The ${role} "${metadata.name}" is of type ${metadata.type}, which is not served`,
    );
  }
  const shape = metadata.shape.map((size) => (typeof size === "number" ? size : null));
  return { name: metadata.name, type, shape };
}

function toRuntimeTensor(value: TensorValue): Tensor {
  return new Tensor(runtimeTypes[value.type], value.data as Float32Array, value.shape);
}

function fromRuntimeTensor(tensor: Tensor): TensorValue {
  const type = graphType(tensor.type)!;
  let data = tensor.data as TensorValue["data"];
  // Node 24 answers with Float16Array, older ones with the bits.
  if (type === "FLOAT16" && !(data instanceof Uint16Array)) {
    const halves = data as unknown as Float32Array;
    data = new Uint16Array(halves.buffer, halves.byteOffset, halves.length);
  }
  return { type, shape: [...tensor.dims], data };
}
