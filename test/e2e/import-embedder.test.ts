import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encoder, tinyShape, withExternalData } from "../support/encoder-models.js";
import { ModelHub } from "../support/model-hub.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { runCli } from "../support/run-cli.js";
import type { CliOutcome } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { json, wordPieceTokenizer } from "../support/tokenizers.js";

let platform: Platform;
let folder: TemporaryFolder;
let hub: ModelHub;

beforeAll(async () => {
  platform = await startPlatform();
  folder = await temporaryFolder();
  hub = await ModelHub.start();
});
afterEach(() => {
  hub.files.clear();
  hub.asked.length = hub.stored.length = hub.cuts.length = 0;
  hub.refusal = hub.claimedDigest = undefined;
});
afterAll(async () => {
  await platform.remove();
  await folder.remove();
  await hub.close();
});

function cli(args: string[], environment: Record<string, string> = {}): Promise<CliOutcome> {
  const hubs = { ML_HUB_URL: hub.url, XDG_CACHE_HOME: join(folder.path, "cache") };
  return runCli(["import-embedder", ...args], { ML_URL: platform.url, ...hubs, ...environment });
}

async function imported(
  args: string[],
  environment: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli([...args, "--json"], environment);
  if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

type Files = Record<string, Uint8Array>;

/** As sentence-transformers writes it, with the graph where its exporter puts it. */
function sentenceTransformers(seed: number): Files {
  const { graph, data } = withExternalData(encoder(tinyShape, { seed }));
  return {
    "config.json": json({ model_type: "bert", max_position_embeddings: 128 }),
    "tokenizer.json": wordPieceTokenizer(undefined, { maxLength: 128 }),
    "tokenizer_config.json": json({ model_max_length: 1e30 }),
    "sentence_bert_config.json": json({ max_seq_length: 64, do_lower_case: false }),
    "modules.json": json([
      { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
      { idx: 2, name: "2", path: "2_Normalize", type: "sentence_transformers.models.Normalize" },
    ]),
    "1_Pooling/config.json": json({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }),
    "config_sentence_transformers.json": json({ prompts: { query: "query: ", document: "passage: " } }),
    "onnx/model.onnx": graph,
    "onnx/model.onnx_data": data,
  };
}

/** As Optimum writes it. */
function optimum(seed: number): Files {
  return {
    "config.json": json({ model_type: "xlm-roberta", max_position_embeddings: 102 }),
    "tokenizer.json": wordPieceTokenizer(),
    "model.onnx": encoder(tinyShape, { seed }),
    "model_quantized.onnx": encoder(tinyShape, { seed, weights: "int8" }),
  };
}

async function saved(name: string, files: Files): Promise<string> {
  const path = join(folder.path, name);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await writeFile(join(path, file), content);
  }
  return path;
}

function offer(repository: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) hub.files.set(`${repository}/${path}`, content);
}

