import type { AuthCheckerFn } from "type-graphql";
import { mayDo } from "../modules/identity/index.js";
import type { Permission, RequestContext } from "../modules/identity/index.js";
import { ForbiddenError } from "../shared/errors.js";

/** `@Authorized()` lets every known caller in, `@Authorized("curve:read")` those with the permission. */
export const checkAuthorization: AuthCheckerFn<RequestContext, Permission> = ({ context }, permissions) => {
  const missing = permissions.find((permission) => !mayDo(context.caller.roles, permission));
  if (missing === undefined) return true;
  throw new ForbiddenError(`this needs the permission ${missing}`);
};
