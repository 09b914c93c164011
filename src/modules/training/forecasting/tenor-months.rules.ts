import { InvalidInputError } from "../../../shared/errors.js";

const DAYS_PER_MONTH = 365.25 / 12;

/**
 * Time to maturity or delivery of a tenor, in months, > 0.
 * @param tenor an ISO 8601 duration of whole years, months, weeks and days (P2Y, P18M, P1W) or a contract position (M3)
 * @throws {InvalidInputError} for anything else
 */
export function tenorMonths(tenor: string): number {
  const position = /^M(\d+)$/.exec(tenor);
  const duration = /^P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$/.exec(tenor);
  const months = position
    ? Number(position[1])
    : duration
      ? Number(duration[1] ?? 0) * 12 +
        Number(duration[2] ?? 0) +
        (Number(duration[3] ?? 0) * 7 + Number(duration[4] ?? 0)) / DAYS_PER_MONTH
      : Number.NaN;
  if (!(months > 0)) {
    throw InvalidInputError.at(
      "tenors",
      `"${tenor}" is neither a duration such as P6M nor a position such as M1`,
    );
  }
  return months;
}
