import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { externalWeights, greedy } from "../../support/onnx-models.js";
import { eventually } from "../../support/platform.js";
import { ask, stranger } from "./attack.js";
import type { Attack, Site } from "./attack.js";

/** A varint of protobuf. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

/** Field 7 of a model is its graph; each of these says that the next is inside. */
function nestedGraphs(levels: number): Buffer {
  let inner = Buffer.alloc(0);
  for (let i = 0; i < levels; i++) inner = Buffer.concat([Buffer.from([0x3a]), varint(inner.length), inner]);
  return inner;
}

const BOMBS: [name: string, bytes: Uint8Array][] = [
  [
    "a model that declares more than it has",
    Buffer.concat([Buffer.from([0x3a]), varint(2 ** 40), Buffer.alloc(64)]),
  ],
  ["a model of messages within messages", nestedGraphs(3_000)],
  ["a model that is an archive of nothing", gzipSync(Buffer.alloc(32 * 1024 * 1024))],
  ["a model that wants all memory", greedy(20_000, 10_000)],
  ["a model whose weights are a file of the machine", externalWeights("../../../../etc/passwd")],
  ["a model that is a page", Buffer.from("<html><script>alert(1)</script></html>")],
];

let models = 0;

/** Models whose bytes are meant for whoever reads them. */
export const artifactAttacks: Attack[] = BOMBS.map(([name, bytes]) => ({
  name,
  run: async (site) => {
    const model = `bomb-${process.pid}-${++models}`;
    expect(await statusOf(site, model, bytes)).toMatch(/^(REJECTED|PENDING refused)$/);
  },
}));

async function statusOf(site: Site, model: string, bytes: Uint8Array): Promise<string> {
  const headers = stranger("ENGINEER");
  const query = async <T>(text: string, variables: object): Promise<T> => {
    const { body } = await ask(site, text, variables, headers);
    const { data, errors } = JSON.parse(body) as { data: T; errors?: { extensions: { code: string } }[] };
    if (errors) throw new Error(errors[0]!.extensions.code);
    return data;
  };
  await query("mutation ($input: RegisterModelInput!) { registerModel(input: $input) { model { id } } }", {
    input: { name: model, kind: "TENSOR" },
  });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { createModelVersion } = await query<{
    createModelVersion: { upload: { url: string; headers: { name: string; value: string }[] } };
  }>(
    "mutation ($input: CreateModelVersionInput!) { createModelVersion(input: $input) { upload { url headers { name value } } } }",
    { input: { model, sha256, bytes: bytes.byteLength } },
  );
  const { url, headers: named } = createModelVersion.upload;
  await fetch(url, {
    method: "PUT",
    headers: Object.fromEntries(named.map(({ name, value }) => [name, value])),
    body: bytes as never,
  });
  try {
    await query(
      "mutation ($input: CompleteModelVersionInput!) { completeModelVersion(input: $input) { job { id } } }",
      {
        input: { model, number: 1 },
      },
    );
  } catch {
    return "PENDING refused";
  }
  const { model: found } = await eventually(
    () =>
      query<{ model: { version: { status: string } } }>(
        "query ($model: String!) { model(name: $model) { version(number: 1) { status } } }",
        { model },
      ),
    ({ model: { version } }) => version.status !== "PENDING",
    50_000,
  );
  return found.version.status;
}
