import { createCollection, endedJob, ingest } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { eventually, refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, rollBack } from "../support/registry.js";
import {
  collectionState,
  reindex,
  servedBy,
  setEmbedder,
  uploadRandomEmbedder,
} from "../support/reindexing.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await uploadRandomEmbedder(platform, "alpha", { seed: 1, width: 32 });
  await uploadRandomEmbedder(platform, "alpha", { seed: 2, width: 48 });
  await promote(platform, { model: "alpha", number: 1 });
});

afterAll(() => platform.remove());

function notes(from: number, to: number): DocumentInput[] {
  return Array.from({ length: to - from }, (_, i) => ({
    key: `note/${from + i}`,
    text: `Gas storage in region ${from + i} rises, and the price of power falls. Wind was high in week ${i}.`,
  }));
}

test("smoke", async () => {
  await createCollection(platform, { name: "notes", embedder: "alpha" });
  expect(await collectionState(platform, "notes")).toMatchObject({ embedder: { number: 1 }, reindex: null });
  const { job } = await ingest(platform, "notes", notes(0, 300));
  expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
  const t = performance.now();
  await promote(platform, { model: "alpha", number: 2 });
  const state = await collectionState(platform, "notes");
  expect(state).toMatchObject({ embedder: { number: 1 } });
  expect(state.reindex).not.toBeNull();
  await servedBy(platform, "notes", "alpha", 2);
  console.log("reindex ms", performance.now() - t);
  console.log(await endedJob(platform, state.reindex!.id));
  await rollBack(platform, { model: "alpha" });
  expect(await collectionState(platform, "notes")).toMatchObject({ embedder: { number: 1 } });
  const again = await reindex(platform, { collection: "notes" });
  console.log(JSON.stringify(again));
  console.log(await endedJob(platform, again.data!.reindexCollection.job.id));
  await setEmbedder(platform, { collection: "notes", embedder: "alpha" });
  refusalOf(await reindex(platform, { collection: "absent" }));
  await eventually(() => Promise.resolve(1), () => true);
  console.log(platform.log.filter((l) => String(l.event).includes("index")));
});
