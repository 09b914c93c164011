import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../support/temporary-folder.js";
import { lintDockerfile } from "./dockerfiles.js";

test.each(["deploy/docker/Dockerfile", "deploy/docker/Dockerfile.gpu"])(
  "%s has nothing to complain of",
  async (file) => expect(await lintDockerfile(file)).toEqual([]),
);

test("what the linter is there for it says, with its line", async () => {
  const folder = await temporaryFolder();
  const file = join(folder.path, "Dockerfile");
  await writeFile(file, "FROM debian\nRUN cd /srv && echo $UNQUOTED\n");
  const complaints = await lintDockerfile(file);
  await folder.remove();
  expect(complaints).toContainEqual(expect.stringMatching(/^line 1: DL3006 .*version/));
  expect(complaints).toContainEqual(expect.stringMatching(/^line 2: SC2086 /));
});
