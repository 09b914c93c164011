import { InvalidInputError } from "./errors.js";

const ISO_DURATION =
  /^P(?=\d)(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?$/;
const POSITION = /^M([1-9]\d{0,2})$/;
const DAYS_PER_MONTH = 365.25 / 12;

/** M1, M2, ...: the first, second, ... contract to deliver. */
export function isContractPosition(tenor: string): boolean {
  return POSITION.test(tenor);
}

/**
 * Time to maturity or delivery of a tenor, in months, > 0.
 * @param tenor an ISO 8601 duration of years, months, weeks and days (P2Y, P1.5M, P6W) or a contract position (M3)
 * @throws {InvalidInputError} for anything else, naming the field
 */
export function tenorMonths(tenor: string, field = "tenors"): number {
  const position = POSITION.exec(tenor);
  if (position) return Number(position[1]);
  const [years = 0, months = 0, weeks = 0, days = 0] = (ISO_DURATION.exec(tenor) ?? [])
    .slice(1)
    .map((part) => Number(part ?? 0));
  const total = years * 12 + months + (weeks * 7 + days) / DAYS_PER_MONTH;
  if (total > 0) return total;
  throw InvalidInputError.at(field, `"${tenor}" is neither a duration such as P6M nor a position such as M1`);
}