describe("a folder", () => {
  test("is imported as the export says, once", async () => {
    const path = await saved("MiniLM v2", sentenceTransformers(1));
    const expected = {
      ...{ model: "minilm-v2", number: 1, status: "READY", stage: "PRODUCTION" },
      embedder: {
        ...{ pooling: "CLS", normalize: true, maxTokens: 64, dimensions: 32 },
        ...{ queryPrefix: "query: ", passagePrefix: "passage: " },
      },
    };
    expect(await imported([path])).toMatchObject({ ...expected, existed: false, promoted: true });
    expect(await imported([path])).toMatchObject({ ...expected, existed: true, promoted: false });

    const again = await cli([path]);
    expect(again.stdout).toContain("minilm-v2 version 1: was there already, in production");
    expect(again.stdout).toContain("32 dimensions, pooling CLS, normalized, texts up to 64 tokens");
  });

  test("flags win over the export, and other options make another version", async () => {
    const path = await saved("optimum", optimum(2));
    expect(await imported([path, "--model", "flags"])).toMatchObject({
      number: 1,
      embedder: { pooling: "MEAN", maxTokens: 100, queryPrefix: "" },
    });
    const flags = ["--pooling", "last", "--no-normalize", "--max-tokens", "50", "--dimensions", "8"];
    const prefixes = ["--query-prefix", "q: ", "--passage-prefix", "p: ", "--variant", "quantized"];
    expect(await imported([path, "--model", "flags", "--no-promote", ...flags, ...prefixes])).toMatchObject({
      ...{ number: 2, stage: "NONE", promoted: false },
      embedder: {
        ...{ pooling: "LAST", normalize: false, maxTokens: 50, dimensions: 8 },
        ...{ queryPrefix: "q: ", passagePrefix: "p: " },
      },
    });
  });

  test.each<[string, Files, string[], RegExp]>([
    ["no tokenizer", { "model.onnx": encoder() }, [], /NOT_FOUND: the export has no tokenizer.json/],
    ["no graph", { "tokenizer.json": wordPieceTokenizer() }, [], /no onnx\/model.onnx and no model.onnx/],
    [
      "a pooling that is not supported",
      { ...optimum(3), "1_Pooling/config.json": json({ pooling_mode_max_tokens: true }) },
      [],
      /UNSUPPORTED.*pools by pooling_mode_max_tokens; .*--pooling/s,
    ],
    [
      "a setting that is not JSON",
      { ...optimum(3), "config.json": new TextEncoder().encode("{") },
      [],
      /config.json of the export is not a JSON object/,
    ],
    [
      "a path that leads out of the export",
      { ...optimum(3), "modules.json": json([{ type: "x.Pooling", path: "../../etc" }]) },
      [],
      /"..\/..\/etc\/config.json" is no path of a file in the export/,
    ],
    [
      "a rejected graph",
      optimum(3),
      ["--max-tokens", "500"],
      /REJECTED: bad-\d version 1: the graph does not take 500 tokens/,
    ],
  ])("with %s is refused with the reason", async (_name, files, flags, reason) => {
    const path = await saved(`bad-${++bad}`, files);
    const { code, stderr } = await cli([path, ...flags]);
    expect(stderr).toMatch(reason);
    expect(code).toBe(1);
  });
  let bad = 0;
});

