import { InvalidArgumentError } from "commander";
import type { Grant } from "./key-operations.js";
import { oneOf } from "./option-parsers.js";

const ROLES = ["VIEWER", "ANALYST", "ENGINEER", "OPERATOR", "ADMIN"] as const;
const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `ENGINEER,OPERATOR` */
export function roleList(text: string): string[] {
  return text.split(",").map((name) => oneOf(ROLES)(name.trim()));
}

/** A JSON list of grants; the platform checks what they say. */
export function grantList(text: string): Grant[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (Array.isArray(value)) return value as Grant[];
  throw new InvalidArgumentError(
    'It must be a JSON list such as [{"permission":"model:predict","modelPattern":"power-*"}].',
  );
}

/** Seconds of `30m`, `12h` or `7d`. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(number) * (UNIT_SECONDS[unit ?? ""] ?? Number.NaN);
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError("It must be a number with s, m, h or d, such as 12h.");
}
