/** Words that stand in examples and templates, as they are left when only letters and digits count. */
const PLACEHOLDERS = [
  "changeme",
  "changethis",
  "replaceme",
  "replacethis",
  "placeholder",
  "yoursecret",
  "yourjwtsecret",
  "yourkey",
  "mysecret",
  "supersecret",
  "topsecret",
  "jwtsecret",
  "secretkey",
  "defaultsecret",
  "defaultkey",
  "password",
  "insecure",
  "donotuse",
  "notforproduction",
  "development",
  "example",
  "letmein",
  "qwertyuiop",
] as const;

const FEWEST_CHARACTERS = 8;
const MOST_IN_SEQUENCE = 0.6;

/**
 * Why a secret could be guessed; undefined when nothing speaks against it.
 * @returns words that never hold any of the secret
 */
export function weaknessOf(secret: string): string | undefined {
  const plain = secret.toLowerCase().replace(/[^a-z0-9]/g, "");
  if (PLACEHOLDERS.some((word) => plain.includes(word))) return "is a placeholder of an example";
  if (new Set(secret).size < FEWEST_CHARACTERS)
    return `has fewer than ${FEWEST_CHARACTERS} different characters`;
  if (isRepeated(secret) || repeatsWords(secret)) return "repeats itself";
  if (sequenceShare(secret) > MOST_IN_SEQUENCE) return "is a sequence";
  return undefined;
}

/** One part written again and again, the last time perhaps cut short. */
function isRepeated(secret: string): boolean {
  for (let period = 1; period <= secret.length / 2; period++) {
    if (secret.slice(period) === secret.slice(0, -period)) return true;
  }
  return false;
}

function repeatsWords(secret: string): boolean {
  const words = secret
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
  return words.length > 2 && new Set(words).size <= words.length / 2;
}

/** Share of neighbours that follow each other in the alphabet, as in abcdef or 987654. */
function sequenceShare(secret: string): number {
  const codes = [...secret].map((character) => character.codePointAt(0)!);
  const steps = codes.slice(1).filter((code, i) => Math.abs(code - codes[i]!) === 1);
  return steps.length / Math.max(1, codes.length - 1);
}
