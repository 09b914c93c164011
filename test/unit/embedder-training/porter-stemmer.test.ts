import { porterStem } from "../../../src/modules/embeddings/training/porter-stemmer.rules.js";

/** Of the algorithm's own sample vocabulary. */
test.each([
  ["caresses", "caress"],
  ["ponies", "poni"],
  ["cats", "cat"],
  ["feed", "feed"],
  ["agreed", "agre"],
  ["plastered", "plaster"],
  ["bled", "bled"],
  ["motoring", "motor"],
  ["sing", "sing"],
  ["conflated", "conflat"],
  ["hopping", "hop"],
  ["falling", "fall"],
  ["filing", "file"],
  ["happy", "happi"],
  ["sky", "sky"],
  ["relational", "relat"],
  ["vietnamization", "vietnam"],
  ["hopefulness", "hope"],
  ["electrical", "electr"],
  ["adjustment", "adjust"],
  ["adoption", "adopt"],
  ["replacement", "replac"],
  ["controlling", "control"],
  ["rate", "rate"],
  ["roll", "roll"],
  ["generalizations", "gener"],
  ["oscillators", "oscil"],
  ["is", "is"],
])("%s becomes %s", (word, stem) => {
  expect(porterStem(word)).toBe(stem);
});
