import onnxProto from "onnx-proto";
import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";
import { uploadEmbedder } from "../support/embedders.js";
import type { EmbedderUpload } from "../support/embedders.js";
import { encoder, tinyShape, withExternalData } from "../support/encoder-models.js";
import { linearModel } from "../support/onnx-models.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { announce, announcementOf, register } from "../support/registry.js";
import {
  bytePairTokenizer,
  json,
  smallVocabulary,
  unigramTokenizer,
  wordPieceTokenizer,
} from "../support/tokenizers.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

const usual = { pooling: "MEAN", normalize: true, queryPrefix: "", passagePrefix: "" };

describe("an encoder is taken as it is", () => {
  const accepted: [string, EmbedderUpload, object][] = [
    ["as most are", {}, { ...usual, maxTokens: 128, dimensions: 32 }],
    [
      "without token types, with positions, ids of 32 bits",
      { graph: encoder(tinyShape, { inputs: ["attention_mask", "position_ids"], idType: "INT32" }) },
      { maxTokens: 128 },
    ],
    ["without a mask", { graph: encoder(tinyShape, { inputs: [] }) }, { dimensions: 32 }],
    [
      "pooled by itself",
      { graph: encoder(tinyShape, { outputs: ["sentence_embedding"] }), embedder: { pooling: "NONE" } },
      { pooling: "NONE", dimensions: 32 },
    ],
    [
      "pooled by itself, without a word on it",
      { graph: encoder(tinyShape, { outputs: ["sentence_embedding"] }) },
      { pooling: "NONE" },
    ],
    [
      "with both outputs, the vectors of tokens wanted",
      {
        graph: encoder(tinyShape, { outputs: ["sentence_embedding", "token_embeddings"] }),
        embedder: { pooling: "CLS", normalize: false },
      },
      { pooling: "CLS", normalize: false, dimensions: 32 },
    ],
    ["float16", { graph: encoder(tinyShape, { weights: "float16" }) }, { dimensions: 32 }],
    ["int8", { graph: encoder(tinyShape, { weights: "int8" }) }, { dimensions: 32 }],
    ["int8, fused operators", { graph: encoder(tinyShape, { weights: "fusedInt8" }) }, { dimensions: 32 }],
    [
      "of a width that it does not declare",
      { graph: encoder(tinyShape, { undeclaredWidth: true }), embedder: { pooling: "LAST" } },
      { pooling: "LAST", dimensions: 32 },
    ],
    [
      "with prefixes, cut to fewer tokens and dimensions",
      {
        embedder: { queryPrefix: "query: ", passagePrefix: "passage: ", maxTokens: 100, dimensions: 16 },
      },
      { queryPrefix: "query: ", passagePrefix: "passage: ", maxTokens: 100, dimensions: 16 },
    ],
    [
      "with the length of its tokenizer",
      { tokenizer: wordPieceTokenizer(undefined, { maxLength: 90 }) },
      { maxTokens: 90 },
    ],
    ["with a tokenizer of XLM-RoBERTa's kind", { tokenizer: unigramTokenizer() }, { maxTokens: 128 }],
    [
      "with a tokenizer of RoBERTa's kind",
      { graph: encoder({ ...tinyShape, vocabulary: 262 }), tokenizer: bytePairTokenizer() },
      { maxTokens: 128 },
    ],
    [
      "without a limit of length, up to the usual one",
      { graph: encoder({ ...tinyShape, positions: null }) },
      { maxTokens: 512 },
    ],
    [
      "without a limit of length, up to the one asked for",
      { graph: encoder({ ...tinyShape, positions: null }), embedder: { maxTokens: 1000 } },
      { maxTokens: 1000 },
    ],
    [
      "with an explicit null for each option",
      { embedder: { normalize: null, queryPrefix: null, maxTokens: null, dimensions: null } },
      { ...usual, maxTokens: 128 },
    ],
  ];
  test.each(accepted)("%s", async (name, upload, expected) => {
    const version = await uploadEmbedder(platform, modelOf(name), upload);
    expect(version).toMatchObject({ status: "READY", rejection: null, embedder: expected });
  });

  test("with its weights in a file beside it", async () => {
    const { graph, data } = withExternalData(encoder());
    const version = await uploadEmbedder(platform, "external", { graph, files: { "model.onnx_data": data } });
    expect(version).toMatchObject({ status: "READY", embedder: { dimensions: 32 } });
  });
});

