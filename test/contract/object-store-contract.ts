import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { ObjectStore } from "../../src/ports/object-store.js";

export interface StoreUnderTest {
  store: ObjectStore;
  /** Names of unfinished uploads that the store still holds. */
  leftovers(): Promise<string[]>;
  drop(): Promise<void>;
}

export function sha256Of(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

export async function* chunked(content: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

export function describeObjectStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let subject: StoreUnderTest;
    let store: ObjectStore;
    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });
    afterAll(() => subject.drop());
    afterEach(async () => expect(await subject.leftovers()).toEqual([]));

    async function stored(content: Buffer): Promise<string> {
      const sha256 = sha256Of(content);
      await store.put({ sha256, bytes: content.length }, chunked(content));
      return sha256;
    }

    test("gives back what was put in, whole and by range", async () => {
      const content = randomBytes(100_000);
      const sha256 = await stored(content);
      expect(await store.size(sha256)).toBe(100_000);
      expect((await buffer(await store.read(sha256))).equals(content)).toBe(true);
      const range = await buffer(await store.read(sha256, { start: 10, end: 19 }));
      expect(range.equals(content.subarray(10, 20))).toBe(true);
      const beyond = await buffer(await store.read(sha256, { start: 99_990, end: 200_000 }));
      expect(beyond.equals(content.subarray(99_990))).toBe(true);
      await expect(store.read(sha256, { start: 100_000, end: 100_001 })).rejects.toMatchObject({
        field: "range",
      });
    });

    test("takes an empty object", async () => {
      const sha256 = await stored(Buffer.alloc(0));
      expect(await store.size(sha256)).toBe(0);
    });

    test("verifies content whose object is there already, and leaves the object as it is", async () => {
      const content = randomBytes(100);
      const sha256 = await stored(content);
      await store.put({ sha256, bytes: 100 }, chunked(content));
      const other = store.put({ sha256, bytes: 100 }, chunked(randomBytes(100)));
      await expect(other).rejects.toMatchObject({ code: "INVALID_INPUT", field: "sha256" });
      expect((await buffer(await store.read(sha256))).equals(content)).toBe(true);
    });

    test("refuses content that is too short", async () => {
      const content = randomBytes(5000);
      const sha256 = sha256Of(content);
      const put = store.put({ sha256, bytes: 5001 }, chunked(content));
      await expect(put).rejects.toMatchObject({ code: "INVALID_INPUT", field: "bytes" });
      expect(await store.size(sha256)).toBeUndefined();
    });

    test("refuses content that is too long, and stops reading at once", async () => {
      const content = randomBytes(5000);
      let read = 0;
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (;;) {
          read += 1000;
          yield randomBytes(1000);
        }
      }
      const put = store.put({ sha256: sha256Of(content), bytes: 5000 }, endless());
      await expect(put).rejects.toMatchObject({ code: "INVALID_INPUT", field: "bytes" });
      expect(read).toBeLessThanOrEqual(7000);
      expect(await store.size(sha256Of(content))).toBeUndefined();
    });

    test("refuses another digest", async () => {
      const content = randomBytes(5000);
      const sha256 = sha256Of(Buffer.from("other"));
      const put = store.put({ sha256, bytes: 5000 }, chunked(content));
      await expect(put).rejects.toMatchObject({ code: "INVALID_INPUT", field: "sha256" });
      expect(await store.size(sha256)).toBeUndefined();
      expect(await store.size(sha256Of(content))).toBeUndefined();
    });

    test("keeps nothing of a stream that breaks", async () => {
      const content = randomBytes(5000);
      async function* breaking(): AsyncGenerator<Uint8Array> {
        yield content.subarray(0, 2000);
        throw new Error("the client went away");
      }
      const put = store.put({ sha256: sha256Of(content), bytes: 5000 }, breaking());
      await expect(put).rejects.toThrow("the client went away");
      expect(await store.size(sha256Of(content))).toBeUndefined();
      await stored(content);
    });

    test("takes concurrent uploads of the same object", async () => {
      const content = randomBytes(50_000);
      const keys = await Promise.all(Array.from({ length: 8 }, () => stored(content)));
      expect((await buffer(await store.read(keys[0]!))).equals(content)).toBe(true);
    });

    test("refuses keys that are no digests", async () => {
      for (const key of ["../../etc/passwd", "a".repeat(63), "A".repeat(64), `${"a".repeat(64)}/x`, ""]) {
        await expect(store.size(key)).rejects.toMatchObject({ code: "INVALID_INPUT", field: "sha256" });
        await expect(store.read(key)).rejects.toMatchObject({ field: "sha256" });
        await expect(store.remove(key)).rejects.toMatchObject({ field: "sha256" });
        await expect(store.put({ sha256: key, bytes: 0 }, chunked(Buffer.alloc(0)))).rejects.toMatchObject({
          field: "sha256",
        });
      }
    });

    test("lays out a set of objects as files, the same set in the same folder", async () => {
      const [graph, weights] = [randomBytes(3000), randomBytes(9000)];
      const files = new Map([
        ["model.onnx", await stored(graph)],
        ["weights.bin", await stored(weights)],
      ]);
      const folders = await Promise.all(Array.from({ length: 4 }, () => store.materialize(files)));
      expect(new Set(folders).size).toBe(1);
      expect((await readFile(join(folders[0]!, "model.onnx"))).equals(graph)).toBe(true);
      expect((await readFile(join(folders[0]!, "weights.bin"))).equals(weights)).toBe(true);
      const reversed = await store.materialize(new Map([...files].reverse()));
      expect(basename(reversed)).toBe(basename(folders[0]!));
    });

    test("lays out no set that lacks an object or leaves the folder", async () => {
      const sha256 = await stored(randomBytes(10));
      const absent = sha256Of(Buffer.from("absent"));
      await expect(
        store.materialize(
          new Map([
            ["a", sha256],
            ["b", absent],
          ]),
        ),
      ).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
      for (const file of ["../a", "a/b", "a\\b", "..", ".", ""]) {
        await expect(store.materialize(new Map([[file, sha256]]))).rejects.toMatchObject({
          code: "INVALID_INPUT",
        });
      }
    });

    test("removes objects, and does not miss what is not there", async () => {
      const sha256 = await stored(randomBytes(10));
      await store.remove(sha256);
      await store.remove(sha256);
      expect(await store.size(sha256)).toBeUndefined();
      await expect(store.read(sha256)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test("answers check", () => store.check());
  });
}
