import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { externalWeights, linearModel, sequenceOutput, unknownOperator } from "../support/onnx-models.js";
import { readAll, refusalOf, startPlatform } from "../support/platform.js";
import type { Connection, Platform } from "../support/platform.js";
import {
  announce,
  announcementOf,
  complete,
  digestOf,
  put,
  register,
  uploadVersion,
  validated,
  versionState,
} from "../support/registry.js";
import type { Announced } from "../support/registry.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ environment: { ML_ARTIFACT_MAX_BYTES: "200000" } });
});

afterAll(() => platform.remove());

const GRAPH = linearModel();

/** A registered model with one announced version. */
async function announced(model: string, bytes = GRAPH, input: object = {}): Promise<Announced> {
  await register(platform, { name: model, kind: "TENSOR" });
  const answer = await announce(platform, { model, ...announcementOf(bytes), ...input });
  if (!answer.data) throw new Error(JSON.stringify(answer.errors));
  return answer.data.createModelVersion;
}

interface HttpRefusal {
  errors: [{ message: string; extensions: { code: string; field?: string } }];
}

async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as HttpRefusal;
  return `${response.status} ${errors[0].extensions.code}`;
}

describe("models", () => {
  test("are registered once, with tags, and found by name and id", async () => {
    const input = {
      name: "power_load-1",
      kind: "TENSOR",
      description: "load",
      tags: [{ name: "hub", value: "PJM" }],
    };
    const created = await register(platform, input);
    const { id } = created.data!.registerModel.model;
    expect(refusalOf(await register(platform, { ...input, kind: "CURVE_FORECASTER" }))).toBe(
      "CONFLICT input.name",
    );

    const found = await platform.query<{ model: object; node: object }>(
      `query Find($name: String!, $id: ID!) {
        model(name: $name) { id kind description tags { name value } production { number } versions { totalCount } }
        node(id: $id) { id ... on Model { name } }
      }`,
      { name: input.name, id },
    );
    expect(found).toEqual({
      model: {
        id,
        kind: "TENSOR",
        description: "load",
        tags: input.tags,
        production: null,
        versions: { totalCount: 0 },
      },
      node: { id, name: input.name },
    });
  });

  test.each(["", "Power", "a b", "a/b", "ü", "x".repeat(65)])("are not named %j", async (name) => {
    expect(refusalOf(await register(platform, { name, kind: "TENSOR" }))).toBe("INVALID_INPUT input.name");
  });

  test("need a kind that exists", async () => {
    expect(refusalOf(await register(platform, { name: "kindless", kind: "BEST" }))).toBe(
      "INVALID_INPUT input.kind",
    );
    expect(refusalOf(await register(platform, { name: "kindless" }))).toBe("INVALID_INPUT input.kind");
  });

  test("are listed by name, page by page, by kind", async () => {
    for (const name of ["list-b", "list-a", "list-c"]) await register(platform, { name, kind: "TENSOR" });
    await register(platform, { name: "list-curve", kind: "CURVE_FORECASTER" });
    const models = await readAll(async (after) => {
      const answer = await platform.query<{ models: Connection<{ name: string }> }>(
        `query Models($after: String) {
          models(first: 2, after: $after, kind: TENSOR) {
            edges { cursor node { name } } pageInfo { hasNextPage } totalCount
          }
        }`,
        { after },
      );
      return answer.models;
    });
    const names = models.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toEqual(expect.arrayContaining(["list-a", "list-b", "list-c"]));
    expect(names).not.toContain("list-curve");
  });
});