/** A graph whose "vectors" are as wide as the text is long. */
function varyingWidth(): Uint8Array {
  const graph = new OnnxGraph("varying");
  const ids = graph.input("input_ids", OnnxType.INT64, ["N", "T"]);
  const values = graph.node("Unsqueeze", [
    graph.node("Cast", [ids], { to: { int: OnnxType.FLOAT32 } }),
    graph.int64([1], [1]),
  ]);
  const spread = graph.node("Transpose", [values], { perm: { ints: [0, 2, 1] } });
  graph.node("Mul", [spread, values], {}, { outputs: ["last_hidden_state"] });
  graph.output("last_hidden_state", OnnxType.FLOAT32, ["N", "T", "W"]);
  return graph.encode();
}

/** The vectors of tokens as `change` of their ids, [N, T, 4]. */
function simpleEncoder(change: (graph: OnnxGraph, values: string) => string): Uint8Array {
  const graph = new OnnxGraph("simple");
  const ids = graph.input("input_ids", OnnxType.INT64, ["N", "T"]);
  const values = graph.node("Unsqueeze", [
    graph.node("Cast", [ids], { to: { int: OnnxType.FLOAT32 } }),
    graph.int64([1], [-1]),
  ]);
  const four = graph.node("Mul", [values, graph.float32([4], [1, 2, 3, 4])]);
  graph.node("Identity", [change(graph, four)], {}, { outputs: ["last_hidden_state"] });
  graph.output("last_hidden_state", OnnxType.FLOAT32, ["N", "T", 4]);
  return graph.encode();
}

/** The encoder with its first input renamed or given a shape of its own. */
function changedInput(change: { name?: string; fixed?: number }): Uint8Array {
  const model = onnxProto.onnx.ModelProto.decode(encoder());
  const input = model.graph!.input!.find(({ name }) => name === "token_type_ids")!;
  if (change.name !== undefined) {
    for (const node of model.graph!.node!) {
      node.input = node.input!.map((name) => (name === "token_type_ids" ? change.name! : name));
    }
    input.name = change.name;
  }
  if (change.fixed !== undefined) {
    input.type!.tensorType!.shape!.dim![1] = onnxProto.onnx.TensorShapeProto.Dimension.create({
      dimValue: change.fixed,
    });
  }
  return onnxProto.onnx.ModelProto.encode(model).finish();
}

/** The tokenizer with a part of it changed. */
function changedTokenizer(change: (file: Record<string, never>) => object): Uint8Array {
  return json(change(JSON.parse(new TextDecoder().decode(wordPieceTokenizer())) as Record<string, never>));
}

