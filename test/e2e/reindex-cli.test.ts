import { createCollection, endedJob, ingest } from "../support/documents.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import { cancelJob, collectionState, uploadRandomEmbedder } from "../support/reindexing.js";
import { runCli } from "../support/run-cli.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await uploadRandomEmbedder(platform, "first");
  await promote(platform, { model: "first", number: 1 });
  await uploadRandomEmbedder(platform, "second", { seed: 2, width: 128, layers: 4 });
  await createCollection(platform, { name: "notes" });
  const documents = Array.from({ length: 300 }, (_, i) => ({ key: `note/${i}`, text: `Gas falls to ${i}.` }));
  await ingest(platform, "notes", documents);
});

afterAll(() => platform.remove());

const cli = (...args: string[]) => runCli(args, { ML_URL: platform.url });

test("without an embedder there is nothing to embed with", async () => {
  expect(await cli("reindex", "notes")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("PRECONDITION_FAILED") as string,
  });
  expect(await cli("reindex", "absent")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("NOT_FOUND") as string,
  });
});

test("an embedder is set, and followed until it serves", async () => {
  const set = await cli("reindex", "notes", "--embedder", "first");
  expect(set).toMatchObject({ code: 0, stdout: "notes is searched by first version 1\n" });
  expect(set.stderr).toContain("reindexing notes 100% completed");
  expect(await cli("reindex", "notes", "--embedder", "second")).toMatchObject({
    code: 0,
    stdout:
      "notes waits for a version of second in production; until then it is searched by first version 1\n",
  });
  await promote(platform, { model: "second", number: 1 });
  expect(await cli("reindex", "notes", "--embedder", "second")).toMatchObject({
    code: 0,
    stdout: "notes is searched by second version 1\n",
  });
});

test("a reindex that is cancelled is told as a failure", async () => {
  const running = cli("reindex", "notes");
  const before = (await collectionState(platform, "notes")).reindex!.id;
  let job = before;
  while (job === before) job = (await collectionState(platform, "notes")).reindex!.id;
  await cancelJob(platform, job);
  expect(await running).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("what served before serves on") as string,
  });
  const detached = JSON.parse((await cli("reindex", "notes", "--no-wait", "--json")).stdout) as {
    job: string;
  };
  expect(await endedJob(platform, detached.job)).toMatchObject({ state: "COMPLETED" });
});
