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

test("embeds", async () => {
  const answer = await platform.ask(
    `{ embed(input: { texts: ["gas prices rise", "cold winter"] }) { dimensions version { number } embeddings { tokens truncated base64 } } }`,
  );
  console.log(JSON.stringify(answer));
  const answer2 = await platform.ask(
    `{ embed(input: { texts: ["gas prices rise", "cold winter"] }) { dimensions embeddings { tokens truncated vector } } }`,
  );
  console.log(JSON.stringify(answer2));
});
