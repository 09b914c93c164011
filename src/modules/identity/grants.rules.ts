import { ForbiddenError, InvalidInputError } from "../../shared/errors.js";

/** Permissions that a grant may narrow: each concerns one model. */
export const NARROWABLE = [
  "model:register",
  "model:upload",
  "model:download",
  "model:promote",
  "model:predict",
  "model:protect",
  "training:start",
  "training:cancel",
  "curve:forecast",
  "text:embed",
] as const;
export type Narrowable = (typeof NARROWABLE)[number];

export const GRANT_STAGES = ["NONE", "STAGING", "PRODUCTION", "ARCHIVED"] as const;
export type GrantStage = (typeof GRANT_STAGES)[number];

/** Of the narrowable ones, those that concern a stage, too. */
const STAGED: readonly Narrowable[] = ["model:promote", "model:predict"];

/** This permission only on models like the pattern, and only for this stage. */
export interface Grant {
  permission: Narrowable;
  /** `*` stands for any characters; absent: every model. */
  modelPattern?: string;
  /** Absent: every stage. */
  stage?: GrantStage;
}

/** What a permission is used on. */
export interface GrantTarget {
  model: string;
  /** Absent where no stage is concerned, or it is not known yet. */
  stage?: GrantStage;
}

const MOST_GRANTS = 50;
const PATTERN = /^[a-z0-9_*-]{1,64}$/;

/**
 * A permission that no grant mentions stays as the role has it; one that is mentioned is allowed where a grant of it
 * fits.
 */
export function isGranted(
  grants: readonly Grant[] | undefined,
  permission: Narrowable,
  { model, stage }: GrantTarget,
): boolean {
  const concerning = grants?.filter((grant) => grant.permission === permission) ?? [];
  return (
    concerning.length === 0 ||
    concerning.some(
      (grant) =>
        matchesPattern(grant.modelPattern ?? "*", model) &&
        (stage === undefined || grant.stage === undefined || grant.stage === stage),
    )
  );
}

/** @throws {ForbiddenError} when grants keep the permission from this model or stage */
export function assertGranted(
  { grants }: { grants?: readonly Grant[] },
  permission: Narrowable,
  target: GrantTarget,
): void {
  if (isGranted(grants, permission, target)) return;
  const where = target.stage === undefined ? "" : ` for ${target.stage}`;
  throw new ForbiddenError(
    `the credentials do not grant ${permission} on the model "${target.model}"${where}`,
  );
}

/**
 * Whether the whole of a text fits, `*` standing for any characters, none among them. Each piece between stars is
 * looked for once from where the one before ended, so the time grows with the text and not with the number of stars.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const [head, ...rest] = pattern.split("*");
  const tail = rest.pop();
  if (tail === undefined) return text === pattern;
  if (!text.startsWith(head!) || !text.endsWith(tail) || head!.length + tail.length > text.length)
    return false;
  const end = text.length - tail.length;
  let from = head!.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, from);
    if (found < 0 || found + piece.length > end) return false;
    from = found + piece.length;
  }
  return true;
}

/**
 * Grants as a client or a token's claim gives them.
 * @param value what is there; null and absent mean none
 * @throws {InvalidInputError} naming the grant and its field, e.g. `input.grants.0.permission`
 */
export function parseGrants(value: unknown, field: string): Grant[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw InvalidInputError.at(field, "must be a list of grants");
  if (value.length > MOST_GRANTS) throw InvalidInputError.at(field, `at most ${MOST_GRANTS}`);
  return value.map((grant: unknown, i) => parseGrant(grant, `${field}.${i}`));
}

function parseGrant(value: unknown, field: string): Grant {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw InvalidInputError.at(field, "must be an object with a permission");
  }
  const { permission, modelPattern, stage, ...others } = value as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw InvalidInputError.at(`${field}.${unknown}`, "is no part of a grant");
  const narrowed = NARROWABLE.find((name) => name === permission);
  if (!narrowed) throw InvalidInputError.at(`${field}.permission`, `must be one of ${NARROWABLE.join(", ")}`);
  const grant: Grant = { permission: narrowed };
  if (modelPattern !== undefined && modelPattern !== null) {
    if (typeof modelPattern !== "string" || !PATTERN.test(modelPattern)) {
      throw InvalidInputError.at(
        `${field}.modelPattern`,
        "a model's name with * for any characters: lower-case letters, digits, _, - and *, at most 64",
      );
    }
    grant.modelPattern = modelPattern;
  }
  if (stage !== undefined && stage !== null) grant.stage = parseStage(stage, narrowed, `${field}.stage`);
  return grant;
}

function parseStage(value: unknown, permission: Narrowable, field: string): GrantStage {
  const stage = GRANT_STAGES.find((name) => name === value);
  if (!stage) throw InvalidInputError.at(field, `must be one of ${GRANT_STAGES.join(", ")}`);
  if (!STAGED.includes(permission)) {
    throw InvalidInputError.at(field, `only ${STAGED.join(" and ")} concern a stage`);
  }
  return stage;
}
