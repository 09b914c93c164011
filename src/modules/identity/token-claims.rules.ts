import { InvalidInputError } from "../../shared/errors.js";
import { ROLES, parseRoles } from "./roles.rules.js";
import type { Role } from "./roles.rules.js";

const LONGEST_SUBJECT = 256;
/** Control characters break lines of logs; half of a surrogate pair is no character of UTF-8. */
const UNPRINTABLE = /[\p{Cc}\p{Surrogate}]/u;
/** What API keys and certificates are called: no token may speak in the name of one. */
const PROGRAMS = /^(key|cert):/;
/** Callers of the platform's own: itself, and those who come without a name. */
const OWN_SUBJECTS = ["anonymous", "developer", "samples", "schedule"];

/** Whether such a caller came by an API key or a certificate, which tells nothing of who holds it. */
export function isProgram({ subject }: { subject: string }): boolean {
  return PROGRAMS.test(subject);
}

/** Absent, JWT or at+jwt, as a media type with or without `application/`. */
export function isTokenType(type: unknown): boolean {
  if (type === undefined) return true;
  return typeof type === "string" && /^(application\/)?(jwt|at\+jwt)$/i.test(type);
}

/**
 * A token may carry any JSON as its subject; the history of changes needs a name.
 * @throws {InvalidInputError}
 */
export function subjectOf(claim: unknown): string {
  if (typeof claim !== "string" || claim === "") {
    throw InvalidInputError.at("sub", "must be text that names the caller");
  }
  if (claim.length > LONGEST_SUBJECT || UNPRINTABLE.test(claim)) {
    throw InvalidInputError.at(
      "sub",
      `at most ${LONGEST_SUBJECT} characters, none of them a control character`,
    );
  }
  if (isProgram({ subject: claim })) {
    throw InvalidInputError.at("sub", "is the name of an API key or a certificate");
  }
  if (OWN_SUBJECTS.includes(claim)) throw InvalidInputError.at("sub", "is a name of the platform's own");
  return claim;
}

/**
 * Roles of a token of our own.
 * @throws {InvalidInputError} for one that does not exist
 */
export function rolesOf(claim: unknown): Role[] {
  return parseRoles(Array.isArray(claim) ? claim : []);
}

/**
 * Roles of another provider's token: what it calls by other names is not meant for us.
 * @param path names of claims, each within the one before, joined by dots; a claim whose own name has dots is found too
 */
export function foreignRolesOf(claims: Readonly<Record<string, unknown>>, path: string): Role[] {
  const claim = claimAt(claims, path);
  const named = typeof claim === "string" ? claim.split(/[\s,]+/) : Array.isArray(claim) ? claim : [];
  return ROLES.filter((role) =>
    named.some((name) => typeof name === "string" && name.toUpperCase() === role),
  );
}

function claimAt(claims: unknown, path: string): unknown {
  if (typeof claims !== "object" || claims === null) return undefined;
  if (Object.hasOwn(claims, path)) return (claims as Record<string, unknown>)[path];
  for (let dot = path.indexOf("."); dot > 0; dot = path.indexOf(".", dot + 1)) {
    const name = path.slice(0, dot);
    if (!Object.hasOwn(claims, name)) continue;
    return claimAt((claims as Record<string, unknown>)[name], path.slice(dot + 1));
  }
  return undefined;
}
