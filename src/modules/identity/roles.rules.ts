import { InvalidInputError } from "../../shared/errors.js";

export const ROLES = ["VIEWER", "ANALYST", "ENGINEER", "OPERATOR", "ADMIN"] as const;
export type Role = (typeof ROLES)[number];

const VIEWER = [
  "model:read",
  "curve:read",
  "training:read",
  "job:read",
  "collection:read",
  "collection:search",
] as const;
const ANALYST = [...VIEWER, "model:predict", "curve:forecast", "text:embed"] as const;
const ENGINEER = [
  ...ANALYST,
  "model:register",
  "model:upload",
  "model:download",
  "model:promote",
  "curve:write",
  "collection:write",
  "document:write",
  "collection:reindex",
  "training:start",
  "training:cancel",
] as const;
const OPERATOR = [
  ...VIEWER,
  "model:promote",
  "job:operate",
  "training:cancel",
  "collection:reindex",
  "model:protect",
  "model:recover",
  "upkeep:read",
  "upkeep:start",
  "audit:read",
] as const;

export type Permission = (typeof ENGINEER)[number] | (typeof OPERATOR)[number] | (typeof GOVERNING)[number];

/** What concerns who may do what. */
const GOVERNING = ["key:manage", "model:govern"] as const;

/** What each role may do; ADMIN may do everything. */
const PERMISSIONS: Record<Role, readonly Permission[]> = {
  VIEWER,
  ANALYST,
  ENGINEER,
  OPERATOR,
  ADMIN: [...new Set<Permission>([...ENGINEER, ...OPERATOR, ...GOVERNING])],
};

export function permissionsOf(role: Role): readonly Permission[] {
  return PERMISSIONS[role];
}

export function mayDo(roles: readonly Role[], permission: Permission): boolean {
  return roles.some((role) => PERMISSIONS[role].includes(permission));
}

/** Whether the role allows nothing that these do not. */
export function mayGive(roles: readonly Role[], role: Role): boolean {
  return PERMISSIONS[role].every((permission) => mayDo(roles, permission));
}

/** @throws {InvalidInputError} for a role that does not exist */
export function parseRoles(values: readonly unknown[]): Role[] {
  return values.map((value) => {
    const role = ROLES.find((known) => known === String(value).toUpperCase());
    if (!role) throw InvalidInputError.at("roles", `${String(value)} is not one of ${ROLES.join(", ")}`);
    return role;
  });
}
