import { InvalidInputError } from "../../../shared/errors.js";

const DAYS_PER_MONTH = 365.25 / 12;

const POSITION = /^M(\d+)$/;
const NUMBER = String.raw`(\d+(?:\.\d+)?)`;
const DURATION = new RegExp(`^P(?=\\d)(?:${NUMBER}Y)?(?:${NUMBER}M)?(?:${NUMBER}W)?(?:${NUMBER}D)?$`);

/**
 * Time to maturity or delivery of a tenor, in months, > 0.
 * @param tenor an ISO 8601 duration of years, months, weeks and days (P2Y, P1.5M, P1W) or a contract position (M3)
 * @throws {InvalidInputError} for anything else
 */
export function tenorMonths(tenor: string): number {
  const position = POSITION.exec(tenor);
  const [years = 0, months = 0, weeks = 0, days = 0] =
    DURATION.exec(tenor)
      ?.slice(1)
      .map((part) => Number(part ?? 0)) ?? [];
  const total = position ? Number(position[1]) : years * 12 + months + (weeks * 7 + days) / DAYS_PER_MONTH;
  if (!(total > 0)) {
    throw InvalidInputError.at(
      "tenors",
      `"${tenor}" is neither a duration such as P6M nor a position such as M1`,
    );
  }
  return total;
}
