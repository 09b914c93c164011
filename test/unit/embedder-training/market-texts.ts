import { randomNumbers } from "../../../src/shared/random-numbers.js";

const TOPICS = [
  "gas pipeline storage compressor injection withdrawal terminal cargo methane heating",
  "crude refinery barrel tanker sulphur distillate gasoline export drilling sanctions",
  "carbon allowance auction emissions registry compliance abatement benchmark offset permit",
  "power turbine grid interconnector outage nuclear reservoir wind solar balancing",
].map((words) => words.split(" "));
const COMMON = "the of a in and to with for was is prices market demand supply week traders".split(" ");

/** Short texts that each keep to one topic: text i to topic i modulo 4. */
export function marketTexts(count: number, seed = 1): string[] {
  const random = randomNumbers(seed);
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)]!;
  return Array.from({ length: count }, (_, i) => {
    const topic = TOPICS[i % TOPICS.length]!;
    const words = Array.from({ length: 30 }, () => (random() < 0.4 ? pick(topic) : pick(COMMON)));
    return `${words.join(" ")}, note${i}.`;
  });
}
