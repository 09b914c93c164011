import { InvalidInputError } from "../../shared/errors.js";
import { isContractPosition, tenorMonths } from "../../shared/tenor.js";
import type { CurveKind } from "./curve.entity.js";

const MOST_TENORS = 120;

/** @throws {InvalidInputError} naming the tenor that is malformed, doubled or out of order */
export function assertTenors(tenors: readonly string[], kind: CurveKind): void {
  if (tenors.length === 0 || tenors.length > MOST_TENORS) {
    throw InvalidInputError.at("input.tenors", `needs 1 to ${MOST_TENORS} tenors`);
  }
  let longest = 0;
  tenors.forEach((tenor, i) => {
    const field = `input.tenors.${i}`;
    const months = tenorMonths(tenor, field);
    if (kind === "YIELD" && isContractPosition(tenor)) {
      throw InvalidInputError.at(
        field,
        `"${tenor}" is a contract position; a YIELD curve has durations such as P6M`,
      );
    }
    if (months <= longest) {
      throw InvalidInputError.at(field, `"${tenor}" must be longer than the tenor before it`);
    }
    longest = months;
  });
}
