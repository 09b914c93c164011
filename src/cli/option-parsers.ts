import { InvalidArgumentError } from "commander";

/** Parsers of option values; each throws InvalidArgumentError, which ends the command as a usage error. */

export function integer(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

export function count(text: string): number {
  const value = integer(text);
  if (value < 1) throw new InvalidArgumentError("It must be 1 or more.");
  return value;
}

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

export function isoDate(text: string): string {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) throw new InvalidArgumentError("It must be a date, YYYY-MM-DD.");
  return text;
}

/** `1,5,21` */
export function countList(text: string): number[] {
  return text.split(",").map((part) => count(part.trim()));
}

/** One of `choices`, in any case, with - for _. */
export function oneOf<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((name) => name === text.toUpperCase().replaceAll("-", "_"));
    if (choice) return choice;
    const allowed = choices.map((name) => name.toLowerCase().replaceAll("_", "-"));
    throw new InvalidArgumentError(`Allowed: ${allowed.join(", ")}.`);
  };
}

/** Collects a repeatable `key=value`. */
export function keyValue(text: string, collected: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("It must be key=value.");
  return { ...collected, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** Collects a repeatable value. */
export function list(text: string, collected: string[] = []): string[] {
  return [...collected, text];
}

/** A stage, or the number of a version. */
export function version(text: string): { number: number } | { stage: string } {
  if (/^\d+$/.test(text)) return { number: count(text) };
  return { stage: oneOf(["PRODUCTION", "STAGING"])(text) };
}
