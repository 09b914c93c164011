import { createCollection, endedJob, ingest } from "../support/documents.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { keysOf, search } from "../support/searching.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await createCollection(platform, { name: "notation", language: "german" });
  const { job } = await ingest(platform, "notation", [
    { key: "spread", text: "TTF/NBP bei 70/bbl, bid<coal." },
    { key: "houses", text: "Die Preise für Häuser und Cafe\u0301s." },
  ]);
  await endedJob(platform, job.id);
});

afterAll(() => platform.remove());

test.each([
  ["NBP", "spread", "TTF/<em>NBP</em>"],
  ["bbl", "spread", "70/<em>bbl</em>"],
  ["coal", "spread", "bid&lt;<em>coal</em>"],
  ["Häuser", "houses", "<em>Häuser</em>"],
  ["Cafés", "houses", "<em>Cafe\u0301s</em>"],
])("%s is found and marked", async (query, key, marked) => {
  const found = await search(platform, { collection: "notation", query, mode: "LEXICAL" });
  expect(keysOf(found)).toEqual([key]);
  expect(found.edges[0]!.highlight).toContain(marked);
});
