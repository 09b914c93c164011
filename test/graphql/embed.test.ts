import { uploadEmbedder } from "../support/embedders.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await uploadEmbedder(platform, "notes", {});
  await promote(platform, { model: "notes", number: 1 });
});
afterAll(() => platform.remove());

test("texts become vectors, in their order", async () => {
  const { embed } = await platform.query<{ embed: { embeddings: { tokens: number }[] } }>(
    `{ embed(input: { texts: ["gas prices rise", "cold winter"] }) { embeddings { tokens vector } } }`,
  );
  expect(embed.embeddings.map(({ tokens }) => tokens)).toEqual([5, 4]);
});
