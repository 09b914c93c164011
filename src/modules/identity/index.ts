export { Authenticator } from "./authenticator.js";
export type { AuthenticatorOptions, Caller, Identity } from "./authenticator.js";
export { IdentityResolver } from "./identity.resolver.js";
export type { EventSource } from "./request-context.js";
export { CallerPresence, RequestContext } from "./request-context.js";
export { ROLES, mayDo, parseRoles } from "./roles.rules.js";
export type { Permission, Role } from "./roles.rules.js";
