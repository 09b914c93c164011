import { InferenceSession, Tensor } from "onnxruntime-node";
import { halfToNumber } from "../../src/shared/half-float.js";

/** What a graph answers by plain onnxruntime, for one text at a time and so without padding. */
export class RawGraph {
  private constructor(private readonly session: InferenceSession) {}

  static async load(graph: Uint8Array): Promise<RawGraph> {
    return new RawGraph(await InferenceSession.create(graph, { logSeverityLevel: 4 }));
  }

  /** @returns the output's numbers, and how many of them make a vector */
  async run(ids: readonly number[], output: string): Promise<{ numbers: number[]; width: number }> {
    const values: Record<string, bigint[]> = {
      input_ids: ids.map(BigInt),
      attention_mask: ids.map(() => 1n),
      token_type_ids: ids.map(() => 0n),
      position_ids: ids.map((_, i) => BigInt(i)),
    };
    const feeds: Record<string, Tensor> = {};
    for (const { name, type } of this.session.inputMetadata as readonly { name: string; type?: string }[]) {
      const data = values[name]!;
      const shape = [1, ids.length];
      feeds[name] =
        type === "int32" ? new Tensor("int32", data.map(Number), shape) : new Tensor("int64", data, shape);
    }
    const tensor = (await this.session.run(feeds, [output]))[output]!;
    const numbers =
      tensor.type === "float16"
        ? Array.from(bitsOf(tensor.data as Uint16Array), halfToNumber)
        : Array.from(tensor.data as Float32Array);
    return { numbers, width: tensor.dims.at(-1)! };
  }
}

/** Node 24 answers with a Float16Array. */
function bitsOf(data: Uint16Array): Uint16Array {
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}