describe("the hub", () => {
  test("downloads follow redirects, go on where they were cut, and are kept", async () => {
    offer("acme/encoder-a", sentenceTransformers(10));
    // The first and the third answer are cut; of the second, the rest of the graph, nothing is.
    hub.cuts.push(100, Infinity, 10_000);
    hub.refusal = { status: 503, times: 1 };
    const result = await imported(["acme/encoder-a"], { HF_TOKEN: "hf_secret" });
    expect(result).toMatchObject({ model: "encoder-a", number: 1, stage: "PRODUCTION" });

    const parts = hub.stored.map(({ path, range }) => `${path.split("/").at(-1)} ${range ?? ""}`.trim());
    expect(parts).toEqual([
      ...["model.onnx", "model.onnx bytes=100-"],
      ...["model.onnx_data", "model.onnx_data bytes=10000-"],
    ]);
    expect(hub.asked.every(({ authorization }) => authorization === "Bearer hf_secret")).toBe(true);
    expect(hub.stored.every(({ authorization }) => authorization === undefined)).toBe(true);

    const parameters = await platform.query<{ model: { version: { parameters: object[] } } }>(
      '{ model(name: "encoder-a") { version(number: 1) { parameters { name value } } } }',
    );
    expect(parameters.model.version.parameters).toEqual(
      expect.arrayContaining([
        { name: "source", value: `${hub.url}/acme/encoder-a` },
        { name: "revision", value: "0123456789abcdef0123456789abcdef01234567" },
        { name: "graph", value: "onnx/model.onnx" },
      ]),
    );

    hub.stored.length = 0;
    expect(await imported(["acme/encoder-a"])).toMatchObject({ number: 1, existed: true });
    expect(hub.stored).toEqual([]);
  });

  test("a repository that was renamed is found where it went", async () => {
    offer("moved/encoder-m", optimum(11));
    expect(await imported(["renamed/encoder-m", "--variant", "quantized"])).toMatchObject({
      model: "encoder-m",
      status: "READY",
    });
  });

  test("a download that keeps being cut goes on at the next call", async () => {
    offer("acme/encoder-b", optimum(12));
    hub.cuts.push(1000, 1000, 1000, 1000, 1000);
    const cut = await cli(["acme/encoder-b"]);
    expect(cut.stderr).toMatch(/UNREACHABLE: .*model.onnx could not be had in 5 attempts/);
    expect(cut.code).toBe(1);
    hub.stored.length = 0;
    expect(await imported(["acme/encoder-b"])).toMatchObject({ number: 1 });
    expect(hub.stored).toMatchObject([{ range: "bytes=5000-" }]);
  });

  test("wrong bytes are not kept", async () => {
    offer("acme/encoder-c", optimum(13));
    hub.claimedDigest = "0".repeat(64);
    const wrong = await cli(["acme/encoder-c"]);
    expect(wrong.stderr).toMatch(
      /DIGEST: model.onnx has the SHA-256 \w{64} instead of 0{64}; it was not kept/,
    );
    expect(wrong.code).toBe(1);
    const kept = await readdir(join(folder.path, "cache/254carbon/hub"), { recursive: true });
    expect(kept.filter((file) => file.includes("encoder-c") && file.includes("model.onnx"))).toEqual([]);
    const { model } = await platform.query<{ model: object | null }>('{ model(name: "encoder-c") { name } }');
    expect(model).toBeNull();
  });

  test.each<[string, string[], () => void, number, RegExp]>([
    [
      "more bytes than wanted",
      ["acme/encoder-d", "--max-bytes", "20000"],
      () => offer("acme/encoder-d", optimum(14)),
      1,
      /TOO_LARGE: with model.onnx of acme\/encoder-d .* --max-bytes allows, 20000 bytes/,
    ],
    ["no such repository", ["acme/nobody"], () => undefined, 1, /NOT_FOUND: .* there is no acme\/nobody/],
    [
      "no such revision",
      ["acme/encoder-d", "--revision", "v9"],
      () => offer("acme/encoder-d", optimum(14)),
      1,
      /NOT_FOUND: .* acme\/encoder-d has no revision v9/,
    ],
    [
      "a private repository",
      ["acme/private"],
      () => (hub.refusal = { status: 401, times: 1 }),
      1,
      /UNAUTHENTICATED: .* private or gated; set HF_TOKEN/,
    ],
    ["a gated repository", ["acme/gated"], () => (hub.refusal = { status: 403, times: 1 }), 1, /FORBIDDEN: /],
    [
      "no network",
      ["acme/encoder-d", "--hub", "http://127.0.0.1:9"],
      () => undefined,
      1,
      /UNREACHABLE: http:\/\/127.0.0.1:9 does not answer .* copy the model's files into a folder/,
    ],
    ["neither folder nor name", ["./nowhere"], () => undefined, 2, /is no folder, and no ORG\/NAME/],
    [
      "a hub that is no URL",
      ["acme/encoder-d", "--hub", "ftp://x"],
      () => undefined,
      2,
      /no http or https URL/,
    ],
    ["a revision that is none", ["acme/encoder-d", "--revision", "../x"], () => undefined, 2, /--revision/],
  ])("%s", async (_name, args, prepare, code, reason) => {
    prepare();
    const outcome = await cli(args);
    expect(outcome.stderr).toMatch(reason);
    expect(outcome.code).toBe(code);
  });

  test("a model of another kind is left alone", async () => {
    await platform.query(
      'mutation { registerModel(input: { name: "taken", kind: TENSOR }) { model { id } } }',
    );
    offer("acme/taken", optimum(15));
    expect((await cli(["acme/taken"])).stderr).toMatch(
      /CONFLICT.*taken is a TENSOR model; name another with --model/s,
    );
  });
});
