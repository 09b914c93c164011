import { InvalidInputError } from "../../shared/errors.js";

export interface EmbedLimits {
  /** Texts of one call. */
  texts: number;
  /** UTF-16 units of one text. */
  characters: number;
}

/** @throws {InvalidInputError} naming input.texts, or the text that cannot be embedded */
export function assertTexts(texts: readonly string[], limits: EmbedLimits): void {
  if (texts.length === 0) throw InvalidInputError.at("input.texts", "needs at least one text");
  if (texts.length > limits.texts) {
    throw InvalidInputError.at("input.texts", `has ${texts.length} texts, ${limits.texts} at most`);
  }
  for (const [i, text] of texts.entries()) {
    if (text.length > limits.characters) {
      throw InvalidInputError.at(
        `input.texts.${i}`,
        `has ${text.length} characters, ${limits.characters} at most`,
      );
    }
    if (text.trim() === "") throw InvalidInputError.at(`input.texts.${i}`, "must not be empty");
  }
}
