import { FolderArchive } from "../../src/adapters/embedded/folder-archive.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { describeArchive } from "./archive-contract.js";

describeArchive("folder archive", async () => {
  const folder = await temporaryFolder();
  return { archive: await FolderArchive.open(folder.path), drop: () => folder.remove() };
});
