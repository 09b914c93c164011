import { InvalidInputError } from "../../shared/errors.js";
import type { CurveKind } from "./curve.entity.js";

const ISO_DURATION =
  /^P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?$/;
const POSITION = /^M([1-9]\d{0,2})$/;

/**
 * Maturity of a tenor in months.
 * @param tenor ISO 8601 duration (P1M, P2Y) or contract position (M1, M2)
 * @returns undefined for what is neither, or not positive
 */
export function tenorMonths(tenor: string): number | undefined {
  const position = POSITION.exec(tenor);
  if (position) return Number(position[1]);
  const duration = ISO_DURATION.exec(tenor);
  if (!duration) return undefined;
  const [years = 0, months = 0, weeks = 0, days = 0] = duration.slice(1).map((part) => Number(part ?? 0));
  const total = years * 12 + months + (weeks * 7 + days) / (365.25 / 12);
  return total > 0 ? total : undefined;
}

const MOST_TENORS = 200;

/** @throws {InvalidInputError} naming the tenor that is malformed, doubled or out of order */
export function assertTenors(tenors: readonly string[], kind: CurveKind): void {
  if (tenors.length === 0 || tenors.length > MOST_TENORS) {
    throw InvalidInputError.at("input.tenors", `needs 1 to ${MOST_TENORS} tenors`);
  }
  let longest = 0;
  const seen = new Set<string>();
  tenors.forEach((tenor, i) => {
    const field = `input.tenors.${i}`;
    const months = tenorMonths(tenor);
    if (months === undefined || (kind === "YIELD" && POSITION.test(tenor))) {
      const allowed =
        kind === "YIELD" ? "an ISO 8601 duration such as P6M or P10Y" : "P6M, P1Y or M1, M2, ...";
      throw InvalidInputError.at(field, `"${tenor}" is not a tenor: ${allowed}`);
    }
    if (seen.has(tenor)) throw InvalidInputError.at(field, `"${tenor}" is there twice`);
    if (months <= longest)
      throw InvalidInputError.at(field, `"${tenor}" must come after every shorter tenor, and only once`);
    longest = months;
    seen.add(tenor);
  });
}
