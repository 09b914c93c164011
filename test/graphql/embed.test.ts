import { encoder, tinyShape } from "../support/encoder-models.js";
import type { EncoderVariant } from "../support/encoder-models.js";
import { uploadEmbedder } from "../support/embedders.js";
import type { SettledEmbedder } from "../support/embedders.js";
import { metric } from "../support/metrics.js";
import { linearModel } from "../support/onnx-models.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { RawGraph } from "../support/raw-encoder.js";
import { promote, uploadVersion } from "../support/registry.js";
import { smallVocabulary } from "../support/tokenizers.js";

interface Embedding {
  vector?: number[];
  base64: string;
  tokens: number;
  truncated: boolean;
}

interface EmbedAnswer {
  embed: {
    dimensions: number;
    version: { number: number; model: { name: string } };
    embeddings: Embedding[];
  };
}

const EMBED = `query Embed($input: EmbedInput!) {
  embed(input: $input) { dimensions version { number model { name } } embeddings { base64 tokens truncated } }
}`;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

const ask = (input: object): Promise<Answer<EmbedAnswer>> => platform.ask(EMBED, { input });

async function embed(input: object): Promise<EmbedAnswer["embed"]> {
  return (await platform.query<EmbedAnswer>(EMBED, { input })).embed;
}

function numbersOf({ base64 }: Embedding): number[] {
  const bytes = Buffer.from(base64, "base64");
  return Array.from({ length: bytes.byteLength / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

const vocabulary = smallVocabulary();

/** Ids of a text of known words. */
function idsOf(text: string): number[] {
  return ["[CLS]", ...text.split(" "), "[SEP]"].map((token) => vocabulary.indexOf(token));
}

const words = vocabulary.filter((word) => /^[a-z]{3,}$/.test(word));

/** Texts of known words, of lengths that rise and fall. */
function makeTexts(count: number, longest = 60): string[] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: 1 + ((i * 37) % longest) }, (_, k) => words[(i * 13 + k * 7) % words.length]).join(
      " ",
    ),
  );
}