describe("an encoder or tokenizer that cannot serve is rejected with the reason", () => {
  const rejected: [string, EmbedderUpload, RegExp][] = [
    [
      "a tokenizer that is not JSON",
      { tokenizer: new TextEncoder().encode("{") },
      /^tokenizer.json is not JSON/,
    ],
    ["a tokenizer that is some JSON", { tokenizer: json([1, 2]) }, /not a Hugging Face tokenizer/],
    [
      "a tokenizer of an unknown kind",
      {
        tokenizer: changedTokenizer((file) => ({
          ...file,
          model: { type: "WordLevel", vocab: { a: 0 }, unk_token: "a" },
        })),
      },
      /of the kind WordLevel; WordPiece, BPE, Unigram are read/,
    ],
    [
      "an unknown step of a tokenizer",
      { tokenizer: changedTokenizer((file) => ({ ...file, pre_tokenizer: { type: "UnicodeScripts" } })) },
      /UnicodeScripts/,
    ],
    [
      "a tokenizer with a step that would be done otherwise",
      {
        tokenizer: changedTokenizer((file) => ({
          ...file,
          pre_tokenizer: {
            type: "Split",
            pattern: { String: "-" },
            behavior: "MergedWithNext",
            invert: false,
          },
        })),
      },
      /Split with behavior MergedWithNext/,
    ],
    [
      "a tokenizer without a token for what it does not know",
      {
        tokenizer: wordPieceTokenizer(
          smallVocabulary().map((token) => (token === "[UNK]" ? "unused" : token)),
        ),
      },
      /no id for/,
    ],
    [
      "a vocabulary that is smaller than the tokenizer's",
      { graph: encoder({ ...tinyShape, vocabulary: 150 }) },
      /does not take the id 153 of its tokenizer; the vocabulary of the graph is smaller/,
    ],
    [
      "a graph of another purpose",
      { graph: linearModel() },
      /wants an input "x"; a text encoder takes input_ids, /,
    ],
    ["an input that nobody knows", { graph: changedInput({ name: "bbox" }) }, /wants an input "bbox"/],
    [
      "an input of fixed length",
      { graph: changedInput({ fixed: 64 }) },
      /token_type_ids INT64 \[\?, 64\] must be .* dynamic axes/,
    ],
    [
      "MEAN of a graph that has pooled",
      { graph: encoder(tinyShape, { outputs: ["sentence_embedding"] }), embedder: { pooling: "MEAN" } },
      /pooling MEAN wants one vector for each token.*sentence_embedding FLOAT32 \[\?, 32\]/i,
    ],
    [
      "NONE of a graph that has not",
      { embedder: { pooling: "NONE" } },
      /pooling NONE wants one vector for each text/i,
    ],
    ["a dimension that varies with the text", { graph: varyingWidth() }, /no fixed dimension/],
    [
      "more dimensions than the graph has",
      { embedder: { dimensions: 33 } },
      /33 dimensions were asked for; .* have 32/,
    ],
    ["more tokens than the graph takes", { embedder: { maxTokens: 129 } }, /does not take 129 tokens/],
    ["no room beside the special tokens", { embedder: { maxTokens: 2 } }, /no room for text: .* take 2/],
    [
      "no room beside the prefix",
      { embedder: { maxTokens: 5, queryPrefix: "price of gas: " } },
      /no room for text: .* take 6/,
    ],
    [
      "vectors that are not finite",
      { graph: simpleEncoder((graph, values) => graph.node("Log", [graph.node("Neg", [values])])) },
      /last_hidden_state is not finite/,
    ],
    [
      "a graph that answers for one text only",
      {
        graph: simpleEncoder((graph, values) =>
          graph.node("Slice", [values, graph.int64([1], [0]), graph.int64([1], [1])]),
        ),
      },
      /must be \[texts, tokens, width\]; for 2 x/,
    ],
  ];
  test.each(rejected)("%s", async (name, upload, reason) => {
    const version = await uploadEmbedder(platform, modelOf(name), upload);
    expect(version).toMatchObject({ status: "REJECTED", embedder: null });
    expect(version.rejection).toMatch(reason);
  });
});

describe("bad input is refused by the field", () => {
  const graph = announcementOf(encoder());
  const tokenizer = { name: "tokenizer.json", ...announcementOf(wordPieceTokenizer()) };
  const refused: [string, object, string][] = [
    ["no tokenizer", { files: [] }, "input.files"],
    ["no files at all", { files: null }, "input.files"],
    ["a huge tokenizer", { files: [{ ...tokenizer, bytes: 2 ** 27 }] }, "input.files.0.bytes"],
    ["no tokens", { embedder: { maxTokens: 0 } }, "input.embedder.maxTokens"],
    ["too many tokens", { embedder: { maxTokens: 32_769 } }, "input.embedder.maxTokens"],
    ["no dimensions", { embedder: { dimensions: 0 } }, "input.embedder.dimensions"],
    ["too many dimensions", { embedder: { dimensions: 4001 } }, "input.embedder.dimensions"],
    ["a long prefix", { embedder: { queryPrefix: "q".repeat(501) } }, "input.embedder.queryPrefix"],
    [
      "a long prefix of passages",
      { embedder: { passagePrefix: "q".repeat(501) } },
      "input.embedder.passagePrefix",
    ],
    ["a pooling of none of these", { embedder: { pooling: null } }, "input.embedder.pooling"],
  ];
  test.each(refused)("%s", async (_name, input, field) => {
    await register(platform, { name: "refused", kind: "TEXT_EMBEDDER" });
    const request = { model: "refused", ...graph, files: [tokenizer], ...input };
    expect(refusalOf(await announce(platform, request))).toBe(`INVALID_INPUT ${field}`);
  });

  test("options of an embedder for another kind of model; null is no option", async () => {
    await register(platform, { name: "tensor", kind: "TENSOR" });
    const request = { model: "tensor", ...announcementOf(linearModel()) };
    expect(refusalOf(await announce(platform, { ...request, embedder: { pooling: "NONE" } }))).toBe(
      "INVALID_INPUT input.embedder",
    );
    expect((await announce(platform, { ...request, embedder: null })).errors).toBeUndefined();
  });
});

function modelOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 64);
}
