import onnxProto from "onnx-proto";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { OnnxGraph, OnnxType } from "../../../src/shared/onnx-graph.js";

function scaledSum(): OnnxGraph {
  const graph = new OnnxGraph("scaled_sum");
  const x = graph.input("x", OnnxType.FLOAT32, ["N", 3]);
  const scaled = graph.node("Mul", [x, graph.float32([3], [1, 2, -3])]);
  graph.node("ReduceSum", [scaled, graph.int64([1], [-1])], { keepdims: { int: 0 } }, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N"]);
  graph.metadata("purpose", "test");
  return graph;
}

test("a runtime loads and runs what was written", async () => {
  const session = await InferenceSession.create(scaledSum().encode());
  const x = new Tensor("float32", Float32Array.of(1, 1, 1, 2, 0, 1), [2, 3]);
  const { y } = await session.run({ x });
  expect([...(y!.data as Float32Array)]).toEqual([0, -1]);
  await session.release();
});

test("another reader of the format sees the same model", () => {
  const model = onnxProto.onnx.ModelProto.decode(scaledSum().encode());
  expect(Number(model.irVersion)).toBe(8);
  expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([
    ["", 17],
    ["ai.onnx.ml", 3],
  ]);
  expect(model.metadataProps).toMatchObject([{ key: "purpose", value: "test" }]);
  expect(model.graph!.name).toBe("scaled_sum");
  expect(model.graph!.node!.map(({ opType }) => opType)).toEqual(["Mul", "ReduceSum"]);
  const [batch, width] = model.graph!.input![0]!.type!.tensorType!.shape!.dim!;
  expect(batch!.dimParam).toBe("N");
  expect(Number(width!.dimValue)).toBe(3);
});

test("every kind of attribute arrives with its value", () => {
  const graph = new OnnxGraph("attributes");
  graph.node("Custom", ["a"], {
    int: { int: -5 },
    float: { float: 0.5 },
    string: { string: "naïve" },
    ints: { ints: [1, -2, 300] },
    floats: { floats: [1.5, -2.5] },
    strings: { strings: ["a", "b"] },
  });
  const attributes = onnxProto.onnx.ModelProto.decode(graph.encode()).graph!.node![0]!.attribute!;
  const byName = Object.fromEntries(attributes.map((each) => [each.name, each]));
  expect(Number(byName["int"]!.i)).toBe(-5);
  expect(byName["float"]!.f).toBe(0.5);
  expect(Buffer.from(byName["string"]!.s!).toString("utf8")).toBe("naïve");
  expect(byName["ints"]!.ints!.map(Number)).toEqual([1, -2, 300]);
  expect(byName["floats"]!.floats).toEqual([1.5, -2.5]);
  expect(byName["strings"]!.strings!.map((each: Uint8Array) => Buffer.from(each).toString())).toEqual([
    "a",
    "b",
  ]);
});

test("the same calls give the same bytes", () => {
  expect(Buffer.compare(scaledSum().encode(), scaledSum().encode())).toBe(0);
});
