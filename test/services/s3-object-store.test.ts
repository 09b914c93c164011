import { randomBytes } from "node:crypto";
import { CreateMultipartUploadCommand, ListObjectVersionsCommand } from "@aws-sdk/client-s3";
import { openS3Bucket } from "../../src/adapters/service/open-s3-bucket.js";
import { chunked, sha256Of } from "../contract/object-store-contract.js";
import { startFaultProxy } from "../support/fault-proxy.js";
import { freePort } from "../support/free-port.js";
import { startS3 } from "../support/s3-server.js";
import type { S3Server } from "../support/s3-server.js";
import { makeBucket, openS3Store, s3ConfigOf } from "../support/s3-store.js";
import type { S3StoreUnderTest } from "../support/s3-store.js";

let server: S3Server;
let subject: S3StoreUnderTest;
beforeAll(async () => {
  server = await startS3();
  subject = await openS3Store(server.endpoint);
});
afterAll(async () => {
  await subject.drop();
  await server.stop();
});

const expectedOf = (content: Buffer) => ({ sha256: sha256Of(content), bytes: content.length });

async function keysUnder(prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of subject.bucket.list(prefix)) keys.push(key);
  return keys;
}

async function send(url: string, headers: Record<string, string>, content: Buffer): Promise<number> {
  return (await fetch(url, { method: "PUT", headers, body: new Uint8Array(content) })).status;
}

async function versionsOf(sha256: string): Promise<(number | undefined)[]> {
  const asked = { Bucket: subject.bucket.name, Prefix: `objects/${sha256.slice(0, 2)}/${sha256}` };
  const { Versions = [] } = await subject.bucket.client.send(new ListObjectVersionsCommand(asked));
  return Versions.map(({ Size }) => Size);
}

test.each([100_000, 20_000_000])("20 writers of the same %d bytes are all content with it", async (bytes) => {
  const content = randomBytes(bytes);
  const others = await Promise.all(
    Array.from({ length: 4 }, () => openS3Store(server.endpoint, { bucket: subject.bucket.name })),
  );
  const writes = Array.from({ length: 20 }, (_, i) =>
    others[i % 4]!.store.put(expectedOf(content), chunked(content, 100_000)),
  );
  await Promise.all(writes);
  // The stand-in looks and writes in two steps, so it may take several.
  expect(new Set(await versionsOf(sha256Of(content)))).toEqual(new Set([bytes]));
  for (const other of others) expect(await other.leftovers()).toEqual([]);
  await Promise.all(others.map((other) => other.drop()));
});

test.each([100_000, 20_000_000])(
  "a writer of %d bytes that comes second leaves the first's",
  async (bytes) => {
    const content = randomBytes(bytes);
    await subject.store.put(expectedOf(content), chunked(content, 100_000));
    const proxy = await startFaultProxy(server.endpoint);
    const second = await openS3Store(proxy.endpoint, { bucket: subject.bucket.name });
    // As if it had looked before the first one wrote.
    proxy.inject({ kind: "status", status: 404 }, { times: 1, method: "HEAD", path: "/objects/" });
    await second.store.put(expectedOf(content), chunked(content, 100_000));
    expect(proxy.requests.filter((request) => /^(PUT|POST) /.test(request))).not.toEqual([]);
    expect(await versionsOf(sha256Of(content))).toEqual([bytes]);
    expect(await second.leftovers()).toEqual([]);
    await second.drop();
    await proxy.close();
  },
);