describe("an upload", () => {
  test("makes a READY version whose signature was read from the file", async () => {
    const version = await uploadVersion(platform, "linear", GRAPH, {
      metrics: [{ name: "rmse", value: 0.5 }],
      parameters: [{ name: "lambda", value: "1e-3" }],
    });
    expect(version).toEqual({ number: 1, status: "READY", rejection: null, stage: "NONE" });
    const { model } = await platform.query<{ model: { version: object } }>(
      `{ model(name: "linear") { version(number: 1) {
        createdBy metrics { name value } parameters { name value } model { name }
        signature { inputs { name type shape } outputs { name type shape } }
        artifact { sha256 bytes files { name } }
      } } }`,
    );
    expect(model.version).toEqual({
      createdBy: "developer",
      metrics: [{ name: "rmse", value: 0.5 }],
      parameters: [{ name: "lambda", value: "1e-3" }],
      model: { name: "linear" },
      signature: {
        inputs: [{ name: "x", type: "FLOAT32", shape: [null, 3] }],
        outputs: [{ name: "y", type: "FLOAT32", shape: [null, 2] }],
      },
      artifact: { ...announcementOf(GRAPH), files: [] },
    });
  });

  test("of other bytes than announced is refused, and the right ones still work", async () => {
    const { version, upload } = await announced("corrected", linearModelNamed("corrected"));
    const wrong = linearModelNamed("corrected");
    wrong[20] = wrong[20]! ^ 1;
    expect(await codeOf(await put(upload.url, wrong))).toBe("400 INVALID_INPUT");
    expect(refusalOf(await complete(platform, "corrected", version.number))).toBe(
      "INVALID_INPUT input.number",
    );
    expect(await versionState(platform, "corrected", 1)).toMatchObject({ status: "PENDING" });

    expect((await put(upload.url, linearModelNamed("corrected"))).status).toBe(204);
    await complete(platform, "corrected", version.number);
    expect(await validated(platform, "corrected", 1)).toMatchObject({ status: "READY" });
  });

  test("that is longer or shorter than announced is refused", async () => {
    const bytes = linearModelNamed("sized");
    const { upload } = await announced("sized", bytes);
    expect(await codeOf(await put(upload.url, Buffer.concat([bytes, Buffer.alloc(1)])))).toBe(
      "400 INVALID_INPUT",
    );
    expect(await codeOf(await put(upload.url, bytes.subarray(0, -1)))).toBe("400 INVALID_INPUT");
    expect(refusalOf(await complete(platform, "sized", 1))).toBe("INVALID_INPUT input.number");
  });

  test("far longer than announced is refused without a reset", async () => {
    const { upload } = await announced("flood", linearModelNamed("flood"));
    expect(await codeOf(await put(upload.url, Buffer.alloc(20_000_000)))).toBe("400 INVALID_INPUT");
  });

  test("that stops half-way leaves nothing, and can be done again", async () => {
    const bytes = linearModelNamed("interrupted");
    const { upload } = await announced("interrupted", bytes);
    await new Promise<void>((resolve) => {
      const sending = request(upload.url, { method: "PUT", headers: { "content-length": bytes.length } });
      sending.on("error", () => resolve());
      sending.write(bytes.subarray(0, 50), () => sending.destroy(new Error("the caller went away")));
    });
    expect(refusalOf(await complete(platform, "interrupted", 1))).toBe("INVALID_INPUT input.number");
    expect((await put(upload.url, bytes)).status).toBe(204);
    await complete(platform, "interrupted", 1);
    expect(await validated(platform, "interrupted", 1)).toMatchObject({ status: "READY" });
  });

  test("may come twice until the version is complete, not afterwards", async () => {
    const bytes = linearModelNamed("twice");
    const { upload } = await announced("twice", bytes);
    const both = await Promise.all([put(upload.url, bytes), put(upload.url, bytes)]);
    expect(both.map(({ status }) => status)).toEqual([204, 204]);
    expect((await put(upload.url, bytes)).status).toBe(204);
    await complete(platform, "twice", 1);
    await validated(platform, "twice", 1);
    expect(await codeOf(await put(upload.url, bytes))).toBe("409 CONFLICT");
    expect((await complete(platform, "twice", 1)).data?.completeModelVersion.version.status).toBe("READY");
  });

  test("needs the link as it was given, before it expires", async () => {
    const { upload } = await announced("signed", linearModelNamed("signed"));
    const other = await announced("signed", linearModelNamed("signed-2"));
    const link = new URL(upload.url);
    const changed = (change: (url: URL) => void): string => {
      const url = new URL(link);
      change(url);
      return url.href;
    };
    const forged = [
      changed((url) => url.searchParams.delete("signature")),
      changed((url) => url.searchParams.set("signature", randomBytes(32).toString("base64url"))),
      changed((url) => url.searchParams.set("expires", "99999999999")),
      changed((url) => url.searchParams.set("expires", "1")),
      changed((url) => (url.pathname = new URL(other.upload.url).pathname)),
    ];
    for (const url of forged) expect(await codeOf(await put(url, GRAPH))).toBe("403 FORBIDDEN");
    expect((await fetch(upload.url)).status).toBe(404);
    expect(new Date(upload.expiresAt).getTime()).toBeGreaterThan(Date.now());
  });
});

