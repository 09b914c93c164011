import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FolderObjectStore } from "../../src/adapters/embedded/folder-object-store.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { describeObjectStore } from "./object-store-contract.js";

describeObjectStore("folder object store", async () => {
  const folder = await temporaryFolder();
  const store = await FolderObjectStore.open(folder.path);
  return {
    store,
    leftovers: () => readdir(join(folder.path, "drafts", String(process.pid))),
    drop: async () => {
      await store.close();
      await folder.remove();
    },
  };
});

test("the folder object store sweeps the uploads of a killed process when it opens", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder.path, "drafts"), { recursive: true });
  await writeFile(join(folder.path, "drafts", "half-an-upload"), randomBytes(100));
  const store = await FolderObjectStore.open(folder.path);
  expect(await readdir(join(folder.path, "drafts"), { recursive: true })).toEqual([String(process.pid)]);
  await rm(join(folder.path, "objects"), { recursive: true });
  await expect(store.check()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await store.close();
  await folder.remove();
});