describe("an upload by a link of the store", () => {
  test("is seen once it has been verified", async () => {
    const content = randomBytes(10_000);
    const expected = expectedOf(content);
    const link = (await subject.store.uploadLink("version-1", expected, 60))!;
    expect(link.expiresAt.getTime()).toBeGreaterThan(Date.now() + 50_000);
    expect(await subject.store.takeUpload("version-1", expected)).toBe(false);
    expect(await send(link.url, link.headers, content)).toBe(200);
    expect(await subject.store.size(expected.sha256)).toBeUndefined();
    expect(await subject.store.takeUpload("version-2", expected)).toBe(false);
    expect(await subject.store.takeUpload("version-1", expected)).toBe(true);
    expect(await subject.store.size(expected.sha256)).toBe(10_000);
    expect(await keysUnder("uploads/")).toEqual([]);
    const download = (await subject.store.downloadLink(expected.sha256, "model.onnx", 60))!;
    const answer = await fetch(download.url, { headers: download.headers });
    expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
    const asked = new URL(download.url).searchParams;
    expect(asked.get("response-content-disposition")).toBe('attachment; filename="model.onnx"');
  });

  test.each([
    ["sha256", randomBytes(10_000)],
    ["bytes", randomBytes(10_001)],
    ["bytes", randomBytes(9_999)],
  ])("of other bytes (%s) is dropped, and the right ones may follow", async (field, wrong) => {
    const content = randomBytes(10_000);
    const expected = expectedOf(content);
    const link = (await subject.store.uploadLink("version-3", expected, 60))!;
    // A store that verifies the checksum of the link refuses them itself; one that does not takes them.
    await send(link.url, {}, wrong);
    await expect(subject.store.takeUpload("version-3", expected)).rejects.toMatchObject({
      ...{ code: "INVALID_INPUT", field },
    });
    expect(await subject.store.size(expected.sha256)).toBeUndefined();
    expect(await keysUnder("uploads/")).toEqual([]);
    await send(link.url, link.headers, content);
    expect(await subject.store.takeUpload("version-3", expected)).toBe(true);
  });

  test("binds the announced digest", async () => {
    const expected = expectedOf(randomBytes(10));
    const { url, headers } = (await subject.store.uploadLink("version-4", expected, 60))!;
    const digest = Buffer.from(expected.sha256, "hex").toString("base64");
    expect(headers).toEqual({ "x-amz-checksum-sha256": digest });
    const signed = new URL(url).searchParams.get("X-Amz-SignedHeaders")!.split(";");
    expect(signed).toContain("x-amz-checksum-sha256");
  });

  test("refuses an owner that could lead elsewhere", async () => {
    const link = subject.store.uploadLink("../objects", expectedOf(randomBytes(10)), 60);
    await expect(link).rejects.toMatchObject({ field: "owner" });
  });
});

test("a sweep drops abandoned uploads, and nothing that is stored", async () => {
  const content = randomBytes(1000);
  const expected = expectedOf(content);
  await subject.store.put(expected, chunked(content));
  const link = (await subject.store.uploadLink("version-5", expected, 60))!;
  await send(link.url, link.headers, content);
  await subject.store.sweep(new Date(Date.now() - 3_600_000));
  expect(await keysUnder("uploads/")).toHaveLength(1);
  // The stand-in dates every upload in parts to 2010.
  const begun = { Bucket: subject.bucket.name, Key: "objects/ab/abandoned" };
  await subject.bucket.client.send(new CreateMultipartUploadCommand(begun));
  expect(await subject.bucket.unfinished()).toHaveLength(1);
  await subject.store.sweep(new Date(Date.now() + 3_600_000));
  expect(await keysUnder("uploads/")).toEqual([]);
  expect(await subject.bucket.unfinished()).toEqual([]);
  expect(await subject.store.size(expected.sha256)).toBe(1000);
});

describe("at start", () => {
  const open = (endpoint: string, bucket: string, timeoutMs = 300, warnings: object[] = []) =>
    openS3Bucket({
      ...{ config: s3ConfigOf(endpoint, bucket), bucket, variable: "ML_S3_BUCKET", timeoutMs },
      log: { info: () => undefined, warn: (fields) => void warnings.push(fields), error: () => undefined },
    });

  test("a bucket that is missing is named, without waiting", async () => {
    const start = open(server.endpoint, "absent", 60_000);
    await expect(start).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    await expect(start).rejects.toThrow(/^ML_S3_BUCKET: there is no bucket "absent"/);
  });

  test("refused credentials are named, without waiting", async () => {
    const proxy = await startFaultProxy(server.endpoint);
    proxy.inject({ kind: "status", status: 403 });
    await expect(open(proxy.endpoint, subject.bucket.name, 60_000)).rejects.toThrow(/^ML_S3_ACCESS_KEY_ID: /);
    await proxy.close();
  });

  test("a store that does not answer is named", async () => {
    const start = open(`http://127.0.0.1:${await freePort()}`, "artifacts");
    await expect(start).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(start).rejects.toThrow("ML_S3_ENDPOINT");
  });

  test("a store that is not there yet is waited for, and an unversioned bucket is warned of", async () => {
    const proxy = await startFaultProxy(server.endpoint);
    proxy.inject({ kind: "status", status: 503 }, { times: 6 });
    const warnings: object[] = [];
    const bucket = await makeBucket(server.endpoint);
    (await open(proxy.endpoint, bucket, 60_000, warnings)).close();
    expect(warnings).toContainEqual(expect.objectContaining({ event: "server.awaited" }));
    proxy.inject({ kind: "status", status: 501 }, { path: "versioning" });
    (await open(proxy.endpoint, bucket, 60_000, warnings)).close();
    expect(warnings).toContainEqual(
      expect.objectContaining({ event: "objects.unversioned", versioning: "unknown" }),
    );
    await proxy.close();
  });
});
