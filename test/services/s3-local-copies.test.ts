import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, readdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { chunked, sha256Of } from "../contract/object-store-contract.js";
import { startFaultProxy } from "../support/fault-proxy.js";
import type { FaultProxy } from "../support/fault-proxy.js";
import { startS3 } from "../support/s3-server.js";
import type { S3Server } from "../support/s3-server.js";
import { makeBucket, openS3Store } from "../support/s3-store.js";
import type { S3StoreUnderTest } from "../support/s3-store.js";
import { temporaryFolder } from "../support/temporary-folder.js";

let server: S3Server;
let proxy: FaultProxy;
let bucket: string;
const opened: S3StoreUnderTest[] = [];
beforeAll(async () => {
  server = await startS3();
  proxy = await startFaultProxy(server.endpoint);
  bucket = await makeBucket(server.endpoint);
});
afterEach(async () => {
  for (const subject of opened.splice(0)) await subject.drop();
  proxy.heal();
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

async function open(options: Parameters<typeof openS3Store>[1] = {}): Promise<S3StoreUnderTest> {
  const subject = await openS3Store(proxy.endpoint, { bucket, ...options });
  opened.push(subject);
  return subject;
}

/** Puts an object into the bucket from elsewhere. */
async function stored(content: Buffer): Promise<string> {
  const sha256 = sha256Of(content);
  const elsewhere = await open();
  await elsewhere.store.put({ sha256, bytes: content.length }, chunked(content, 10_000));
  return sha256;
}

const copyOf = ({ folder }: S3StoreUnderTest, sha256: string) =>
  join(folder.path, "objects", sha256.slice(0, 2), sha256);
const setOf = (sha256: string) => new Map([["model.onnx", sha256]]);

async function modelIn(subject: S3StoreUnderTest, sha256: string): Promise<Buffer> {
  return readFile(join(await subject.store.materialize(setOf(sha256)), "model.onnx"));
}

/** How often the bucket was asked for the object meanwhile. */
async function fetchesDuring(sha256: string, work: () => Promise<unknown>): Promise<number> {
  const before = proxy.requests.length;
  await work();
  return proxy.requests.slice(before).filter((r) => r.startsWith("GET") && r.includes(sha256)).length;
}

test("calls for one object share a download, and later ones need none", async () => {
  const sha256 = await stored(randomBytes(100_000));
  const subject = await open();
  const eight = () => Promise.all(Array.from({ length: 8 }, () => subject.store.materialize(setOf(sha256))));
  expect(await fetchesDuring(sha256, eight)).toBe(1);
  expect(await fetchesDuring(sha256, eight)).toBe(0);
});

test("what a process has stored itself it need not fetch", async () => {
  const content = randomBytes(50_000);
  const subject = await open();
  await subject.store.put({ sha256: sha256Of(content), bytes: content.length }, chunked(content));
  expect(await fetchesDuring(sha256Of(content), () => modelIn(subject, sha256Of(content)))).toBe(0);
});

test("copies outlive a process, half-made ones do not", async () => {
  const content = randomBytes(100_000);
  const sha256 = await stored(content);
  const first = await open();
  await first.store.materialize(setOf(sha256));
  // What a process leaves that is killed while it fetches.
  const dead = String(spawnSync(process.execPath, ["--version"]).pid);
  await mkdir(join(first.folder.path, "drafts", dead));
  await writeFile(join(first.folder.path, "drafts", dead, "half"), content.subarray(0, 50_000));
  const second = await open({ folder: first.folder });
  expect(await readdir(join(second.folder.path, "drafts"))).toEqual([String(process.pid)]);
  expect(await fetchesDuring(sha256, () => modelIn(second, sha256))).toBe(0);
});

test.each([
  ["cut short", (content: Buffer) => content.subarray(0, 10)],
  ["empty", () => Buffer.alloc(0)],
  [
    "flipped in one bit",
    (content: Buffer) => {
      const flipped = Buffer.from(content);
      flipped[500]! ^= 1;
      return flipped;
    },
  ],
])("a copy that is %s is fetched anew, after a start and during the run", async (_name, damage) => {
  const content = randomBytes(10_000);
  const sha256 = await stored(content);
  const first = await open();
  await first.store.materialize(setOf(sha256));
  await writeFile(copyOf(first, sha256), damage(content));
  const second = await open({ folder: first.folder });
  expect((await modelIn(second, sha256)).equals(content)).toBe(true);
  await writeFile(copyOf(second, sha256), damage(content));
  expect((await modelIn(second, sha256)).equals(content)).toBe(true);
});

test("copies stay within their bound: the least recently used leave first, with the sets that hold them", async () => {
  const contents = [1, 2, 3].map(() => randomBytes(40_000));
  const [oldest, newer, newest] = (await Promise.all(contents.map(stored))) as [string, string, string];
  const subject = await open({ localBytes: 100_000 });
  const sets = new Map<string, string>();
  for (const [sha256, minutes] of [
    [oldest, 40],
    [newer, 30],
  ] as const) {
    sets.set(sha256, await subject.store.materialize(setOf(sha256)));
    const used = new Date(Date.now() - minutes * 60_000);
    await utimes(copyOf(subject, sha256), used, (await stat(copyOf(subject, sha256))).mtime);
  }
  await subject.store.materialize(setOf(newest));
  await expect(stat(copyOf(subject, oldest))).rejects.toMatchObject({ code: "ENOENT" });
  await expect(stat(sets.get(oldest)!)).rejects.toMatchObject({ code: "ENOENT" });
  expect((await stat(copyOf(subject, newer))).size).toBe(40_000);
  expect((await modelIn(subject, oldest)).equals(contents[0]!)).toBe(true);
});

test("what was asked for a moment ago is not removed, whatever the bound", async () => {
  const [one, two] = await Promise.all([stored(randomBytes(90_000)), stored(randomBytes(90_000))]);
  const subject = await open({ localBytes: 100_000 });
  const folder = await subject.store.materialize(setOf(one!));
  await subject.store.materialize(setOf(two!));
  expect((await stat(join(folder, "model.onnx"))).size).toBe(90_000);
});

test("a store that is away does not keep a model from being opened that is here", async () => {
  const content = randomBytes(10_000);
  const sha256 = await stored(content);
  const subject = await open();
  await subject.store.materialize(setOf(sha256));
  proxy.inject({ kind: "reset" });
  expect((await modelIn(subject, sha256)).equals(content)).toBe(true);
});

test("files of another process on the same folder are left alone", async () => {
  const folder = await temporaryFolder();
  const first = await open({ folder });
  const alive = join(folder.path, "drafts", String(process.ppid));
  await mkdir(alive);
  await writeFile(join(alive, "draft"), "under way");
  await open({ folder });
  expect(await readdir(alive)).toEqual(["draft"]);
  expect(first.folder.path).toBe(folder.path);
});
