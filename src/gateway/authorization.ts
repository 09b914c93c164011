import type { AuthCheckerFn } from "type-graphql";
import { mayDo } from "../modules/identity/index.js";
import type { Caller, Permission, RequestContext } from "../modules/identity/index.js";
import { ForbiddenError } from "../shared/errors.js";

/** `@Authorized()` lets every known caller in, `@Authorized("curve:read")` those with the permission. */
export const checkAuthorization: AuthCheckerFn<RequestContext, Permission> = ({ context }, permissions) => {
  for (const permission of permissions) assertMay(context.caller, permission);
  return true;
};

/** @throws {ForbiddenError} when no role of the caller has the permission */
export function assertMay({ roles }: Caller, permission: Permission): void {
  if (!mayDo(roles, permission)) throw new ForbiddenError(`this needs the permission ${permission}`);
}