describe("an announcement", () => {
  test.each([
    ["a model that does not exist", { model: "absent" }, "NOT_FOUND input.model"],
    ["a digest in capitals", { sha256: "A".repeat(64) }, "INVALID_INPUT input.sha256"],
    ["a short digest", { sha256: "abc" }, "INVALID_INPUT input.sha256"],
    ["no bytes", { bytes: 0 }, "INVALID_INPUT input.bytes"],
    ["a negative size", { bytes: -1 }, "INVALID_INPUT input.bytes"],
    ["more bytes than are taken", { bytes: 200_001 }, "INVALID_INPUT input.bytes"],
    ["far more bytes", { bytes: "9223372036854775807" }, "INVALID_INPUT input.bytes"],
    ["a size that is no number", { bytes: "many" }, "INVALID_INPUT input.bytes"],
    ["half a byte", { bytes: 10.5 }, "INVALID_INPUT input.bytes"],
    [
      "a metric twice",
      {
        metrics: [
          { name: "a", value: 1 },
          { name: "a", value: 2 },
        ],
      },
      "INVALID_INPUT input.metrics.1.name",
    ],
    [
      "a file with a path",
      { files: [{ name: "../x", ...announcementOf(GRAPH) }] },
      "INVALID_INPUT input.files.0.name",
    ],
    [
      "a file named like the graph",
      { files: [{ name: "model.onnx", ...announcementOf(GRAPH) }] },
      "INVALID_INPUT input.files.0.name",
    ],
    [
      "a file without a size",
      { files: [{ name: "x", sha256: digestOf(GRAPH), bytes: 0 }] },
      "INVALID_INPUT input.files.0.bytes",
    ],
  ])("of %s is refused", async (_what, input, refusal) => {
    await register(platform, { name: "announcements", kind: "TENSOR" });
    const answer = await announce(platform, { model: "announcements", ...announcementOf(GRAPH), ...input });
    expect(refusalOf(answer)).toBe(refusal);
  });

  test("with an idempotency key happens once, and not with another body", async () => {
    const input = { model: "keyed", ...announcementOf(GRAPH), idempotencyKey: "build 7" };
    await register(platform, { name: "keyed", kind: "TENSOR" });
    const [first, again] = await Promise.all([announce(platform, input), announce(platform, input)]);
    expect(again.data!.createModelVersion.version).toEqual(first.data!.createModelVersion.version);
    const absent = await announce(platform, { ...input, metrics: null, files: null });
    expect(absent.data!.createModelVersion.version.number).toBe(1);
    const other = await announce(platform, { ...input, parameters: [{ name: "a", value: "b" }] });
    expect(refusalOf(other)).toBe("CONFLICT input.idempotencyKey");
    expect(refusalOf(await announce(platform, { ...input, idempotencyKey: "" }))).toBe(
      "INVALID_INPUT input.idempotencyKey",
    );
  });

  test("tells the size as a number, as text, or as a literal", async () => {
    await register(platform, { name: "sizes", kind: "TENSOR" });
    const { sha256, bytes } = announcementOf(GRAPH);
    for (const written of [String(bytes), `"${bytes}"`]) {
      await platform.query(
        `mutation { createModelVersion(input: {
          model: "sizes", sha256: "${sha256}", bytes: ${written}, idempotencyKey: "size",
          files: [{ name: "a", sha256: "${sha256}", bytes: ${written} }]
        }) { version { artifact { bytes files { bytes } } } } }`,
      );
    }
    const { model } = await platform.query<{ model: object }>(
      `{ model(name: "sizes") { versions { totalCount edges { node { artifact { bytes files { bytes } } } } } } }`,
    );
    expect(model).toEqual({
      versions: { totalCount: 1, edges: [{ node: { artifact: { bytes, files: [{ bytes }] } } }] },
    });
  });

  test("cannot be completed when there is none", async () => {
    await register(platform, { name: "empty", kind: "TENSOR" });
    expect(refusalOf(await complete(platform, "empty", 1))).toBe("NOT_FOUND input.number");
    expect(refusalOf(await complete(platform, "absent", 1))).toBe("NOT_FOUND input.model");
  });
});

describe("a graph that cannot be served is REJECTED with the reason:", () => {
  test.each([
    ["no ONNX at all", Buffer.from("this is no ONNX file"), /./],
    ["truncated", GRAPH.subarray(0, GRAPH.length - 40), /./],
    ["an operator that nobody knows", unknownOperator(), /Frobnicate/],
    ["external data that is not there", externalWeights("weights.bin"), /weights\.bin/],
    ["external data beyond its folder", externalWeights("../../../etc/passwd"), /./],
    ["a sequence as output", sequenceOutput(), /sequence/i],
  ])("%s", async (what, bytes, reason) => {
    const model = `rejected-${what.replaceAll(/[^a-z]/g, "-")}`;
    const version = await uploadVersion(platform, model, bytes);
    expect(version.status).toBe("REJECTED");
    expect(version.rejection).toMatch(reason);
    expect(version.rejection).not.toContain(platform.dataDir);
  });

  test("no curve forecaster, where one was registered", async () => {
    const version = await uploadVersion(platform, "not-a-forecaster", GRAPH, {}, "CURVE_FORECASTER");
    expect(version.status).toBe("REJECTED");
    expect(version.rejection).toContain("history");
  });
});

