import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import type { Archive } from "../../src/ports/archive.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { sha256Of } from "./object-store-contract.js";

export function describeArchive(
  name: string,
  open: () => Promise<{ archive: Archive; drop: () => Promise<void> }>,
): void {
  describe(name, () => {
    let subject: { archive: Archive; drop: () => Promise<void> };
    let archive: Archive;
    let folder: TemporaryFolder;
    beforeAll(async () => {
      subject = await open();
      archive = subject.archive;
      folder = await temporaryFolder();
    });
    afterAll(async () => {
      await subject.drop();
      await folder.remove();
    });

    async function namesOf(prefix: string): Promise<string[]> {
      const names: string[] = [];
      for await (const file of archive.list(prefix)) names.push(file.name);
      return names.sort();
    }

    test.each([1000, 20_000_000])("keeps a file of %d bytes under its name", async (bytes) => {
      const content = randomBytes(bytes);
      const path = join(folder.path, "dump");
      await writeFile(path, content);
      const stored = await archive.storeFile(`dumps/${bytes}/database.dump`, path);
      expect(stored).toEqual({ sha256: sha256Of(content), bytes });
      const read = await buffer(await archive.read(`dumps/${bytes}/database.dump`));
      expect(read.equals(content)).toBe(true);
    });

    test("finds files by the beginning of their names, with their sizes", async () => {
      const before = Date.now();
      await archive.storeText("backups/a/manifest.json", "{}");
      await archive.storeText("backups/b/manifest.json", '{"b":1}');
      await archive.storeText("backups-of-others/c", "c");
      expect(await namesOf("backups/")).toEqual(["backups/a/manifest.json", "backups/b/manifest.json"]);
      for await (const { bytes, modifiedAt } of archive.list("backups/b")) {
        expect(bytes).toBe(7);
        expect(Math.abs(modifiedAt.getTime() - before)).toBeLessThan(60_000);
      }
      expect(await namesOf("nothing/")).toEqual([]);
    });

    test("replaces what has the name, and removes it", async () => {
      await archive.storeText("replaced", "one");
      await archive.storeText("replaced", "two");
      expect(await text(await archive.read("replaced"))).toBe("two");
      await archive.remove("replaced");
      await archive.remove("replaced");
      await expect(archive.read("replaced")).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await namesOf("replaced")).toEqual([]);
    });

    test("refuses names that could lead elsewhere", async () => {
      for (const name of ["", "/etc/passwd", "../x", "a/../b", "a//b", ".drafts/x", "a b", "a\\b"]) {
        await expect(archive.storeText(name, "x")).rejects.toMatchObject({ field: "name" });
        await expect(archive.read(name)).rejects.toMatchObject({ field: "name" });
        await expect(archive.remove(name)).rejects.toMatchObject({ field: "name" });
      }
    });
  });
}