function scaled(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** One vector of a text, from the numbers of all of its tokens. */
function pooled(numbers: number[], width: number, pooling: string): number[] {
  const tokens = numbers.length / width;
  const at = (token: number) => numbers.slice(token * width, (token + 1) * width);
  if (pooling === "LAST") return at(tokens - 1);
  if (pooling !== "MEAN") return at(0);
  return Array.from({ length: width }, (_, i) => {
    let sum = 0;
    for (let token = 0; token < tokens; token++) sum += numbers[token * width + i]!;
    return sum / tokens;
  });
}

describe("vectors are those of the graph", () => {
  const cases: [
    name: string,
    variant: EncoderVariant,
    embedder: Partial<SettledEmbedder>,
    tolerance: number,
  ][] = [
    ["mean", {}, { pooling: "MEAN" }, 1e-6],
    ["cls", {}, { pooling: "CLS" }, 1e-6],
    ["last", {}, { pooling: "LAST" }, 1e-6],
    ["pooled_by_graph", { outputs: ["sentence_embedding"] }, { pooling: "NONE" }, 1e-6],
    ["no_token_types", { inputs: ["attention_mask"] }, { pooling: "MEAN" }, 1e-6],
    ["no_mask", { inputs: [] }, { pooling: "MEAN" }, 1e-6],
    ["positions", { inputs: ["attention_mask", "position_ids"] }, { pooling: "MEAN" }, 1e-6],
    ["int32_ids", { idType: "INT32" }, { pooling: "MEAN" }, 1e-6],
    ["float16", { weights: "float16" }, { pooling: "MEAN" }, 2e-3],
    ["int8", { weights: "int8" }, { pooling: "MEAN" }, 1e-6],
    ["fused_int8", { weights: "fusedInt8" }, { pooling: "MEAN" }, 1e-6],
    ["few_dimensions", {}, { pooling: "MEAN", dimensions: 7 }, 1e-6],
    ["not_scaled", {}, { pooling: "CLS", normalize: false }, 1e-5],
  ];

  test.each(cases)("%s", async (name, variant, options, tolerance) => {
    const graph = encoder(tinyShape, variant);
    await uploadEmbedder(platform, name, { graph, embedder: options });
    await promote(platform, { model: name, number: 1 });
    const texts = makeTexts(40);
    const { dimensions, version, embeddings } = await embed({ model: name, texts });
    expect(version).toEqual({ number: 1, model: { name } });
    expect(dimensions).toBe(options.dimensions ?? tinyShape.width);
    const raw = await RawGraph.load(graph);
    const output = variant.outputs?.[0] ?? "last_hidden_state";
    for (const [i, text] of texts.entries()) {
      const ids = idsOf(text);
      const { numbers, width } = await raw.run(ids, output);
      const kept = pooled(numbers, width, options.pooling!).slice(0, dimensions);
      const expected = options.normalize === false ? kept : scaled(kept);
      const actual = numbersOf(embeddings[i]!);
      expect(embeddings[i]).toMatchObject({ tokens: ids.length, truncated: false });
      expect(actual).toHaveLength(dimensions);
      const worst = Math.max(...expected.map((value, k) => Math.abs(value - actual[k]!)));
      expect([text, worst < tolerance]).toEqual([text, true]);
    }
  });
});

describe("embed", () => {
  beforeAll(async () => {
    await uploadEmbedder(platform, "notes", {
      graph: encoder(tinyShape, { seed: 7 }),
      embedder: { pooling: "MEAN", queryPrefix: "price of ", maxTokens: 16 },
    });
    await promote(platform, { model: "notes", number: 1 });
  });

  const one = async (input: object): Promise<number[]> => numbersOf((await embed(input)).embeddings[0]!);

  test("vector and base64 tell the same numbers", async () => {
    const { embed: answer } = await platform.query<EmbedAnswer>(
      `{ embed(input: { model: "notes", texts: ["gas prices", "wind"] }) { embeddings { vector base64 } } }`,
    );
    for (const embedding of answer.embeddings) expect(embedding.vector).toEqual(numbersOf(embedding));
  });

  test("the role picks the prefix, PASSAGE unless it is said otherwise", async () => {
    const query = await one({ model: "notes", texts: ["gas"], role: "QUERY" });
    expect(query).toEqual(await one({ model: "notes", texts: ["price of gas"] }));
    expect(await one({ model: "notes", texts: ["gas"], role: null })).not.toEqual(query);
  });

  test("a text that is too long is cut off at the end, and says so", async () => {
    const long = makeTexts(1, 1)[0]!.split(" ").concat(words.slice(0, 30)).join(" ");
    const first = long.split(" ").slice(0, 14).join(" ");
    const { embeddings } = await embed({ model: "notes", texts: [long, first] });
    expect(embeddings.map(({ tokens, truncated }) => [tokens, truncated])).toEqual([[16, true], [16, false]]); // prettier-ignore
    expect(numbersOf(embeddings[0]!)).toEqual(numbersOf(embeddings[1]!));
  });

  test("a text that is too long and may not be cut is refused with its number of tokens", async () => {
    const texts = ["gas", words.slice(0, 30).join(" ")];
    const answer = await ask({ model: "notes", texts, truncate: false });
    expect(refusalOf(answer)).toBe("INVALID_INPUT input.texts.1");
    expect(answer.errors![0]!.message).toContain("32 tokens");
    const fitting = await embed({
      model: "notes",
      texts: ["gas", words.slice(0, 14).join(" ")],
      truncate: false,
    });
    expect(fitting.embeddings.map(({ tokens }) => tokens)).toEqual([3, 16]);
  });

  test("many texts of all lengths, some of them twice, come back in their order", async () => {
    const texts = makeTexts(128, 100).map((text) => `coal ${text}`);
    const { embeddings } = await embed({ model: "mean", texts: [...texts, ...texts.toReversed()] });
    const raw = await RawGraph.load(encoder());
    for (const [i, text] of texts.entries()) {
      const { numbers, width } = await raw.run(idsOf(text), "last_hidden_state");
      const [first] = scaled(pooled(numbers, width, "MEAN"));
      for (const place of [i, 255 - i]) expect(numbersOf(embeddings[place]!)[0]).toBeCloseTo(first!, 5);
    }
  });

  test("what was asked for lately is not computed again", async () => {
    const lookups = (result: string) =>
      metric(platform, "cache_lookups_total", { cache: "embedding", result });
    const computed = () => metric(platform, "embedding_texts_total", { model: "notes" });
    const texts = ["hydro and snow", "coal and heat"];
    const first = await embed({ model: "notes", texts });
    const [hits, misses, before] = [await lookups("hit"), await lookups("miss"), await computed()];
    const again = await embed({ model: "notes", texts: [...texts, "nuclear in france"] });
    expect([await lookups("hit"), await lookups("miss"), await computed()]).toEqual([
      hits + 2,
      misses + 1,
      before + 1,
    ]);
    expect(again.embeddings.slice(0, 2)).toEqual(first.embeddings);
  });

  test("a text that many ask for at once is computed once", async () => {
    const computed = () => metric(platform, "embedding_texts_total", { model: "notes" });
    const before = await computed();
    const vectors = await Promise.all(
      Array.from({ length: 20 }, () => one({ model: "notes", texts: ["allowances in europe"] })),
    );
    expect(new Set(vectors.map(String)).size).toBe(1);
    expect(await computed()).toBe(before + 1);
  });

  test("a version is chosen by number or stage, and answers with its own vectors", async () => {
    await uploadEmbedder(platform, "notes", { graph: encoder(tinyShape, { seed: 8 }) });
    const texts = ["storage is high"];
    const [old, fresh] = [
      await one({ model: "notes", texts }),
      await one({ model: "notes", texts, version: { number: 2 } }),
    ];
    expect(fresh).not.toEqual(old);
    await promote(platform, { model: "notes", number: 2 });
    expect(await one({ model: "notes", texts })).toEqual(fresh);
    expect(await one({ model: "notes", texts, version: { number: 1 } })).toEqual(old);
    await promote(platform, { model: "notes", number: 1 });
  });
});

describe("bad input names what is wrong", () => {
  beforeAll(async () => {
    await uploadVersion(platform, "linear", linearModel());
    await promote(platform, { model: "linear", number: 1 });
    await uploadEmbedder(platform, "waiting", {});
  });

  const texts = (bad: string) => ({ model: "mean", texts: ["gas", bad] });

  test.each([
    ["no texts", { model: "mean", texts: [] }, "INVALID_INPUT input.texts"],
    ["too many texts", { model: "mean", texts: Array<string>(257).fill("gas") }, "INVALID_INPUT input.texts"],
    ["a text that is too long", texts("g".repeat(100_001)), "INVALID_INPUT input.texts.1"],
    ["an empty text", texts(""), "INVALID_INPUT input.texts.1"],
    ["only white space", texts(" \n\t\u3000"), "INVALID_INPUT input.texts.1"],
    ["half a character", texts("gas \ud83d"), "INVALID_INPUT input.texts.1"],
    ["NUL", texts("gas \0"), "INVALID_INPUT input.texts.1"],
    ["a model of another kind", { model: "linear", texts: ["gas"] }, "INVALID_INPUT input.model"],
    ["no such model", { model: "absent", texts: ["gas"] }, "NOT_FOUND input.model"],
    ["nothing in production", { model: "waiting", texts: ["gas"] }, "NOT_FOUND input.version"],
    ["no such version", { model: "mean", version: { number: 9 }, texts: ["gas"] }, "NOT_FOUND input.version"],
  ])("%s", async (_, input, refusal) => {
    expect(refusalOf(await ask(input))).toBe(refusal);
  });

  test("a text as long as may be is answered", async () => {
    const { embeddings } = await embed({
      model: "mean",
      texts: ["gas ".repeat(25_000), "x".repeat(100_000)],
    });
    expect(embeddings[0]).toMatchObject({ tokens: 128, truncated: true });
  });

  test("without a model, several that serve are named", async () => {
    const answer = await ask({ texts: ["gas"] });
    expect(refusalOf(answer)).toBe("INVALID_INPUT input.model");
    expect(answer.errors![0]!.message).toMatch(/\bmean\b.*\bnotes\b/);
    expect(answer.errors![0]!.message).not.toMatch(/\bwaiting\b/);
  });
});

test("without a model, the only embedder that serves answers; cuda is asked for and the CPU does it", async () => {
  const other = await startPlatform({
    environment: {
      ML_INFERENCE_PROVIDERS: "cuda,cpu",
      ML_EMBEDDING_CACHE_BYTES: "0",
      ML_CACHE_REDIS_URL: "",
    },
  });
  try {
    const input = { texts: ["gas prices"] };
    expect(refusalOf(await other.ask(EMBED, { input }))).toBe("INVALID_INPUT input.model");
    await uploadEmbedder(other, "only", {});
    await promote(other, { model: "only", number: 1 });
    for (let i = 0; i < 2; i++) {
      const { embed: answer } = await other.query<EmbedAnswer>(EMBED, { input });
      expect(answer.version.model.name).toBe("only");
    }
    // Nothing is kept.
    expect(await metric(other, "embedding_texts_total", { model: "only" })).toBe(2);
    const said = other.log.filter(({ event }) => event === "inference.provider");
    expect(said).toHaveLength(1);
    const { provider, level } = said[0] as { provider: string; level: string };
    expect(level).toBe(provider === "cuda" ? "info" : "warn");
    expect(await metric(other, "model_inference_provider", { provider })).toBe(1);
  } finally {
    await other.remove();
  }
});