describe("files beside the graph", () => {
  const weights = new Uint8Array(Float32Array.from([1, 2, 3, 4, 5, 6]).buffer);
  const graph = externalWeights("weights.bin");

  test("hold its tensors, and can be downloaded by name", async () => {
    const files = [{ name: "weights.bin", ...announcementOf(weights) }];
    const { upload, fileUploads } = await announced("beside", graph, { files });
    expect((await put(upload.url, graph)).status).toBe(204);
    expect(refusalOf(await complete(platform, "beside", 1))).toBe("INVALID_INPUT input.files.weights.bin");
    expect((await put(fileUploads[0]!.url, weights)).status).toBe(204);
    await complete(platform, "beside", 1);
    expect(await validated(platform, "beside", 1)).toMatchObject({ status: "READY", rejection: null });

    const { model } = await platform.query<{
      model: { version: { artifact: { files: { name: string; downloadUrl: string }[] } } };
    }>(
      `{ model(name: "beside") { version(number: 1) { artifact { files { name sha256 bytes downloadUrl } } } } }`,
    );
    const [file] = model.version.artifact.files;
    expect(file).toMatchObject(files[0]!);
    const response = await fetch(file!.downloadUrl);
    expect(response.headers.get("content-disposition")).toContain("weights.bin");
    expect(digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(digestOf(weights));

    const { predict } = await platform.query<{ predict: { outputs: object[] } }>(
      `{ predict(input: { model: "beside", version: { number: 1 }, inputs: [{ name: "x", values: [[1, 1, 1]] }] }) {
        outputs { name values }
      } }`,
    );
    expect(predict.outputs).toEqual([{ name: "y", values: [[19, 32]] }]);
  });
});

describe("a download", () => {
  const bytes = linearModelNamed("downloaded");
  let url: string;

  beforeAll(async () => {
    await uploadVersion(platform, "downloaded", bytes);
    const { model } = await platform.query<{
      model: { version: { artifact: { downloadUrl: string } } };
    }>(`{ model(name: "downloaded") { version(number: 1) { artifact { downloadUrl } } } }`);
    url = model.version.artifact.downloadUrl;
  });

  const size = bytes.length;

  test.each([
    [undefined, 200, [0, size], undefined],
    ["bytes=0-9", 206, [0, 10], `bytes 0-9/${size}`],
    ["bytes=10-", 206, [10, size], `bytes 10-${size - 1}/${size}`],
    ["bytes=-7", 206, [size - 7, size], `bytes ${size - 7}-${size - 1}/${size}`],
    ["bytes=5-99999999", 206, [5, size], `bytes 5-${size - 1}/${size}`],
    ["bytes=-99999999", 206, [0, size], `bytes 0-${size - 1}/${size}`],
    [`bytes=${size}-`, 416, undefined, `bytes */${size}`],
    ["bytes=-0", 416, undefined, `bytes */${size}`],
    ["bytes=0-1,4-5", 200, [0, size], undefined],
    ["lines=0-1", 200, [0, size], undefined],
  ])("of range %s answers %i", async (range, status, expected, contentRange) => {
    const response = await fetch(url, { headers: range === undefined ? {} : { range } });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-range") ?? undefined).toBe(contentRange);
    if (!expected) return;
    const content = new Uint8Array(await response.arrayBuffer());
    expect(digestOf(content)).toBe(digestOf(bytes.subarray(expected[0], expected[1])));
    expect(response.headers.get("content-length")).toBe(String(content.length));
    expect(response.headers.get("accept-ranges")).toBe("bytes");
  });

  test("needs its link", async () => {
    const link = new URL(url);
    for (const name of ["signature", "expires"]) {
      const changed = new URL(link);
      changed.searchParams.delete(name);
      expect(await codeOf(await fetch(changed))).toBe("403 FORBIDDEN");
    }
    const other = new URL(link);
    other.pathname = link.pathname.replace(digestOf(bytes), digestOf(GRAPH));
    expect(await codeOf(await fetch(other))).toBe("403 FORBIDDEN");
  });
});

/** The linear model with a name of its own, so that no other test has stored the same bytes. */
function linearModelNamed(name: string): Uint8Array {
  // Field 6 of ModelProto, doc_string: any text may follow the graph.
  const text = Buffer.from(name);
  return Buffer.concat([GRAPH, Buffer.from([0x32, text.length]), text]);
}
