import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { chunked, sha256Of } from "../contract/object-store-contract.js";
import { startFaultProxy } from "../support/fault-proxy.js";
import type { Fault, FaultProxy } from "../support/fault-proxy.js";
import { startS3 } from "../support/s3-server.js";
import type { S3Server } from "../support/s3-server.js";
import { openS3Store } from "../support/s3-store.js";
import type { S3StoreUnderTest } from "../support/s3-store.js";

let server: S3Server;
let proxy: FaultProxy;
let subject: S3StoreUnderTest;
beforeAll(async () => {
  server = await startS3();
  proxy = await startFaultProxy(server.endpoint);
  subject = await openS3Store(proxy.endpoint);
});
afterAll(async () => {
  await subject.drop();
  await proxy.close();
  await server.stop();
});
afterEach(async () => {
  proxy.heal();
  expect(await subject.leftovers()).toEqual([]);
});

async function put(content: Buffer): Promise<string> {
  const sha256 = sha256Of(content);
  await subject.store.put({ sha256, bytes: content.length }, chunked(content, 100_000));
  return sha256;
}

/** As a process elsewhere would see it that has no local copy. */
async function materializedElsewhere(sha256: string): Promise<Buffer> {
  const other = await openS3Store(proxy.endpoint, { bucket: subject.bucket.name });
  try {
    const folder = await other.store.materialize(new Map([["model.onnx", sha256]]));
    return await readFile(join(folder, "model.onnx"));
  } finally {
    await other.drop();
  }
}

const passing: [string, Fault][] = [
  ["answers 500", { kind: "status", status: 500 }],
  ["answers 503", { kind: "status", status: 503 }],
  ["drops a connection", { kind: "reset" }],
  ["answers nothing", { kind: "stall" }],
];

describe("a store that fails for a moment", () => {
  test.each(passing)("and %s takes and gives an object all the same", async (_name, fault) => {
    const content = randomBytes(200_000);
    proxy.inject(fault, { times: 2, method: "PUT" });
    const sha256 = await put(content);
    proxy.inject(fault, { times: 2, method: "GET" });
    expect((await buffer(await subject.store.read(sha256))).equals(content)).toBe(true);
    proxy.inject(fault, { times: 2, method: "HEAD" });
    expect(await subject.store.size(sha256)).toBe(content.length);
  });

  test("loses the answer to a write that it has made", async () => {
    const content = randomBytes(50_000);
    proxy.inject({ kind: "lose-answer" }, { times: 1, method: "PUT" });
    const sha256 = await put(content);
    expect((await materializedElsewhere(sha256)).equals(content)).toBe(true);
  });

  const bodies: [string, Fault][] = [
    ["breaks a body off", { kind: "truncate", afterBytes: 70_000 }],
    ["lets a body stall", { kind: "stall", afterBytes: 70_000 }],
  ];
  test.each(bodies)("and %s is asked for the rest", async (_name, fault) => {
    const content = randomBytes(300_000);
    const sha256 = await put(content);
    proxy.inject(fault, { times: 3, method: "GET" });
    expect((await buffer(await subject.store.read(sha256))).equals(content)).toBe(true);
    proxy.inject(fault, { times: 1, method: "GET" });
    const range = await buffer(await subject.store.read(sha256, { start: 1000, end: 250_000 }));
    expect(range.equals(content.subarray(1000, 250_001))).toBe(true);
    proxy.inject(fault, { times: 1, method: "GET", path: "/objects/" });
    expect((await materializedElsewhere(sha256)).equals(content)).toBe(true);
  });
});

describe("a store that keeps failing", () => {
  test("keeps nothing, and says that it is unavailable", async () => {
    const content = randomBytes(5000);
    proxy.inject({ kind: "status", status: 500 });
    await expect(put(content)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(subject.store.size(sha256Of(content))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(subject.store.read(sha256Of(content))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(subject.store.check()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    proxy.heal();
    expect(await subject.store.size(sha256Of(content))).toBeUndefined();
  });

  test("never passes a part for the whole", async () => {
    const sha256 = await put(randomBytes(300_000));
    // Not one byte more at each try.
    proxy.inject({ kind: "truncate", afterBytes: 0 }, { method: "GET" });
    await expect(subject.store.read(sha256).then(buffer)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(materializedElsewhere(sha256)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("leaves nothing of an upload in parts", async () => {
    const content = randomBytes(40_000_000);
    proxy.inject({ kind: "status", status: 500 }, { path: "partNumber=2" });
    await expect(put(content)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await subject.store.size(sha256Of(content))).toBeUndefined();
    proxy.heal();
    const sha256 = await put(content);
    expect(proxy.requests.some((request) => request.includes(`/${sha256}?partNumber=3`))).toBe(true);
    expect((await materializedElsewhere(sha256)).equals(content)).toBe(true);
  });
});

test("content that is damaged on its way is neither read to its end nor laid out", async () => {
  const content = randomBytes(300_000);
  const sha256 = await put(content);
  proxy.inject({ kind: "flip", byte: 200_000 }, { method: "GET" });
  await expect(subject.store.read(sha256).then(buffer)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(materializedElsewhere(sha256)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  proxy.heal();
  expect((await materializedElsewhere(sha256)).equals(content)).toBe(true);
});

test("content with another digest is not sent at all", async () => {
  const content = randomBytes(5000);
  const sha256 = sha256Of(randomBytes(1));
  const before = proxy.requests.length;
  const sending = subject.store.put({ sha256, bytes: content.length }, chunked(content));
  await expect(sending).rejects.toMatchObject({ field: "sha256" });
  expect(proxy.requests.slice(before)).toEqual([]);
});
