import { ForbiddenError, InvalidInputError } from "../../shared/errors.js";

const LONGEST_NAME = 100;
export const MOST_DAYS = 90;
export const MOST_OVERLAP_DAYS = 30;

export function assertKeyName(name: string): void {
  if (name.trim() === "" || name.length > LONGEST_NAME || /\p{Cc}/u.test(name)) {
    throw InvalidInputError.at(
      "input.name",
      `1 to ${LONGEST_NAME} characters, none of them a control character`,
    );
  }
}

export function assertLifetime(days: number): void {
  if (days < 1 || days > MOST_DAYS)
    throw InvalidInputError.at("input.expiresInDays", `must be from 1 to ${MOST_DAYS}`);
}

export function assertOverlap(days: number): void {
  if (days < 0 || days > MOST_OVERLAP_DAYS) {
    throw InvalidInputError.at("input.overlapDays", `must be from 0 to ${MOST_OVERLAP_DAYS}`);
  }
}

export function assertKeyRoles(roles: readonly string[]): void {
  if (roles.length === 0) throw InvalidInputError.at("input.roles", "needs at least one role");
  roles.forEach((role, i) => {
    if (roles.indexOf(role) !== i) throw InvalidInputError.at(`input.roles.${i}`, `${role} is there twice`);
  });
}

/**
 * A key could be wider than the credentials that asked for it.
 * @throws {ForbiddenError} when these are narrowed by grants
 */
export function assertNotNarrowed({ grants }: { grants?: readonly unknown[] }): void {
  if ((grants?.length ?? 0) > 0) {
    throw new ForbiddenError("credentials that are narrowed by grants make no API keys");
  }
}
